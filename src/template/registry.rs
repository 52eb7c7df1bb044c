//! `templates.toml`, the record of what lies in a template directory, and the lock under which it is rewritten.
//!
//! The record is a help, not the truth: a template is whatever file has a template's name. An entry whose file has gone
//! or changed is tolerated, and said when someone lists the store.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use super::error::TemplateError;
use super::name::{TemplateName, TemplateType, Version};
use super::opened::Identity;
use crate::base::atomic::{self, Durability};
use crate::base::digest::Sha256Digest;
use crate::base::{PathError, Timestamp};

/// The record's file name.
pub(super) const REGISTRY_FILE: &str = "templates.toml";

/// The file whose lock whoever changes the store holds; it is never removed.
const LOCK_FILE: &str = "templates.lock";

/// What the record opens with, for those who look into it.
const HEADER: &str =
    "# Templates in this directory, as mln-image recorded them. Files need no entry here to be found.\n\n";

/// What is recorded of one template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What projects call it, such as `debian-12.ext3`.
    pub name: TemplateName,
    /// The file in the directory, such as `debian-12-V1.0.ext3`.
    pub file: TemplateName,
    /// Its version.
    pub version: Version,
    /// The file's length in bytes.
    pub len_bytes: u64,
    /// When the file was last changed: seconds since the epoch and nanoseconds.
    pub modified: (i64, i64),
    /// The digest of the whole file.
    pub sha256: Sha256Digest,
    /// The file system's true type, whatever the name ends in.
    pub file_system: TemplateType,
    /// The number of the root partition; `None` where the file is no whole disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_partition: Option<u32>,
    /// The names of the file system's features, as mke2fs has them.
    pub features: Vec<String>,
    /// The words that its maker gave it.
    pub message: String,
    /// Where it came from.
    pub source: Source,
    /// When it came into the store, in seconds since the epoch.
    pub added_seconds: i64,
}

/// Where a template came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A file that the user had.
    Imported(PathBuf),
    /// A definition of this name.
    Built(String),
    /// The image of a baked host.
    Baked(Lineage),
    /// A registry.
    Pulled(PulledFrom),
}

/// Where a template lay in a registry, and what was known of it there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PulledFrom {
    /// The place that was asked for.
    pub reference: String,
    /// The digest of the manifest that lay there.
    pub manifest_sha256: Sha256Digest,
    /// The trusted key that it was signed with, where one was demanded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// The definition that it was built from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
    /// What it was baked from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lineage: Option<Lineage>,
}

/// What a golden image was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    /// The template that the host was baked from: its file in the store.
    pub parent: String,
    /// The digest of that whole file.
    pub parent_sha256: Sha256Digest,
    /// The project.
    pub project: String,
    /// The digest of the project's text.
    pub project_sha256: Sha256Digest,
    /// The host.
    pub host: String,
}

impl Entry {
    /// When it came into the store.
    pub fn added(&self) -> Timestamp {
        Timestamp::from_seconds(self.added_seconds)
    }

    /// Whether the file with `identity` is still the one that was recorded, as far as one can tell without reading it.
    pub(super) fn describes(&self, identity: Identity) -> bool {
        self.len_bytes == identity.len_bytes && self.modified == identity.modified
    }
}

/// Every entry by its file's name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Registry(pub(super) BTreeMap<TemplateName, Entry>);

/// The record as it is written.
#[derive(Serialize, Deserialize)]
struct Document {
    #[serde(default, rename = "template")]
    templates: Vec<Entry>,
}

impl Registry {
    /// Reads the record of `directory`; where there is none, nothing is recorded.
    pub(super) fn read(directory: &Path) -> Result<Self, TemplateError> {
        let path = directory.join(REGISTRY_FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(PathError::on("read", &path)(error).into()),
        };
        let document: Document =
            toml::from_str(&text).map_err(|source| TemplateError::Registry { path, source })?;
        let keyed = document
            .templates
            .into_iter()
            .map(|entry| (entry.file.clone(), entry));
        Ok(Self(keyed.collect()))
    }

    /// Changes the record under `lock`, so that no other process's change is lost; it appears whole or not at all.
    pub(super) fn update(lock: &StoreLock, change: impl FnOnce(&mut Self)) -> Result<(), TemplateError> {
        let mut registry = Self::read(&lock.directory)?;
        change(&mut registry);
        let document = Document {
            templates: registry.0.into_values().collect(),
        };
        let text = toml::to_string(&document).map_err(TemplateError::RegistryForm)?;
        let path = lock.directory.join(REGISTRY_FILE);
        atomic::write(&path, format!("{HEADER}{text}").as_bytes(), Durability::Sync)?;
        Ok(())
    }
}

/// The right to change a template directory; one process at a time has it.
#[derive(Debug)]
pub(super) struct StoreLock {
    directory: PathBuf,
    // Closing the file gives the lock back, even when the process is killed.
    _file: File,
}

impl StoreLock {
    /// Makes `directory` where it is missing and waits for the lock; `when_busy` is called once if another holds it.
    /// What a killed process left unfinished in the directory is removed.
    pub(super) fn take(directory: &Path, when_busy: impl FnOnce()) -> Result<Self, TemplateError> {
        Self::take_file(directory, LOCK_FILE, when_busy)
    }

    /// The same by the file in the directory that is called `name`.
    pub(super) fn take_file(
        directory: &Path,
        name: &str,
        when_busy: impl FnOnce(),
    ) -> Result<Self, TemplateError> {
        fs::create_dir_all(directory).map_err(PathError::on("create the directory", directory))?;
        let path = directory.join(name);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(PathError::on("open", &path))?;
        let locked = match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => {
                when_busy();
                rustix::io::retry_on_intr(|| rustix::fs::flock(&file, FlockOperation::LockExclusive))
            }
            other => other,
        };
        locked.map_err(|errno| PathError::on("lock", &path)(errno.into()))?;
        atomic::remove_left_overs(directory)?;
        Ok(Self {
            directory: directory.to_path_buf(),
            _file: file,
        })
    }
}
