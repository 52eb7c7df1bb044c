//! The files that several images of a project lie over.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::workspace::remove_directory_if_empty;
use crate::base::PathError;
use crate::base::atomic::remove_if_there;

/// Removes every image in `directory` that is not among the `wanted`, which begin with the directory's name; then the
/// directory, if nothing is left.
pub(super) fn remove_backings(directory: &Path, wanted: &BTreeSet<String>) -> Result<(), PathError> {
    let failed = || PathError::on("read the directory", directory);
    for entry in fs::read_dir(directory).map_err(failed())? {
        let path = entry.map_err(failed())?.path();
        let is_wanted = wanted.iter().any(|file| path.ends_with(file));
        if !is_wanted && path.extension().is_some_and(|extension| extension == "img") {
            remove_if_there(&path)?;
        }
    }
    remove_directory_if_empty(directory)
}
