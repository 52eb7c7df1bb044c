//! Opens the files that an image or its header names.

use std::fs::{self, File};
use std::path::Path;

use crate::base::PathError;
use crate::block::FileDevice;

/// Opens a regular file; anything else is refused before it is opened, because opening a pipe may wait for ever.
pub(super) fn open_regular(path: &Path) -> Result<FileDevice, PathError> {
    let metadata = fs::metadata(path).map_err(PathError::on("open", path))?;
    if !metadata.is_file() {
        let error = std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is not a regular file");
        return Err(PathError::on("open", path)(error));
    }
    let file = File::open(path).map_err(PathError::on("open", path))?;
    FileDevice::from_file(file, false).map_err(PathError::on("open", path))
}
