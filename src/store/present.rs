//! What lies at a path already.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Whether nobody but the owner has any right on the file at `path`.
pub(super) fn is_private(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.permissions().mode().trailing_zeros() >= 6)
}
