//! The redo file beside its image: found, obeyed, removed.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

use super::format::{self, Kind, Reader};
use super::{RedoError, open_if_there, replay};
use crate::base::PathError;
use crate::base::atomic::{Durability, remove_if_there, sync_directory};
use crate::block::device::BlockDevice;
use crate::block::file::FileDevice;
use crate::block::overlay::Overlay;

/// What the name of the file beside an image ends in.
const SUFFIX: &str = ".mln-redo";

/// Where the file lies that completes a change of the image at `path`.
pub fn redo_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(SUFFIX);
    path.with_file_name(name)
}

/// Whether a change of the image at `path` was cut short, or is being made.
pub fn has_redo(path: &Path) -> bool {
    redo_path(path).exists()
}

/// Completes or takes back a change of the image at `path` that was cut short; answers whether there was one. `image`
/// is the open, locked file.
///
/// # Errors
/// [`RedoError::Foreign`] and [`RedoError::Damaged`]: nothing was changed then.
pub fn complete(image: &FileDevice, path: &Path) -> Result<bool, RedoError> {
    let redo = redo_path(path);
    let Some(file) = open_if_there(&redo)? else {
        return Ok(false);
    };
    let reader = checked(&redo, file, image)?;
    replay::replay(&reader, image, |start, end| punch(image, path, start, end))?;
    image.sync()?;
    remove(&redo, Durability::Sync)?;
    Ok(true)
}

/// The image as it will be once the change of the image at `path` that was cut short is completed, where there is one.
pub fn view(image: Arc<FileDevice>, path: &Path) -> Result<Arc<dyn BlockDevice>, RedoError> {
    let redo = redo_path(path);
    let Some(file) = open_if_there(&redo)? else {
        return Ok(image);
    };
    let reader = checked(&redo, file, &*image)?;
    // What a file that rolls back takes away lies in free blocks.
    if reader.header.kind == Kind::Back {
        return Ok(image);
    }
    let overlay = Overlay::new(image);
    replay::replay(&reader, &overlay, |_, _| Ok(()))?;
    Ok(Arc::new(overlay))
}

/// Removes the file beside the image at `path`, which has just been replaced whole.
pub fn discard(path: &Path) -> Result<(), PathError> {
    remove_if_there(&redo_path(path))
}

/// Lays down a file that makes `ranges` of `image`, which lies at `path`, holes again.
pub(in crate::block) fn roll_back_file(
    image: &FileDevice,
    path: &Path,
    ranges: &[Range<u64>],
) -> Result<(), RedoError> {
    format::write_back(image, &redo_path(path), ranges)
}

pub(super) fn remove(redo: &Path, durability: Durability) -> Result<(), PathError> {
    remove_if_there(redo)?;
    match durability {
        Durability::Sync => sync_directory(redo),
        Durability::NoSync => Ok(()),
    }
}

fn checked<'a>(
    redo: &'a Path,
    file: std::fs::File,
    image: &dyn BlockDevice,
) -> Result<Reader<'a>, RedoError> {
    let reader = Reader::open(redo, file)?;
    replay::judge(&reader, image)?.map_err(|what| RedoError::Foreign {
        path: redo.to_path_buf(),
        what,
    })?;
    Ok(reader)
}

/// Makes a range of the image's file a hole, or zeros where there are no holes.
fn punch(image: &FileDevice, path: &Path, start: u64, end: u64) -> Result<(), RedoError> {
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    match fallocate(image.file(), flags, start, end.saturating_sub(start)) {
        Ok(()) => Ok(()),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => zero(image, start, end),
        Err(errno) => Err(PathError::on("punch a hole into", path)(errno.into()).into()),
    }
}

fn zero(image: &FileDevice, start: u64, end: u64) -> Result<(), RedoError> {
    let zeros = vec![0; 1 << 16];
    let mut place = start;
    while place < end {
        let len = usize::try_from(end.saturating_sub(place))
            .unwrap_or(usize::MAX)
            .min(zeros.len());
        image.write_at(place, zeros.get(..len).unwrap_or_default())?;
        place = place.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
    }
    Ok(())
}
