//! A template on its way to a registry: only what is not there is sent.

use std::fs::File;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use rayon::prelude::*;

use super::super::error::TemplateError;
use super::super::opened::Template;
use super::super::registry::{Entry, Source};
use super::super::store::Store;
use super::access::Access;
use super::chunk::Packer;
use super::client::Client;
use super::contents::{CHUNK_LENGTHS, CHUNKS_MAX, Chunk, Config, TEMPLATE_MAX, range};
use super::document::{BlobDigest, Descriptor, Manifest, media_type};
use super::error::OciError;
use super::reference::{DEFAULT_TAG, Reference, Target};
use super::repository::Fetched;
use super::signature::{self, SigningKey};
use super::workers;
use crate::base::digest::Sha256Digest;
use crate::base::report::Reporter;
use crate::base::{ByteSize, PathError};

/// What to send, and where.
#[derive(Debug)]
pub struct PushOrder {
    /// The template, as projects call it or with a version.
    pub name: String,
    /// Where it goes.
    pub to: Reference,
    /// How the registry is spoken to.
    pub access: Access,
    /// What to sign it with.
    pub key: Option<SigningKey>,
}

/// What was sent.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Pushed {
    /// The template's file.
    pub file: String,
    /// Where it can be had, by its digest.
    pub reference: String,
    /// The tags that it has now.
    pub tags: Vec<String>,
    /// How many blobs were sent.
    pub sent_blobs: usize,
    /// And how many bytes they were.
    pub sent_bytes: u64,
    /// How many blobs were there already.
    pub kept_blobs: usize,
    /// The key that it is signed with.
    pub signer: Option<String>,
}

/// Counts what is sent by several threads.
#[derive(Debug, Default)]
struct Sent {
    blobs: AtomicUsize,
    bytes: AtomicU64,
    kept: AtomicUsize,
}

impl Store {
    /// Sends a template to a registry.
    pub fn push(&self, order: &PushOrder, reporter: &dyn Reporter) -> Result<Pushed, TemplateError> {
        let template = self.find(&order.name)?;
        let tags = tags(&order.to, &template)?;
        reporter.begin(1);
        let name = template.name().to_string();
        reporter.stage(&name, "prove");
        let sha256 = template.verify_digest()?;
        let client = Client::connect(&order.to, &order.access, "pull,push")?;
        let sent = Sent::default();
        let config = config_of(&template, sha256)?;
        let stage = |text: &str| reporter.stage(&name, text);
        let (config, layers) = send_chunks(&client, &template, config, &sent, &stage)?;
        template.ensure_unchanged()?;
        let manifest = send_manifest(&client, &config, layers, &sent)?;
        if let Some(key) = &order.key {
            // Before anybody can find the template by a tag.
            signature::attach(&client, &manifest, key, &config.title())?;
        }
        for tag in &tags {
            client.put_manifest(tag, media_type::MANIFEST, &manifest.bytes)?;
        }
        let pushed = Pushed {
            file: name.clone(),
            reference: order.to.with_digest(manifest.digest).to_string(),
            tags,
            sent_blobs: sent.blobs.into_inner(),
            sent_bytes: sent.bytes.into_inner(),
            kept_blobs: sent.kept.into_inner(),
            signer: order.key.as_ref().map(SigningKey::id),
        };
        reporter.done(&name, &pushed.summary());
        reporter.end();
        Ok(pushed)
    }
}

impl Pushed {
    fn summary(&self) -> String {
        format!(
            "{} of {} blobs sent, {} bytes",
            self.sent_blobs,
            self.sent_blobs + self.kept_blobs,
            self.sent_bytes
        )
    }
}

impl Config {
    /// The template's name with its version.
    pub(super) fn title(&self) -> String {
        self.name.with_version(self.version).to_string()
    }
}

/// The tags that the template gets: the one that was asked for, else its version and the one that is meant without any.
fn tags(to: &Reference, template: &Template) -> Result<Vec<String>, OciError> {
    match to.target() {
        Target::Digest(_) => Err(OciError::PushByDigest(to.to_string())),
        Target::Tag(tag) => Ok(vec![tag.clone()]),
        Target::Unnamed => {
            let version = template.name().version().map(|version| version.to_string());
            Ok(version.into_iter().chain([DEFAULT_TAG.to_owned()]).collect())
        }
    }
}

/// What is known of the template, without its chunks.
fn config_of(template: &Template, sha256: Sha256Digest) -> Result<Config, TemplateError> {
    let file_system = template.file_system()?;
    let (definition, lineage) = match template.entry().map(|entry| &entry.source) {
        Some(Source::Built(definition)) => (Some(definition.clone()), None),
        Some(Source::Baked(lineage)) => (None, Some(lineage.clone())),
        Some(Source::Pulled(origin)) => (origin.definition.clone(), origin.lineage.clone()),
        Some(Source::Imported(_)) | None => (None, None),
    };
    let len_bytes = template.len_bytes();
    let message = template.entry().map(|entry: &Entry| entry.message.clone());
    let printable = |letter: &char| !letter.is_control();
    Ok(Config {
        name: template.name().without_version(),
        version: template
            .name()
            .version()
            .unwrap_or(super::super::name::Version::FIRST),
        len_bytes,
        sha256,
        file_system: file_system.file_type,
        root_partition: file_system.partition,
        features: file_system.features,
        message: message
            .unwrap_or_default()
            .chars()
            .filter(printable)
            .take(1024)
            .collect(),
        definition,
        lineage,
        chunk_len_bytes: chunk_len_of(len_bytes)?,
        chunks: Vec::new(),
    })
}

/// The length of the ranges that an image of `len_bytes` is cut into.
fn chunk_len_of(len_bytes: u64) -> Result<u64, OciError> {
    if len_bytes > TEMPLATE_MAX {
        return Err(OciError::TooLong {
            what: "template",
            limit: ByteSize(TEMPLATE_MAX),
        });
    }
    let most = u64::try_from(CHUNKS_MAX).unwrap_or(u64::MAX);
    let fits = |length: &&u64| len_bytes <= length.saturating_mul(most);
    let [.., longest] = CHUNK_LENGTHS;
    Ok(CHUNK_LENGTHS.iter().find(fits).copied().unwrap_or(longest))
}

/// Sends every range that is not zeros, and notes it in the description.
fn send_chunks(
    client: &Client,
    template: &Template,
    mut config: Config,
    sent: &Sent,
    stage: &(dyn Fn(&str) + Sync),
) -> Result<(Config, Vec<Descriptor>), TemplateError> {
    let path = template.path();
    let image = File::open(path).map_err(PathError::on("open", path))?;
    let count = config.len_bytes.div_ceil(config.chunk_len_bytes);
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let done = AtomicUsize::new(0);
    let (len_bytes, chunk_len_bytes) = (config.len_bytes, config.chunk_len_bytes);
    let work = |packer: &mut Result<Packer, std::io::Error>, index: u32| {
        let read = || PathError::on("read", path);
        let packer = packer
            .as_mut()
            .map_err(|error| read()(std::io::Error::other(error.to_string())))?;
        let packed = packer
            .pack(&image, range(len_bytes, chunk_len_bytes, index))
            .map_err(read())?;
        let layer = match packed {
            None => None,
            Some((sha256, bytes)) => {
                let layer = Descriptor::of(media_type::CHUNK, bytes);
                send(client, &layer.digest, bytes, sent)?;
                Some((Chunk { index, sha256 }, layer))
            }
        };
        let number = done.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        stage(&format!("chunk {number} of {count}"));
        Ok(layer)
    };
    let layers: Result<Vec<_>, TemplateError> =
        workers::pool()?.install(|| (0..count).into_par_iter().map_init(Packer::new, work).collect());
    let (chunks, layers): (Vec<Chunk>, Vec<Descriptor>) = layers?.into_iter().flatten().unzip();
    if chunks.len() > CHUNKS_MAX {
        let limit = ByteSize(
            u64::try_from(CHUNKS_MAX)
                .unwrap_or(u64::MAX)
                .saturating_mul(chunk_len_bytes),
        );
        let what = "data in the template";
        return Err(OciError::TooLong { what, limit }.into());
    }
    config.chunks = chunks;
    Ok((config, layers))
}

/// Sends the description, and then, under its digest, the manifest.
fn send_manifest(
    client: &Client,
    config: &Config,
    layers: Vec<Descriptor>,
    sent: &Sent,
) -> Result<Fetched, OciError> {
    let bytes = serde_json::to_vec(config).expect("texts and numbers are always JSON");
    let descriptor = Descriptor::of(media_type::TEMPLATE_CONFIG, &bytes);
    send(client, &descriptor.digest, &bytes, sent)?;
    let mut manifest = Manifest::new(media_type::TEMPLATE, descriptor, layers);
    manifest.annotations = [
        ("org.opencontainers.image.title", config.title()),
        ("org.opencontainers.image.version", config.version.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let bytes = manifest.to_bytes();
    let digest = Sha256Digest::of(&bytes);
    client.put_manifest(&BlobDigest(digest).to_string(), media_type::MANIFEST, &bytes)?;
    Ok(Fetched { bytes, digest })
}

/// Sends a blob unless it is there.
fn send(client: &Client, digest: &BlobDigest, bytes: &[u8], sent: &Sent) -> Result<(), OciError> {
    if client.has_blob(digest)? {
        sent.kept.fetch_add(1, Ordering::Relaxed);
        return Ok(());
    }
    client.put_blob(digest, bytes)?;
    sent.blobs.fetch_add(1, Ordering::Relaxed);
    let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    sent.bytes.fetch_add(len, Ordering::Relaxed);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_as_short_as_their_number_allows() {
        const GIB: u64 = 1 << 30;
        for (len_bytes, expected) in [
            (1, 16),
            (64 * GIB, 16),
            (64 * GIB + 1, 32),
            (200 * GIB, 64),
            (1024 * GIB, 64),
        ] {
            assert_eq!(chunk_len_of(len_bytes).unwrap(), expected << 20, "{len_bytes}");
        }
        chunk_len_of(1024 * GIB + 1).unwrap_err();
    }
}
