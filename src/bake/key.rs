//! The digest of all that a host's files are made from: as long as it stays the same, so do they.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::error::HostError;
use super::host_plan::HostPlan;
use super::memory::{Inputs, Wish};
use super::template::Source;
use crate::base::digest::Sha256Digest;
use crate::base::{IdentityKey, PathError};
use crate::edit::{Attributes, Change, Content, Edit};

/// Makes the keys of one bake's hosts; a file that several hosts copy is read once.
#[derive(Debug)]
pub(super) struct Keys<'a> {
    /// What the machines' own numbers and keys follow from.
    identity: &'a IdentityKey,
    files: Mutex<BTreeMap<PathBuf, Sha256Digest>>,
    /// The long piece that was hashed last: the names of all machines are in a file of each.
    piece: Mutex<Option<(Arc<[u8]>, Sha256Digest)>>,
}

/// From how many bytes on a piece of a file stands in a key by its digest.
const LONG_PIECE_BYTES: usize = 4096;

/// What goes into a key: fields one after the other, each with its length before it.
#[derive(Default)]
struct Fields(Vec<u8>);

impl<'a> Keys<'a> {
    /// For a project whose machines are told apart by `identity`.
    pub(super) fn new(identity: &'a IdentityKey) -> Self {
        Self {
            identity,
            files: Mutex::default(),
            piece: Mutex::default(),
        }
    }

    /// The key of the host of `plan`, which is made from `source` in the project called `project`, and what goes into it,
    /// piece by piece.
    pub(super) fn of(
        &self,
        project: &str,
        plan: &HostPlan,
        source: &Source,
    ) -> Result<(Sha256Digest, Inputs), HostError> {
        let mut fields = Fields::default();
        let now = source.now();
        fields.text(env!("CARGO_PKG_VERSION"));
        fields.text(project);
        fields.bytes(&self.identity.to_bytes());
        fields.text(plan.name.as_str());
        fields.text(&plan.template);
        fields.text(&format!("{:?}", plan.root_partition));
        fields.text(&source.digest()?.to_string());
        fields.text(&format!("{} {}", now.seconds, now.nanoseconds));
        fields.text(plan.format.name());
        fields.text(&plan.len_bytes.to_string());
        fields.text(&format!("{:?}", plan.swap_len_bytes));
        if plan.format.is_delta() {
            // What the image says of the file that it lies over.
            let path = source.template().path();
            let path = fs::canonicalize(path).map_err(PathError::on("find", path))?;
            let modified = fs::metadata(&path).map_err(PathError::on("read", &path))?.mtime();
            fields.bytes(path.as_os_str().as_bytes());
            fields.text(&modified.to_string());
        }
        for file in &plan.launch {
            fields.text(file.name);
            fields.text(&format!("{:o}", file.mode));
            fields.text(&file.content);
        }
        fields.text(&format!("{:?}", plan.file_system_uuid));
        let wishes = self.wishes(plan, &mut fields)?;
        let launch = plan.launch.iter();
        let inputs = Inputs {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            template: source.record()?,
            format: plan.format,
            len_bytes: plan.len_bytes,
            swap_len_bytes: plan.swap_len_bytes,
            launch: launch
                .map(|file| (file.name.to_owned(), Sha256Digest::of(file.content.as_bytes())))
                .collect(),
            wishes,
        };
        Ok((Sha256Digest::of(&fields.0), inputs))
    }

    /// What is wanted of the guest's paths, which goes into `all` too.
    fn wishes(&self, plan: &HostPlan, all: &mut Fields) -> Result<BTreeMap<String, Wish>, HostError> {
        let mut wishes = BTreeMap::new();
        for edit in plan.edits.iter() {
            let mut fields = Fields::default();
            self.edit(&mut fields, edit)?;
            let state = Sha256Digest::of(&fields.0);
            all.bytes(&state.first::<32>());
            let link = match &edit.change {
                Change::Symlink { target, .. } => Some(String::from_utf8_lossy(target).into_owned()),
                _ => None,
            };
            let wish = Wish {
                state,
                content: None,
                link,
            };
            wishes.insert(edit.path.to_string(), wish);
        }
        Ok(wishes)
    }

    fn edit(&self, fields: &mut Fields, edit: &Edit) -> Result<(), HostError> {
        fields.bytes(edit.path.as_bytes());
        match &edit.change {
            Change::File { content, attributes } => {
                fields.text("file");
                fields.attributes(*attributes);
                match content {
                    Content::Bytes(bytes) => fields.bytes(bytes),
                    Content::Joined(pieces) => {
                        fields.text(&format!("{} pieces", pieces.len()));
                        pieces.iter().for_each(|piece| self.piece(fields, piece));
                    }
                    Content::HostFile { path, len_bytes } => {
                        fields.text(&format!("{len_bytes} {}", self.file_digest(path)?));
                    }
                }
            }
            Change::Directory { attributes } => {
                fields.text("directory");
                fields.attributes(*attributes);
            }
            Change::Symlink { target, attributes } => {
                fields.text("symlink");
                fields.attributes(*attributes);
                fields.bytes(target);
            }
            Change::Absent => fields.text("absent"),
        }
        Ok(())
    }

    /// A piece of a file's content; a long one, which many hosts share, is hashed once.
    fn piece(&self, fields: &mut Fields, piece: &Arc<[u8]>) {
        if piece.len() < LONG_PIECE_BYTES {
            return fields.bytes(piece);
        }
        let mut last = self.piece.lock().unwrap_or_else(PoisonError::into_inner);
        let digest = match &*last {
            Some((known, digest)) if Arc::ptr_eq(known, piece) => *digest,
            _ => Sha256Digest::of(piece),
        };
        *last = Some((Arc::clone(piece), digest));
        fields.bytes(&digest.first::<32>());
    }

    fn file_digest(&self, path: &Path) -> Result<Sha256Digest, HostError> {
        let files = || self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(digest) = files().get(path) {
            return Ok(*digest);
        }
        let digest = File::open(path)
            .and_then(Sha256Digest::of_reader)
            .map_err(PathError::on("read", path))?;
        files().insert(path.to_path_buf(), digest);
        Ok(digest)
    }
}

impl Fields {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(&bytes.len().to_be_bytes());
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn attributes(&mut self, attributes: Attributes) {
        self.text(&format!("{attributes:?}"));
    }
}
