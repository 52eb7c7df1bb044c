//! Layers over one another: what a layer removes of those below.

use super::builder::{Builder, failed};
use super::error::RootfsError;
use super::place::place;
use crate::base::FileKind;

impl Builder {
    /// Says that what follows lies over everything so far.
    pub(super) fn begin_layer(&mut self) {
        self.layer.clear();
    }

    /// Removes what lower layers have at `path`.
    pub(super) fn remove(&mut self, path: &[u8]) -> Result<(), RootfsError> {
        let path = place(path)?;
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return self.remove_below(path.as_bytes());
        };
        if self.layer.contains(&path) {
            return Ok(());
        }
        match self.existing_directory(&parent)? {
            Some(directory) => self.remove_entry(&path, directory, name),
            None => Ok(()),
        }
    }

    /// Removes what lower layers have in the directory at `path`.
    pub(super) fn remove_below(&mut self, path: &[u8]) -> Result<(), RootfsError> {
        let mut waiting = vec![place(path)?];
        while let Some(path) = waiting.pop() {
            let Some(directory) = self.existing_directory(&path)? else {
                continue;
            };
            for entry in self.fs.read_dir(directory).map_err(failed(&path))? {
                let below = path.join(&entry.name)?;
                if !self.layer.contains(&below) {
                    self.remove_entry(&below, directory, &entry.name)?;
                } else if entry.kind == FileKind::Directory {
                    waiting.push(below);
                }
            }
        }
        Ok(())
    }
}
