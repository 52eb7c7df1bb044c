//! Hashes of templates' bytes, kept from one bake for the next.
//!
//! ```text
//!   store/hashes/
//!     hashes.lock                  held by whoever writes a file
//!     debian-12-V1.0.ext3.hashes   what a bake has left of it
//! ```
//!
//! What a file holds, and which state of the template it is for, is for those to say who use it; one that is lost, or of
//! no use, is made anew.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::error::TemplateError;
use super::name::TemplateName;
use super::opened::Template;
use super::registry::StoreLock;
use crate::base::atomic::{self, Durability};

const DIRECTORY: &str = "hashes";
const LOCK_FILE: &str = "hashes.lock";
const SUFFIX: &str = ".hashes";

impl Template {
    /// The hashes that were kept; nothing where there are none that can be read, or more than `most_bytes`.
    pub fn kept_hashes(&self, most_bytes: u64) -> Option<Vec<u8>> {
        let file = File::open(place(&self.directory(), self.name())).ok()?;
        if file.metadata().ok()?.len() > most_bytes {
            return None;
        }
        let mut bytes = Vec::new();
        file.take(most_bytes).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// Keeps `hashes` for the next who asks. They need not survive a power cut.
    pub fn keep_hashes(&self, hashes: &[u8]) -> Result<(), TemplateError> {
        let directory = self.directory();
        let _lock = StoreLock::take_file(&directory, LOCK_FILE, || ())?;
        Ok(atomic::write(
            &place(&directory, self.name()),
            hashes,
            Durability::NoSync,
        )?)
    }

    fn directory(&self) -> PathBuf {
        self.path().with_file_name(DIRECTORY)
    }
}

/// Removes what the store in the directory `store` has kept of `template`.
pub(super) fn remove(store: &Path, template: &TemplateName) -> Result<(), TemplateError> {
    Ok(atomic::remove_if_there(&place(&store.join(DIRECTORY), template))?)
}

fn place(directory: &Path, template: &TemplateName) -> PathBuf {
    directory.join(format!("{template}{SUFFIX}"))
}
