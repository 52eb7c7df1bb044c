//! Taking a tree of files into the store: an archive, a container image or a directory becomes a file system there.

use super::build::{device_of, synced_digest};
use super::error::TemplateError;
use super::import::Made;
use super::name::{TemplateName, TemplateType, Version};
use super::pack::identifier;
use super::probe::probe;
use super::registry::{Entry, Source};
use super::rootfs::{Builder, Target, TreeSource, fill};
use super::store::Store;
use crate::base::{AtomicFile, ByteSize, PathError, Timestamp};
use crate::ext::ExtKind;

/// What tree to take into the store, and what to make of it.
#[derive(Debug, Clone)]
pub struct TreeOrder {
    /// Where it comes from.
    pub source: TreeSource,
    /// Its name there, whose end is the file system's type; without a version it gets the next one.
    pub name: TemplateName,
    /// The file system's length; `None` for what fits and some room.
    pub size: Option<ByteSize>,
    /// Which image of an OCI index, as `linux/amd64`.
    pub platform: String,
    /// Words for the list.
    pub message: String,
    /// When it is recorded to have come.
    pub time: Timestamp,
}

impl Store {
    /// Makes a file system of a tree of files; `when_busy` is called once if another process changes the store
    /// meanwhile. The same tree under the same name gives the same bytes.
    pub fn import_tree(&self, order: &TreeOrder, when_busy: impl FnOnce()) -> Result<Entry, TemplateError> {
        let kind = match order.name.file_type() {
            TemplateType::Ext2 => ExtKind::Ext2,
            TemplateType::Ext3 => ExtKind::Ext3,
            TemplateType::Ext4 | TemplateType::Img => ExtKind::Ext4,
        };
        let origin = order.source.shown();
        let failed = |source| TemplateError::Tree {
            origin: origin.display().to_string(),
            source: Box::new(source),
        };
        let lock = self.lock(when_busy)?;
        let file = self.new_file(&order.name, Version::FIRST)?;
        let to = AtomicFile::create(&self.path_of(&file))?;
        let target = Target {
            kind,
            size: order.size,
            uuid: identifier(&file, "uuid").into_bytes(),
            hash_seed: identifier(&file, "hash seed").into_bytes(),
        };
        let mut builder = Builder::new(device_of(&to)?, &target).map_err(failed)?;
        fill(&mut builder, &order.source, &order.platform).map_err(failed)?;
        builder.finish().map_err(failed)?;
        let made = Made {
            sha256: synced_digest(&to)?,
            file_system: probe(to.file(), to.temporary_path(), None)?,
            file,
            message: order.message.clone(),
            source: Source::Imported(std::path::absolute(&origin).map_err(PathError::on("find", &origin))?),
            time: order.time,
        };
        self.keep(&lock, to, made)
    }
}
