//! Building templates from a definition, straight into the store.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use super::debian::{self, DebianOrder};
use super::definition::{DebianDefinition, Definition, DefinitionContent};
use super::error::TemplateError;
use super::import::Made;
use super::name::{TemplateName, TemplateType, Version};
use super::pack::{self, PackedImage, whole_blocks};
use super::probe::probe;
use super::registry::{Entry, Source, StoreLock};
use super::skeleton::{Skeleton, SkeletonDefinition};
use super::store::Store;
use super::times::settle_times;
use super::tools::BuildHost;
use crate::base::atomic::PARTIAL_SUFFIX;
use crate::base::cleanup::Temporary;
use crate::base::digest::Sha256Digest;
use crate::base::report::Reporter;
use crate::base::{AtomicFile, ByteSize, PathError, Timestamp};
use crate::block::{BlockDevice, FileDevice};

/// The directory that trees are unpacked over. It stays empty: what is mounted there vanishes with the build.
const TREE_DIRECTORY: &str = ".tree";

/// What to build.
#[derive(Debug, Clone)]
pub struct BuildOrder {
    /// How it is made.
    pub definition: Definition,
    /// The file systems to make; empty for those of the definition.
    pub types: Vec<TemplateType>,
    /// Their size; `None` for the definition's.
    pub size: Option<ByteSize>,
    /// The archive to use instead of the host's.
    pub mirror: Option<String>,
    /// When the templates are recorded to have come.
    pub time: Timestamp,
    /// What nothing inside them is newer than (`SOURCE_DATE_EPOCH`).
    pub content_time: Timestamp,
}

impl Store {
    /// Builds one template for each wanted type, all from one installation, and keeps them as new versions. What comes
    /// out equal to the newest version, byte for byte, is that version and no new one.
    ///
    /// Another process that wants to change the store waits meanwhile. `reporter` hears the steps.
    pub fn build(
        &self,
        order: &BuildOrder,
        host: &BuildHost,
        reporter: &dyn Reporter,
    ) -> Result<Vec<Entry>, TemplateError> {
        let name = &order.definition.name;
        reporter.begin(1);
        let outcome = self.build_all(order, host, &|step| reporter.stage(name, step));
        match &outcome {
            Ok(entries) => {
                let files: Vec<String> = entries.iter().map(|entry| entry.file.to_string()).collect();
                reporter.done(name, &files.join(" "));
            }
            Err(error) => reporter.failed(name, &error.to_string()),
        }
        reporter.end();
        outcome
    }

    fn build_all(
        &self,
        order: &BuildOrder,
        host: &BuildHost,
        stage: &dyn Fn(&str),
    ) -> Result<Vec<Entry>, TemplateError> {
        let definition = &order.definition;
        let types = if order.types.is_empty() {
            &definition.types
        } else {
            &order.types
        };
        let names: Result<Vec<TemplateName>, _> = types
            .iter()
            .map(|file_type| definition.template_name(*file_type))
            .collect();
        let names = names?;
        if matches!(definition.content, DefinitionContent::Debian(_)) {
            debian::check_host(host)?;
            host.require(&pack::PROGRAMS)?;
        }
        let lock = self.lock(|| stage("waits for another process that changes the store"))?;
        // Other programs run elsewhere, so that they need the whole path.
        let directory = self.directory();
        let whole = fs::canonicalize(directory).map_err(PathError::on("find", directory))?;
        let store = Self::open(whole);
        let images = store.empty_images(&names, order.size.unwrap_or(definition.size))?;
        match &definition.content {
            DefinitionContent::Debian(content) => store.fill_debian(&images, content, order, host, stage)?,
            DefinitionContent::Skeleton(content) => fill_skeleton(&images, content, order)?,
        }
        stage("computes digests");
        let entries = images
            .into_iter()
            .map(|(file, image)| store.keep_built(&lock, file, image, order));
        entries.collect()
    }

    fn fill_debian(
        &self,
        images: &[(TemplateName, AtomicFile)],
        content: &DebianDefinition,
        order: &BuildOrder,
        host: &BuildHost,
        stage: &dyn Fn(&str),
    ) -> Result<(), TemplateError> {
        let archive = self.temporary(&format!("{}.tar", order.definition.name));
        let debian_order = DebianOrder {
            mirror: order.mirror.as_deref(),
            content_seconds: order.content_time.seconds,
            host,
        };
        debian::make_archive(content, debian_order, archive.path(), stage)?;
        stage("makes the file systems");
        let packed: Vec<PackedImage> = images.iter().map(|(name, image)| packed(name, image)).collect();
        let tree = self.tree_directory()?;
        pack::make_images(archive.path(), &tree, &packed, order.content_time.seconds, host)?;
        for (_, image) in images {
            settle_times(device_of(image)?, order.content_time).map_err(|source| TemplateError::Ext {
                path: image.temporary_path().to_path_buf(),
                source,
            })?;
        }
        Ok(())
    }

    /// A file of the store's directory that vanishes when the build is over.
    fn temporary(&self, name: &str) -> Temporary {
        Temporary::register(self.directory().join(format!("{name}{PARTIAL_SUFFIX}")))
    }

    /// One unfinished file of `size` for each of `names`, with the version it will have.
    fn empty_images(
        &self,
        names: &[TemplateName],
        size: ByteSize,
    ) -> Result<Vec<(TemplateName, AtomicFile)>, TemplateError> {
        let mut images = Vec::new();
        for name in names {
            let file = self.new_file(name, Version::FIRST)?;
            let image = AtomicFile::create(&self.path_of(&file))?;
            let sized = image.file().set_len(whole_blocks(size).0);
            sized.map_err(PathError::on("make room in", image.temporary_path()))?;
            images.push((file, image));
        }
        Ok(images)
    }

    fn tree_directory(&self) -> Result<PathBuf, TemplateError> {
        let tree = self.directory().join(TREE_DIRECTORY);
        match fs::create_dir(&tree) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                Err(PathError::on("create the directory", &tree)(error).into())
            }
            _ => Ok(tree),
        }
    }

    fn keep_built(
        &self,
        lock: &StoreLock,
        file: TemplateName,
        image: AtomicFile,
        order: &BuildOrder,
    ) -> Result<Entry, TemplateError> {
        let sha256 = synced_digest(&image)?;
        let newest = self
            .newest_version(&file)?
            .map(|newest| self.find(&newest.to_string()));
        if let Some(entry) = newest.transpose()?.and_then(|newest| newest.entry().cloned())
            && entry.sha256 == sha256
        {
            return Ok(entry);
        }
        let made = Made {
            sha256,
            file_system: probe(image.file(), image.temporary_path(), None)?,
            file,
            message: order.definition.description.clone(),
            source: Source::Built(order.definition.name.clone()),
            time: order.time,
        };
        self.keep(lock, image, made)
    }
}

/// Fills `images` with the plain files of `content`, in this process.
fn fill_skeleton(
    images: &[(TemplateName, AtomicFile)],
    content: &SkeletonDefinition,
    order: &BuildOrder,
) -> Result<(), TemplateError> {
    let skeleton = Skeleton::read(content, order.definition.file.as_deref())?;
    for (name, image) in images {
        skeleton.make_image(
            name,
            &device_of(image)?,
            Timestamp::from_seconds(content.seconds.into()),
        )?;
    }
    Ok(())
}

/// The unfinished file as a device to write to.
pub(super) fn device_of(image: &AtomicFile) -> Result<Arc<dyn BlockDevice>, TemplateError> {
    let file = image.file().try_clone();
    let device = file
        .and_then(|file| FileDevice::from_file(file, true))
        .map_err(PathError::on("open", image.temporary_path()))?;
    Ok(Arc::new(device))
}

fn packed(name: &TemplateName, image: &AtomicFile) -> PackedImage {
    PackedImage {
        name: name.clone(),
        file_type: name.file_type(),
        file: image.temporary_path().to_path_buf(),
    }
}

/// The digest of the finished file, which is computed while the disk takes its bytes.
pub(super) fn synced_digest(image: &AtomicFile) -> Result<Sha256Digest, TemplateError> {
    let path = image.temporary_path();
    let digest = || {
        let file = fs::File::open(path).map_err(PathError::on("open", path))?;
        Sha256Digest::of_reader(file).map_err(PathError::on("read", path))
    };
    let (synced, digest) = rayon::join(|| image.file().sync_data(), digest);
    synced.map_err(PathError::on("sync", path))?;
    Ok(digest?)
}
