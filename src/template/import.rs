//! Taking an image that exists already into the store.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::copy::copy_sparse;
use super::error::TemplateError;
use super::name::{TemplateName, TemplateType, Version};
use super::opened::Identity;
use super::probe::{FileSystem, probe};
use super::registry::{Entry, Lineage, Registry, Source, StoreLock};
use super::store::Store;
use crate::base::atomic::Durability;
use crate::base::digest::Sha256Digest;
use crate::base::{AtomicFile, PathError, Timestamp};

/// The mode of a template's file: whoever wants to write into one has to say so.
const TEMPLATE_MODE: u32 = 0o444;

/// What to take into the store, and how to call it.
#[derive(Debug, Clone)]
pub struct ImportOrder {
    /// The image.
    pub file: PathBuf,
    /// Its name there; without a version it gets the next one.
    pub name: TemplateName,
    /// Words for the list.
    pub message: String,
    /// The root partition of a whole disk: its number, PARTUUID or label; `None` where it is clear.
    pub partition: Option<String>,
    /// What it was baked from, if it is the image of a host.
    pub lineage: Option<Lineage>,
    /// When it is recorded to have come.
    pub time: Timestamp,
}

impl Store {
    /// Copies an image into the store; `when_busy` is called once if another process changes the store meanwhile.
    ///
    /// Refused are files that are no ext file system, truncated, not clean, of another type than the name says, or
    /// changed while they were copied.
    pub fn import(&self, order: &ImportOrder, when_busy: impl FnOnce()) -> Result<Entry, TemplateError> {
        let path = &order.file;
        let from = File::open(path).map_err(PathError::on("open", path))?;
        let before = Identity::of(&from.metadata().map_err(PathError::on("read", path))?);
        let file_system = probe(&from, path, order.partition.as_deref())?;
        check_type(&order.name, file_system.file_type)?;

        let lock = self.lock(when_busy)?;
        let file = self.new_file(&order.name, Version::FIRST)?;
        let to = AtomicFile::create(&self.path_of(&file))?;
        let sha256 = copy_sparse(&from, to.file()).map_err(PathError::on("copy", path))?;
        let after = Identity::of(&fs::metadata(path).map_err(PathError::on("read", path))?);
        if before != after {
            return Err(TemplateError::Changed { path: path.clone() });
        }
        let source = match &order.lineage {
            Some(lineage) => Source::Baked(lineage.clone()),
            None => Source::Imported(fs::canonicalize(path).map_err(PathError::on("find", path))?),
        };
        let made = Made {
            file,
            sha256,
            file_system,
            message: order.message.clone(),
            source,
            time: order.time,
        };
        self.keep(&lock, to, made)
    }

    /// The full name of a new file called `name`: the version it says, or the next one; never one that is taken.
    pub(super) fn new_file(
        &self,
        name: &TemplateName,
        first: Version,
    ) -> Result<TemplateName, TemplateError> {
        let version = match name.version() {
            Some(version) => version,
            None => self.next_version(name, first)?,
        };
        let file = name.with_version(version);
        if self.path_of(&file).exists() {
            return Err(TemplateError::Exists(file));
        }
        Ok(file)
    }

    /// Gives the finished file `content` its name and records it.
    pub(super) fn keep(
        &self,
        lock: &StoreLock,
        content: AtomicFile,
        made: Made,
    ) -> Result<Entry, TemplateError> {
        let path = self.path_of(&made.file);
        let on_file = |action| PathError::on(action, &path);
        content
            .file()
            .set_permissions(Permissions::from_mode(TEMPLATE_MODE))
            .map_err(on_file("set the mode of"))?;
        let metadata = content.file().metadata().map_err(on_file("read"))?;
        let identity = Identity::of(&metadata);
        content.persist(Durability::Sync)?;
        let entry = Entry {
            name: made.file.without_version(),
            version: made.file.version().unwrap_or(Version::FIRST),
            file: made.file,
            len_bytes: identity.len_bytes,
            modified: identity.modified,
            sha256: made.sha256,
            file_system: made.file_system.file_type,
            root_partition: made.file_system.partition,
            features: made.file_system.features,
            message: made.message,
            source: made.source,
            added_seconds: made.time.seconds,
        };
        Registry::update(lock, |registry| {
            registry.0.insert(entry.file.clone(), entry.clone());
        })?;
        Ok(entry)
    }
}

/// A finished template, before it has its name.
#[derive(Debug)]
pub(super) struct Made {
    /// Its full name.
    pub(super) file: TemplateName,
    /// The digest of the content.
    pub(super) sha256: Sha256Digest,
    /// The file system in it.
    pub(super) file_system: FileSystem,
    /// Words for the list.
    pub(super) message: String,
    /// Where it came from.
    pub(super) source: Source,
    /// When it came.
    pub(super) time: Timestamp,
}

/// The name under which `path` would be imported unless the user gives one: its own, when that is a template's name,
/// else its stem with the type of the file system in it.
pub fn default_name(path: &Path, partition: Option<&str>) -> Result<TemplateName, TemplateError> {
    let own = path.file_name().unwrap_or_default().to_string_lossy();
    if let Ok(name) = own.parse() {
        return Ok(name);
    }
    let file = File::open(path).map_err(PathError::on("open", path))?;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    Ok(TemplateName::new(
        &stem,
        probe(&file, path, partition)?.file_type,
    )?)
}

/// Refuses a name that ends in another type than the file system has.
pub(super) fn check_type(name: &TemplateName, found: TemplateType) -> Result<(), TemplateError> {
    let expected = name.file_type();
    if expected == TemplateType::Img || expected == found {
        return Ok(());
    }
    Err(TemplateError::WrongType {
        name: name.clone(),
        expected,
        found,
    })
}
