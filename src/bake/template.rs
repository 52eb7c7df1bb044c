//! A template as a bake uses it: opened once for all hosts, its file system parsed, and checked to stay the same.

use std::sync::{Arc, OnceLock};

use uuid::Uuid;

use super::error::HostError;
use super::guest_view::{ExtView, Known};
use super::manifest::TemplateRecord;
use crate::base::Timestamp;
use crate::base::digest::Sha256Digest;
use crate::block::{BlockDevice as _, Cached, Delta, Overlay, Shifted, redo};
use crate::disk::{Content, DiskError, FRAME_BYTES, Root, find_root, frame, probe};
use crate::ext::{ExtError, Fs, RecoveryReport};
use crate::guest::RootFileSystem;
use crate::image::{BaseImage, Ranges};
use crate::project::RootDevice;
use crate::template::{Store, Template};

/// How many units of a template's metadata are kept in memory: 4 MiB.
const CACHED_UNITS: usize = 1024;

/// A template that hosts are baked from.
#[derive(Debug)]
pub(super) struct Source {
    /// What it is called among a plan's sources.
    key: String,
    template: Template,
    device: Shifted,
    /// Whether the template is one file system, whatever is made around it.
    is_bare: bool,
    root: Root,
    fs: Fs,
    now: Timestamp,
    minimum_blocks: OnceLock<u64>,
    /// What brings the file system into the state in which it can be edited: every image begins with it.
    recovery: Delta,
    report: RecoveryReport,
    digest: OnceLock<Sha256Digest>,
    known: Known,
}

impl Source {
    /// Finds and opens the template that a project calls `name`. Edits get the time `now`, or else that of the
    /// template's own last change. `partition` names the root of a whole disk; a bare file system is put into one if
    /// `is_framed`.
    pub(super) fn open(
        key: String,
        store: &Store,
        name: &str,
        partition: Option<&str>,
        is_framed: bool,
        now: Option<Timestamp>,
    ) -> Result<Self, HostError> {
        let template = store.find(name)?;
        let file = Arc::new(template.device()?);
        if redo::has_redo(template.path()) {
            return Err(HostError::Interrupted {
                path: template.path().to_path_buf(),
            });
        }
        let recorded = template.root_partition();
        let choice = partition.or(recorded.as_deref());
        let on_disk = |source: DiskError| HostError::TemplateDisk {
            path: template.path().to_path_buf(),
            source,
        };
        let failed = |source: ExtError| HostError::TemplateFileSystem {
            path: template.path().to_path_buf(),
            source,
        };
        let is_bare = matches!(probe(&*file).map_err(on_disk)?, Content::Bare);
        let is_framed = is_framed && is_bare;
        let device = Shifted::new(file.clone(), if is_framed { FRAME_BYTES } else { 0 });
        let overlay = Arc::new(Overlay::new(Arc::new(device.clone())));
        if is_framed {
            let uuid = Uuid::from_bytes(Fs::open(file.clone()).map_err(failed)?.superblock().uuid());
            let id = |what: &str| Uuid::new_v5(&uuid, what.as_bytes());
            frame(&*overlay, file.len_bytes(), id("disk"), id("root")).map_err(on_disk)?;
        }
        let root = find_root(&*overlay, choice).map_err(on_disk)?;
        let root_device = root.on(overlay.clone()).map_err(on_disk)?;
        let last_write = Fs::open(root_device.clone())
            .map_err(failed)?
            .superblock()
            .wtime();
        let now = now.unwrap_or(last_write);
        let (fs, report) = Fs::recover(root_device, now).map_err(failed)?;
        drop(fs);
        let overlay =
            Arc::into_inner(overlay).expect("the file system alone shared the overlay, and is gone");
        let recovery = overlay.finish()?;
        let cached = Arc::new(Cached::new(Arc::new(device.clone()), CACHED_UNITS));
        let recovered = Arc::new(Overlay::with_changes(cached, &recovery));
        let fs = Fs::open_for_edit(root.on(recovered).map_err(on_disk)?, now).map_err(failed)?;
        Ok(Self {
            key,
            template,
            device,
            is_bare,
            root,
            fs,
            now,
            minimum_blocks: OnceLock::new(),
            recovery,
            report,
            digest: OnceLock::new(),
            known: Known::default(),
        })
    }

    /// What the template and its root partition are called among a plan's sources.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// What had to be done to the file system before it could be edited.
    pub(super) fn report(&self) -> RecoveryReport {
        self.report
    }

    /// A fresh overlay over `base`, which has the template's bytes, for one image and those that are forked from it.
    pub(super) fn overlay(&self, base: Arc<BaseImage>) -> Overlay {
        let cached = Arc::new(Cached::new(base, CACHED_UNITS));
        Overlay::with_changes(cached, &self.recovery)
    }

    /// Reads the whole template and prepares it for images that are copies of it.
    pub(super) fn scan(&self) -> Result<BaseImage, HostError> {
        Ok(BaseImage::scan(self.device.clone(), &self.used()?)?)
    }

    /// Prepares the template for images that lie over it.
    pub(super) fn base(&self) -> Result<BaseImage, HostError> {
        Ok(BaseImage::new(self.device.clone(), &self.used()?)?)
    }

    /// The bytes that may not be taken for free.
    fn used(&self) -> Result<Ranges, HostError> {
        let used = self
            .fs
            .used_ranges()
            .map_err(|source| HostError::TemplateFileSystem {
                path: self.template.path().to_path_buf(),
                source,
            })?;
        // What lies around the file system is not ours to judge.
        let start = self.root.range(self.device.len_bytes()).start;
        let before = 0..start;
        let behind = start.saturating_add(self.fs.superblock().len_bytes())..self.device.len_bytes();
        let used = Ranges::from_unsorted(used).shifted(start);
        Ok(Ranges::from_unsorted(used.iter().chain([before, behind])))
    }

    /// The digest of the template's file.
    pub(super) fn digest(&self) -> Result<Sha256Digest, HostError> {
        if let Some(digest) = self.digest.get() {
            return Ok(*digest);
        }
        let digest = self.template.digest()?;
        Ok(*self.digest.get_or_init(|| digest))
    }

    /// What the manifest says of the template.
    pub(super) fn record(&self) -> Result<TemplateRecord, HostError> {
        Ok(TemplateRecord {
            name: self.template.name().to_string(),
            sha256: self.digest()?,
            len_bytes: self.template.len_bytes(),
            edit_time: self.now,
        })
    }

    /// The template of the store.
    pub(super) fn template(&self) -> &Template {
        &self.template
    }

    /// How long an image is that is as long as the template: a disk around it is longer.
    pub(super) fn len_bytes(&self) -> u64 {
        self.recovery.len_bytes()
    }

    /// Whether the template is one file system, whatever is made around it.
    pub(super) fn is_bare(&self) -> bool {
        self.is_bare
    }

    /// Where in an image the root file system lies.
    pub(super) fn root(&self) -> &Root {
        &self.root
    }

    /// How long the root file system may be in an image of `image_len_bytes`.
    pub(super) fn root_len_bytes(&self, image_len_bytes: u64) -> Result<u64, HostError> {
        if self.root.partition().is_some() && image_len_bytes <= self.len_bytes() {
            return Ok(self.fs.superblock().len_bytes());
        }
        Ok(self.root.grown_len_bytes(image_len_bytes)?)
    }

    /// The least number of blocks that the template's files need; found out when first asked for.
    pub(super) fn minimum_blocks(&self) -> Result<u64, HostError> {
        if let Some(known) = self.minimum_blocks.get() {
            return Ok(*known);
        }
        let found = self
            .fs
            .minimum_blocks()
            .map_err(|source| HostError::TemplateFileSystem {
                path: self.template.path().to_path_buf(),
                source,
            })?;
        Ok(*self.minimum_blocks.get_or_init(|| found))
    }

    /// The template's file system.
    pub(super) fn fs(&self) -> &Fs {
        &self.fs
    }

    /// The template's files.
    /// The whole of the template, around which there may be a disk.
    pub(super) fn device(&self) -> &Shifted {
        &self.device
    }

    pub(super) fn view(&self) -> ExtView<'_> {
        ExtView::unchanging(&self.fs, &self.known)
    }

    /// What the file system truly is, whatever the template is called.
    pub(super) fn root_file_system(&self) -> RootFileSystem {
        match self.fs.superblock().type_name() {
            "ext2" => RootFileSystem::Ext2,
            "ext3" => RootFileSystem::Ext3,
            _ => RootFileSystem::Ext4,
        }
    }

    /// What a whole disk's root may be called in its table of file systems, the surest name first; nothing where the
    /// template is no whole disk. In one that is made around it, the root is called by its device, as it is without.
    pub(super) fn root_names(&self, devices: RootDevice) -> Vec<String> {
        let Some(partition) = self.root.partition() else {
            return Vec::new();
        };
        if self.is_bare {
            return vec![format!("{}{}", devices.disk(0), partition.number)];
        }
        let uuid = Uuid::from_bytes(self.fs.superblock().uuid());
        let mut names = vec![format!("UUID={uuid}"), format!("PARTUUID={}", partition.partuuid)];
        names.push(format!("/dev/disk/by-uuid/{uuid}"));
        names.push(format!("/dev/disk/by-partuuid/{}", partition.partuuid));
        for (tag, name) in [("LABEL", &partition.volume_name), ("PARTLABEL", &partition.label)] {
            if !name.is_empty() {
                names.push(format!("{tag}={name}"));
                names.push(format!("/dev/disk/by-{}/{name}", tag.to_lowercase()));
            }
        }
        names
    }

    /// The time of every edit.
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }
}
