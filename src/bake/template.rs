//! A template as a bake uses it: opened once for all hosts, its file system parsed, and checked to stay the same.

use std::sync::Arc;

use super::error::HostError;
use crate::base::Timestamp;
use crate::block::{BlockDevice as _, FileDevice};
use crate::ext::{ExtError, Fs};
use crate::guest::RootFileSystem;
use crate::image::{BaseImage, Ranges};
use crate::template::{Store, Template};

/// A template that hosts are baked from.
#[derive(Debug)]
pub(super) struct Source {
    template: Template,
    device: Arc<FileDevice>,
    fs: Fs,
    now: Timestamp,
}

impl Source {
    /// Finds and opens the template that a project calls `name`. Edits get the time `now`, or else that of the
    /// template's own last change.
    pub(super) fn open(store: &Store, name: &str, now: Option<Timestamp>) -> Result<Self, HostError> {
        let template = store.find(name)?;
        let device = Arc::new(template.device()?);
        let failed = |source: ExtError| HostError::TemplateFileSystem {
            path: template.path().to_path_buf(),
            source,
        };
        let last_write = Fs::open(device.clone()).map_err(failed)?.superblock().wtime();
        let now = now.unwrap_or(last_write);
        let fs = Fs::open_for_edit(device.clone(), now).map_err(failed)?;
        Ok(Self {
            template,
            device,
            fs,
            now,
        })
    }

    /// Reads the whole template and prepares it for images of up to `longest_bytes`.
    pub(super) fn scan(&self, longest_bytes: u64) -> Result<BaseImage, HostError> {
        let used = self
            .fs
            .used_ranges()
            .map_err(|source| HostError::TemplateFileSystem {
                path: self.template.path().to_path_buf(),
                source,
            })?;
        // What lies behind the file system is not ours to judge.
        let behind = self.fs.superblock().len_bytes()..self.device.len_bytes();
        let used = Ranges::from_unsorted(used.into_iter().chain([behind]));
        Ok(BaseImage::scan(self.device.clone(), &used, longest_bytes)?)
    }

    /// The template of the store.
    pub(super) fn template(&self) -> &Template {
        &self.template
    }

    /// The template's file system.
    pub(super) fn fs(&self) -> &Fs {
        &self.fs
    }

    /// What the file system truly is, whatever the template is called.
    pub(super) fn root_file_system(&self) -> RootFileSystem {
        match self.fs.superblock().type_name() {
            "ext2" => RootFileSystem::Ext2,
            "ext3" => RootFileSystem::Ext3,
            _ => RootFileSystem::Ext4,
        }
    }

    /// The time of every edit.
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }
}
