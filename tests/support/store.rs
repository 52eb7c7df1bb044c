//! A template store below a temporary directory, and images to import into it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use mln_image::base::Timestamp;
use mln_image::template::{ImportOrder, Store, TemplateError};
use tempfile::TempDir;

use super::{BlockSize, ExtKind, Mkfs};

/// A directory with a small image of each kind, and a store that is still empty.
pub(crate) struct Setting {
    pub(crate) directory: TempDir,
    pub(crate) store: Store,
}

impl Setting {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path().join("templates"));
        Self { directory, store }
    }

    pub(crate) fn image(&self, kind: ExtKind) -> PathBuf {
        let image = self.directory.path().join(format!("source.{}", kind.name()));
        Mkfs::new(kind, BlockSize(4096), 16 << 20).make(&image, None);
        image
    }

    /// Puts an empty file into the store by hand.
    pub(crate) fn put(&self, name: &str) {
        fs::create_dir_all(self.store.directory()).unwrap();
        File::create(self.store.directory().join(name)).unwrap();
    }

    pub(crate) fn import(&self, file: &Path, name: &str) -> Result<String, TemplateError> {
        import(&self.store, file, name)
    }
}

/// Imports `file` as `name`; gives the new file's name.
pub(crate) fn import(store: &Store, file: &Path, name: &str) -> Result<String, TemplateError> {
    let order = ImportOrder {
        file: file.to_path_buf(),
        name: name.parse()?,
        partition: None,
        lineage: None,
        message: format!("imported as {name}"),
        time: Timestamp::from_seconds(1_700_000_000),
    };
    store.import(&order, || ()).map(|entry| entry.file.to_string())
}
