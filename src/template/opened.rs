//! A template that is in use: an open file that nobody may change meanwhile.

use std::fs::{self, File, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::error::TemplateError;
use super::name::TemplateName;
use super::probe::{FileSystem, probe};
use super::registry::Entry;
use crate::base::PathError;
use crate::base::digest::Sha256Digest;
use crate::block::FileDevice;

/// A template of the store, opened for reading.
///
/// The open file stays the same when the store gets a newer version, or when the file's name is given to another; what
/// would hurt is a write into the file itself, and [`Template::ensure_unchanged`] notices that.
#[derive(Debug)]
pub struct Template {
    name: TemplateName,
    path: PathBuf,
    file: File,
    identity: Identity,
    entry: Option<Entry>,
}

/// What tells a file from another and from an older state of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
    pub(super) len_bytes: u64,
    pub(super) modified: (i64, i64),
}

impl Identity {
    /// The identity that a file's metadata give.
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            len_bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

impl Template {
    /// Opens the template `name` at `path`; `entry` is what the store recorded of that file, if it did.
    pub(super) fn open(
        name: TemplateName,
        path: PathBuf,
        entry: Option<Entry>,
    ) -> Result<Self, TemplateError> {
        let file = File::open(&path).map_err(PathError::on("open", &path))?;
        let metadata = file.metadata().map_err(PathError::on("read", &path))?;
        let identity = Identity::of(&metadata);
        let entry = entry.filter(|entry| entry.describes(identity));
        Ok(Self {
            name,
            path,
            file,
            identity,
            entry,
        })
    }

    /// The name of the template's file, with the version if it has one.
    pub fn name(&self) -> &TemplateName {
        &self.name
    }

    /// Where the file lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's length in bytes.
    pub fn len_bytes(&self) -> u64 {
        self.identity.len_bytes
    }

    /// What the store recorded of this file; `None` for one that was only put there, or has changed since.
    pub fn entry(&self) -> Option<&Entry> {
        self.entry.as_ref()
    }

    /// The root partition that was recorded; `None` where nothing is known, or the file is no whole disk.
    pub fn root_partition(&self) -> Option<String> {
        let recorded = self.entry.as_ref().and_then(|entry| entry.root_partition);
        recorded.map(|number| number.to_string())
    }

    /// The template's bytes, for reading.
    pub fn device(&self) -> Result<FileDevice, TemplateError> {
        let file = self.file.try_clone();
        let device = file.and_then(|file| FileDevice::from_file(file, false));
        Ok(device.map_err(PathError::on("read", &self.path))?)
    }

    /// The file system in it; refuses one that no bake can start from.
    pub fn file_system(&self) -> Result<FileSystem, TemplateError> {
        probe(&self.file, &self.path, self.root_partition().as_deref())
    }

    /// The digest of the whole file: the recorded one while length and time of change agree with the record, else
    /// computed.
    pub fn digest(&self) -> Result<Sha256Digest, TemplateError> {
        match &self.entry {
            Some(entry) => Ok(entry.sha256),
            None => self.compute_digest(),
        }
    }

    /// Reads the whole file and compares it with the record, where there is one.
    pub fn verify_digest(&self) -> Result<Sha256Digest, TemplateError> {
        let found = self.compute_digest()?;
        match &self.entry {
            Some(entry) if entry.sha256 != found => Err(TemplateError::DigestDiffers {
                path: self.path.clone(),
                found,
                recorded: entry.sha256,
            }),
            _ => Ok(found),
        }
    }

    /// Checks at the price of two look-ups that the file is as it was when it was opened, by length, time of change
    /// and inode number.
    pub fn ensure_unchanged(&self) -> Result<(), TemplateError> {
        let open = self.file.metadata().map_err(PathError::on("read", &self.path))?;
        let named = fs::metadata(&self.path).map_err(PathError::on("read", &self.path))?;
        if [open, named]
            .iter()
            .all(|metadata| Identity::of(metadata) == self.identity)
        {
            return Ok(());
        }
        Err(TemplateError::Changed {
            path: self.path.clone(),
        })
    }

    fn compute_digest(&self) -> Result<Sha256Digest, TemplateError> {
        // A handle of its own, so that two threads do not share a reading position.
        let file = File::open(&self.path).map_err(PathError::on("open", &self.path))?;
        let digest = Sha256Digest::of_reader(file).map_err(PathError::on("read", &self.path))?;
        self.ensure_unchanged()?;
        Ok(digest)
    }
}
