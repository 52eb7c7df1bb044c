//! Changing an image file in place, so that a crash leaves the old image or the new one.
//!
//! Beside the image `NAME` lies `NAME.mln-redo` while it is changed. Whoever opens the image next does first what that
//! file says. It appears by rename, whole and synced, and is one of two kinds:
//!
//! ```text
//!   roll back      what lies in these ranges of the image meant nothing before; make them holes
//!   roll forward   write these units to these places
//!
//!   much data:   roll back --> data in place  --> sync --> roll forward --> units in place --> sync --> removed
//!   little:                                                 roll forward --> units in place --> sync --> removed
//!                                                                 ^ from here on the new image stands
//! ```
//!
//! The file, all numbers little-endian:
//!
//! ```text
//!    0   8  "MLNREDO" and a newline
//!    8   4  version: 1
//!   12   4  kind: 1 roll back, 2 roll forward
//!   16   8  the image's length before the change, in bytes
//!   24   8  its length after the change
//!   32   8  from here on the old bytes are cut off
//!   40   8  number of records
//!   48      records
//!             roll back:    start, end: 8 bytes each
//!             roll forward: offset, 8 bytes; CRC-32C of each 512 bytes that are replaced, 8 times 4 bytes;
//!                           the 4096 bytes that replace them
//!   end 32  BLAKE3 of all before
//! ```
//!
//! Lengths and the checksums of what is replaced name the image: a file that belongs to another image, or to another
//! state of this one, is not obeyed.

mod format;
mod place;
mod replay;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::{Path, PathBuf};

use super::delta::Delta;
use super::device::{BlockDevice as _, DeviceError};
use super::file::FileDevice;
use crate::base::PathError;
use crate::base::atomic::Durability;

pub(super) use place::roll_back_file;
pub use place::{complete, discard, has_redo, redo_path, view};

/// How many bytes of neighbouring units are read or written at once.
const RUN_BYTES: usize = 1 << 20;

/// Says why an image could not be changed in place, or a change that was cut short not be completed.
#[derive(Debug, thiserror::Error)]
pub enum RedoError {
    /// The image could not be read or written.
    #[error("cannot change the image in place")]
    Image(#[from] DeviceError),
    /// The file beside the image could not be used.
    #[error(transparent)]
    File(#[from] PathError),
    /// The file beside the image is damaged or of a newer version.
    #[error("`{}` is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The file beside the image was made for another image.
    #[error("`{}` completes a change of another image, or the image was changed since: {what}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        what: String,
    },
}

/// Puts the changes of `delta` into the image at `path`, opened as `image`: all of them or none, whenever the machine
/// stops. Where this fails after the point of no return, the next [`complete`] finishes it.
pub(super) fn commit(
    image: &FileDevice,
    path: &Path,
    delta: &Delta,
    durability: Durability,
) -> Result<(), RedoError> {
    reserve(image, path, delta)?;
    let redo = redo_path(path);
    format::write_forward(image, &redo, delta, durability)?;
    replay::apply(image, delta)?;
    if durability == Durability::Sync {
        image.sync()?;
    }
    place::remove(&redo, durability)?;
    Ok(())
}

/// Asks for the room that the changes take in the image's file, before anything points to them: a full disk is to be
/// found out while the old image stands.
fn reserve(image: &FileDevice, path: &Path, delta: &Delta) -> Result<(), PathError> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;
    for (start, end) in runs(delta.units().map(|(offset, _)| offset)) {
        let len = end.saturating_sub(start);
        match fallocate(image.file(), FallocateFlags::KEEP_SIZE, start, len) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {}
            Err(errno) => return Err(PathError::on("reserve room in", path)(errno.into())),
        }
    }
    Ok(())
}

/// Neighbouring units as ranges of bytes.
fn runs(offsets: impl Iterator<Item = u64>) -> Vec<(u64, u64)> {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for offset in offsets {
        let end = offset.saturating_add(super::unit::UNIT);
        match runs.last_mut() {
            Some(last) if last.1 == offset => last.1 = end,
            _ => runs.push((offset, end)),
        }
    }
    runs
}

/// Opens the file at `path` if there is one.
fn open_if_there(path: &Path) -> Result<Option<File>, PathError> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(PathError::on("open", path)(error)),
    }
}
