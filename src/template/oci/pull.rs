//! A template on its way from a registry: nothing is in the store under its name before every digest is proved.
//!
//! ```text
//!   manifest --signature--> description --possible?--> pulls/sha256-...   each chunk: there, in an older version, or fetched
//!                                                          |
//!                      whole digest, file system looked at v
//!                                              NAME-V1.0.ext4, recorded
//! ```

use std::fs::File;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use rayon::prelude::*;

use super::super::error::TemplateError;
use super::super::import::{Made, check_type};
use super::super::name::{TemplateName, Version};
use super::super::probe::probe;
use super::super::registry::{PulledFrom, Source};
use super::super::store::Store;
use super::access::Access;
use super::chunk;
use super::client::Client;
use super::contents::{Chunk, Config, Contents};
use super::document::{BlobDigest, Descriptor};
use super::error::OciError;
use super::partial::{self, Partial};
use super::reference::{DEFAULT_TAG, Reference, Target};
use super::repository::Fetched;
use super::signature::{self, PublicKey};
use super::workers;
use crate::base::digest::Sha256Digest;
use crate::base::report::Reporter;
use crate::base::{AtomicFile, PathError, Timestamp};

/// What to fetch.
#[derive(Debug)]
pub struct PullOrder {
    /// Where it lies.
    pub from: Reference,
    /// What to call it here; its own name and version if `None`.
    pub name: Option<TemplateName>,
    /// How the registry is spoken to.
    pub access: Access,
    /// One of these keys has to have signed it; nobody has to if there are none.
    pub trusted: Vec<PublicKey>,
    /// When it is recorded to have come.
    pub time: Timestamp,
}

/// What came.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Pulled {
    /// The template's file.
    pub file: TemplateName,
    /// The digest of the whole file.
    pub sha256: Sha256Digest,
    /// Where it lies, by the digest of its manifest.
    pub reference: String,
    /// That digest.
    pub manifest_sha256: Sha256Digest,
    /// The trusted key that it is signed with, where one was demanded.
    pub signer: Option<String>,
    /// Whether the store had it already, so that nothing was fetched.
    pub was_there: bool,
    /// How many chunks were fetched.
    pub fetched_chunks: usize,
    /// And how many bytes they were.
    pub fetched_bytes: u64,
    /// How many chunks were here already, from a pull that was cut off or in an older version.
    pub kept_chunks: usize,
}

/// Counts what several threads fetch.
#[derive(Debug, Default)]
struct Came {
    chunks: AtomicUsize,
    bytes: AtomicU64,
    kept: AtomicUsize,
}

impl Store {
    /// Fetches a template from a registry; `when_busy` is called once if another process changes the store meanwhile.
    pub fn pull(
        &self,
        order: &PullOrder,
        reporter: &dyn Reporter,
        when_busy: impl FnOnce(),
    ) -> Result<Pulled, TemplateError> {
        let client = Client::connect(&order.from, &order.access, "pull")?;
        let manifest = manifest(&client, &order.from)?;
        let shown = order.from.to_string();
        let signer = match &*order.trusted {
            [] => None,
            trusted => Some(signature::demand(&client, &manifest, trusted, &shown)?),
        };
        let contents = Contents::read(&client, &manifest, &shown)?;
        let config = &contents.config;
        let wanted = match &order.name {
            Some(name) => name.clone(),
            None => config.name.with_version(config.version),
        };
        let pulled = Pulled {
            file: wanted.clone(),
            sha256: config.sha256,
            reference: order.from.with_digest(manifest.digest).to_string(),
            manifest_sha256: manifest.digest,
            signer,
            was_there: false,
            fetched_chunks: 0,
            fetched_bytes: 0,
            kept_chunks: 0,
        };
        if let Some(file) = self.has(&wanted, config.sha256)? {
            return Ok(Pulled {
                file,
                was_there: true,
                ..pulled
            });
        }
        check_type(&wanted, config.file_system)?;
        self.new_file(&wanted, Version::FIRST)?;
        let name = wanted.to_string();
        reporter.begin(1);
        let (partial, pulled) = self.fetch(&client, &contents, order, pulled, &|stage: &str| {
            reporter.stage(&name, stage);
        })?;
        let file = self.take_in(partial, config, order, &pulled, &wanted, when_busy)?;
        reporter.done(&name, &pulled.summary());
        reporter.end();
        Ok(Pulled { file, ..pulled })
    }

    /// Fetches what is not here, and proves the whole.
    fn fetch(
        &self,
        client: &Client,
        contents: &Contents,
        order: &PullOrder,
        pulled: Pulled,
        stage: &(dyn Fn(&str) + Sync),
    ) -> Result<(Partial, Pulled), TemplateError> {
        let config = &contents.config;
        partial::forget_old(self.directory(), order.time)?;
        let partial = Partial::open(self.directory(), pulled.manifest_sha256, config.len_bytes)?;
        partial.ensure_room(config.data_bytes())?;
        let came = Came::default();
        self.fill(client, contents, &partial, &came, stage)?;
        stage("prove");
        prove(&partial, config)?;
        let pulled = Pulled {
            fetched_chunks: came.chunks.into_inner(),
            fetched_bytes: came.bytes.into_inner(),
            kept_chunks: came.kept.into_inner(),
            ..pulled
        };
        Ok((partial, pulled))
    }

    /// The file that is called `wanted`, or its newest version, if it is the template with `sha256`.
    fn has(
        &self,
        wanted: &TemplateName,
        sha256: Sha256Digest,
    ) -> Result<Option<TemplateName>, TemplateError> {
        let there = match wanted.version() {
            Some(_) => Some(wanted.clone()).filter(|file| self.path_of(file).exists()),
            None => self.newest_version(wanted)?,
        };
        match there {
            Some(file) if self.find(&file.to_string())?.digest()? == sha256 => Ok(Some(file)),
            _ => Ok(None),
        }
    }

    /// Fills `partial` with the chunks of `contents`.
    fn fill(
        &self,
        client: &Client,
        contents: &Contents,
        partial: &Partial,
        came: &Came,
        stage: &(dyn Fn(&str) + Sync),
    ) -> Result<(), TemplateError> {
        let older = self.newest_version(&contents.config.name)?;
        let older = older.and_then(|file| File::open(self.path_of(&file)).ok());
        let count = contents.layers.len();
        let done = AtomicUsize::new(0);
        let work = |(chunk, layer): (&Chunk, &Descriptor)| {
            let range = contents.config.range(*chunk);
            if is_here(partial, older.as_ref(), *chunk, range)? {
                came.kept.fetch_add(1, Ordering::Relaxed);
            } else {
                chunk::fetch(client, layer, *chunk, range, &partial.file, partial.is_used)?;
                came.chunks.fetch_add(1, Ordering::Relaxed);
                came.bytes.fetch_add(layer.size, Ordering::Relaxed);
            }
            let number = done.fetch_add(1, Ordering::Relaxed).saturating_add(1);
            stage(&format!("chunk {number} of {count}"));
            Ok::<(), OciError>(())
        };
        let all = contents.config.chunks.par_iter().zip(&contents.layers);
        let filled: Result<(), OciError> = workers::pool()?.install(|| all.try_for_each(work));
        Ok(filled?)
    }

    /// Gives the proved template its name, and records it.
    fn take_in(
        &self,
        partial: Partial,
        config: &Config,
        order: &PullOrder,
        pulled: &Pulled,
        wanted: &TemplateName,
        when_busy: impl FnOnce(),
    ) -> Result<TemplateName, TemplateError> {
        let partition = config.root_partition.map(|number| number.to_string());
        let probed = probe(&partial.file, &partial.path, partition.as_deref());
        let probed = probed.and_then(|found| check_type(wanted, found.file_type).map(|()| found));
        // Another try would bring the same.
        let file_system = probed.inspect_err(|_| partial.discard())?;
        let lock = self.lock(when_busy)?;
        let file = self.new_file(wanted, Version::FIRST)?;
        let content = AtomicFile::adopt(partial.file, partial.path, &self.path_of(&file));
        let made = Made {
            file,
            sha256: config.sha256,
            file_system,
            message: config.message.clone(),
            source: Source::Pulled(PulledFrom {
                reference: order.from.to_string(),
                manifest_sha256: pulled.manifest_sha256,
                signer: pulled.signer.clone(),
                definition: config.definition.clone(),
                lineage: config.lineage.clone(),
            }),
            time: order.time,
        };
        Ok(self.keep(&lock, content, made)?.file)
    }
}

impl Pulled {
    fn summary(&self) -> String {
        format!(
            "{} of {} chunks fetched, {} bytes",
            self.fetched_chunks,
            self.fetched_chunks + self.kept_chunks,
            self.fetched_bytes
        )
    }
}

/// The manifest that is asked for.
fn manifest(client: &Client, from: &Reference) -> Result<Fetched, OciError> {
    let name = match from.target() {
        Target::Unnamed => DEFAULT_TAG.to_owned(),
        Target::Tag(tag) => tag.clone(),
        Target::Digest(digest) => BlobDigest(*digest).to_string(),
    };
    client
        .manifest(&name)?
        .ok_or_else(|| OciError::NotFound(from.to_string()))
}

/// Whether a chunk is in `partial`, if need be copied from an older version.
fn is_here(
    partial: &Partial,
    older: Option<&File>,
    chunk: Chunk,
    range: chunk::Range,
) -> Result<bool, OciError> {
    if partial.is_used
        && chunk::is_there(&partial.file, range, chunk.sha256)
            .map_err(PathError::on("read", &partial.path))?
    {
        return Ok(true);
    }
    // An older version that cannot be read, or is shorter, is no help, and no harm.
    let Some(older) = older.filter(|older| chunk::is_there(older, range, chunk.sha256).unwrap_or(false))
    else {
        return Ok(false);
    };
    if partial.is_used {
        chunk::clear(&partial.file, range).map_err(OciError::Write)?;
    }
    chunk::copy_data(older, &partial.file, range).map_err(OciError::Write)?;
    // Who knows what became of the older version meanwhile.
    chunk::is_there(&partial.file, range, chunk.sha256).map_err(OciError::Write)
}

/// Holds the whole against the digest of the description; what does not fit it is given up.
fn prove(partial: &Partial, config: &Config) -> Result<(), OciError> {
    let path = &partial.path;
    let reader = File::open(path).map_err(PathError::on("open", path))?;
    let found = Sha256Digest::of_reader(reader).map_err(PathError::on("read", path))?;
    if found == config.sha256 {
        return Ok(());
    }
    partial.discard();
    Err(OciError::Digest {
        what: "template",
        expected: config.sha256,
        found,
    })
}
