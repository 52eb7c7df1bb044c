//! From one image file to another: a delta made to stand alone, or laid over another template.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::backing::Backing;
use super::base_image::BaseImage;
use super::error::ImageError;
use super::opened::{ImageKind, OpenError, OpenedImage};
use super::qcow2::{self, QcowError};
use super::ranges::{Ranges, len_of, pieces};
use super::run_writer::RunWriter;
use super::uml_cow::{self, CowError};
use crate::base::{AtomicFile, PathError};
use crate::block::{BlockDevice, DeviceError, FileDevice, Overlay, UNIT_BYTES, is_zero};

/// How many bytes are read at once.
const BUFFER_BYTES: usize = 1 << 20;

/// How many bytes of differences are held in memory at the most.
const MOST_HELD_BYTES: u64 = 1 << 30;

/// Says why an image could not be converted.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// It is no delta.
    #[error("it is a raw image, which lies over nothing")]
    NotADelta,
    /// The image has little in common with the new backing.
    #[error("more than 1 GiB of the image differs from `{}`", backing.display())]
    TooDifferent {
        /// The new backing.
        backing: PathBuf,
    },
    /// What was written does not read as it should.
    #[error("`{}` would not show at {offset_bytes} what it is to show", path.display())]
    ShowsWrong {
        /// The image.
        path: PathBuf,
        /// Where.
        offset_bytes: u64,
    },
    /// A file that would be needed has a name that is taken.
    #[error("`{}` is in the way", path.display())]
    InTheWay {
        /// The file.
        path: PathBuf,
    },
    /// The image's format is not understood, or it holds what cannot be kept.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The template or a file could not be used.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The image could not be read or written.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The qcow2 image could not be written.
    #[error(transparent)]
    Qcow2(#[from] QcowError),
    /// The COW file could not be written.
    #[error(transparent)]
    UmlCow(#[from] CowError),
    /// A file could not be used.
    #[error(transparent)]
    File(#[from] PathError),
}

impl ConvertError {
    /// Ways out.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Open(error) => error.hint().map(ToOwned::to_owned).into_iter().collect(),
            Self::InTheWay { .. } => vec!["move it away if nothing lies over it".to_owned()],
            _ => Vec::new(),
        }
    }
}

/// Writes all of `image` as a raw file, ready to be persisted as `destination`; zeros become holes.
pub fn flatten(image: &OpenedImage, destination: &Path) -> Result<AtomicFile, ConvertError> {
    let unfinished = AtomicFile::create_private(destination)?;
    let device = unfinished
        .file()
        .try_clone()
        .and_then(|file| FileDevice::from_file(file, true))
        .map_err(PathError::on("write", unfinished.temporary_path()))?;
    device.set_len_bytes(image.device.len_bytes())?;
    let mut runs = RunWriter::new(&device);
    each_unit(&*image.device, |offset, unit| {
        if is_zero(unit) {
            Ok(())
        } else {
            Ok(runs.push(offset, unit)?)
        }
    })?;
    runs.flush()?;
    Ok(unfinished)
}

/// Writes `image` as a delta over the raw file `backing`, in the format that it has, ready to be persisted as
/// `destination`; what the guest sees stays the same. `block_bytes` is the block size of its file system.
pub fn rebase(
    image: &OpenedImage,
    backing: &Path,
    block_bytes: u32,
    destination: &Path,
) -> Result<AtomicFile, ConvertError> {
    if image.kind == ImageKind::Raw {
        return Err(ConvertError::NotADelta);
    }
    let path = std::fs::canonicalize(backing).map_err(PathError::on("open", backing))?;
    let base = Arc::new(BaseImage::as_it_is(Arc::new(FileDevice::open(&path)?))?);
    let overlay = Overlay::new(base.clone());
    overlay.set_len_bytes(image.device.len_bytes())?;
    let mut held = vec![0; UNIT_BYTES];
    each_unit(&*image.device, |offset, unit| {
        let held = held.split_at_mut(unit.len()).0;
        overlay.read_at(offset, held)?;
        if held != unit {
            overlay.write_at(offset, unit)?;
        }
        if overlay.held_bytes() > MOST_HELD_BYTES {
            let backing = backing.to_path_buf();
            return Err(ConvertError::TooDifferent { backing });
        }
        Ok(())
    })?;
    let delta = overlay.finish()?;
    let backing = Backing::template(base, &path)?;
    Ok(match image.kind {
        ImageKind::UmlCow => uml_cow::write(&backing, &delta, block_bytes, destination)?.0,
        _ => qcow2::write(&backing, &delta, destination)?.0,
    })
}

/// Shows `visit` every unit of `device`, in ascending order; the last may be shorter.
fn each_unit(
    device: &dyn BlockDevice,
    mut visit: impl FnMut(u64, &[u8]) -> Result<(), ConvertError>,
) -> Result<(), ConvertError> {
    let mut buffer = vec![0; BUFFER_BYTES];
    for range in Ranges::whole(device.len_bytes()).iter() {
        for piece in pieces(&range, BUFFER_BYTES) {
            let bytes = buffer.split_at_mut(len_of(&piece)).0;
            device.read_at(piece.start, bytes)?;
            for (unit, bytes) in pieces(&piece, UNIT_BYTES).zip(bytes.chunks(UNIT_BYTES)) {
                visit(unit.start, bytes)?;
            }
        }
    }
    Ok(())
}
