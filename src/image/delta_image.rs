//! An image in a delta format that is changed: written anew as a whole, beside the old file, over the same backing.
//!
//! ```text
//!   old image  |..##..#...|   # in the old file, . from the backing
//!   changes    |...++.....|   made to the disk that the two are together
//!   new image  |..#++.#...|   what the old file had, with the changes; compared with the backing unit by unit
//! ```
//!
//! The old file stays as it is until the new one gets its name.

use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::base_image::allocated;
use super::convert::ConvertError;
use super::differing::Differing;
use super::open::open_regular;
use super::opened::{ImageKind, OpenError, kind_of};
use super::qcow2::{self, Qcow2Device, Qcow2Header, QcowError};
use super::ranges::{Ranges, UNIT, len_of, pieces, whole_units};
use super::uml_cow::{self, CowDevice, CowError, CowHeader};
use crate::base::{AtomicFile, PathError};
use crate::block::{BlockDevice, Delta, DeviceError, FileDevice, UNIT_BYTES, Unit};

/// How many bytes are compared at once.
const BUFFER_BYTES: usize = 1 << 18;

/// An image in a delta format, to be written anew with changes.
#[derive(Debug)]
pub struct DeltaImage {
    path: PathBuf,
    kind: ImageKind,
    device: Arc<dyn BlockDevice>,
    /// What of the disk the file has itself.
    own: Ranges,
    below: Option<Below>,
}

/// The raw file that an image lies over.
#[derive(Debug, Clone)]
struct Below {
    /// What the image calls it.
    name: PathBuf,
    path: PathBuf,
    device: Arc<FileDevice>,
}

/// The disk with the changes, over the file that it is to lie over.
#[derive(Debug)]
struct Edited<'a> {
    image: &'a DeltaImage,
    delta: &'a Delta,
    below: Option<&'a FileDevice>,
    /// Whole units outside of which the disk is what the file below is.
    suspect: Ranges,
}

impl DeltaImage {
    /// Opens the image at `path`, which nobody else may change until it is written anew.
    ///
    /// # Errors
    /// [`ConvertError::NotADelta`], what reading it would say, and that it holds more than its disk, such as snapshots.
    pub fn open(path: &Path) -> Result<Self, ConvertError> {
        match kind_of(path) {
            ImageKind::Raw => Err(ConvertError::NotADelta),
            ImageKind::Qcow2 => Self::open_qcow2(path).map_err(|source| {
                let path = path.to_path_buf();
                OpenError::Qcow2 { path, source }.into()
            }),
            ImageKind::UmlCow => Self::open_uml_cow(path).map_err(|source| {
                let path = path.to_path_buf();
                OpenError::UmlCow { path, source }.into()
            }),
        }
    }

    fn open_qcow2(path: &Path) -> Result<Self, QcowError> {
        let file = open_regular(path)?;
        let header = Qcow2Header::read(&file)?;
        header.ensure_is_disk_only()?;
        let device = Qcow2Device::open(path)?;
        let own = device.own(&stored(&file, path)?)?;
        let below = header.backing_path.map(|name| Below::open(path, name));
        Ok(Self {
            path: path.to_path_buf(),
            kind: ImageKind::Qcow2,
            device: Arc::new(device),
            own,
            below: below.transpose()?,
        })
    }

    fn open_uml_cow(path: &Path) -> Result<Self, CowError> {
        let file = open_regular(path)?;
        let header = CowHeader::read(&file)?;
        let device = CowDevice::open(path)?;
        let own = device.own(&stored(&file, path)?)?;
        Ok(Self {
            path: path.to_path_buf(),
            kind: ImageKind::UmlCow,
            device: Arc::new(device),
            own,
            below: Some(Below::open(path, header.backing_path)?),
        })
    }

    /// The disk that the image and its backing are together, for reading.
    pub fn device(&self) -> Arc<dyn BlockDevice> {
        Arc::clone(&self.device)
    }

    /// The file that the image lies over.
    pub fn backing(&self) -> Option<&Path> {
        self.below.as_ref().map(|below| below.path.as_path())
    }

    /// Whether an image of `len_bytes` needs a backing of its own length: a COW file has no length of its own.
    pub fn needs_other_backing(&self, len_bytes: u64) -> bool {
        self.kind == ImageKind::UmlCow && len_bytes != self.device.len_bytes()
    }

    /// Writes the image with the changes of `delta`, which were made over [`DeltaImage::device`], ready to be persisted
    /// in its own place, with the same mode, owner and group; and proves what was written.
    ///
    /// `block_bytes` is the block size of its file system. It comes to lie over the file that it lies over now, or over
    /// `other_backing`, which has to be the same but for its length.
    pub fn rewrite(
        &self,
        delta: &Delta,
        block_bytes: u32,
        other_backing: Option<&Path>,
    ) -> Result<AtomicFile, ConvertError> {
        let other = match other_backing {
            Some(path) => Some(Below::open(&self.path, path.to_path_buf())?),
            None => None,
        };
        let below = other.as_ref().or(self.below.as_ref());
        let edited = Edited::new(self, delta, below);
        let file = match (self.kind, below) {
            (ImageKind::UmlCow, Some(below)) => {
                let header = below.in_header().map_err(ConvertError::File)?;
                uml_cow::write_over(&header, &edited, block_bytes, &self.path)?.0
            }
            (_, Some(below)) => qcow2::write_over(below.name.as_os_str().as_bytes(), &edited, &self.path)?.0,
            (_, None) => qcow2::write_changed(&*self.device, &self.own, delta, &self.path)?,
        };
        edited.prove(&self.reopen(&file, below)?)?;
        self.keep_owner(&file)?;
        Ok(file)
    }

    /// Gives the new file the mode, the owner and the group of the old one.
    fn keep_owner(&self, file: &AtomicFile) -> Result<(), PathError> {
        let old = std::fs::metadata(&self.path).map_err(PathError::on("read", &self.path))?;
        file.take_after(&old)
    }

    /// What was written, as the machine will see it.
    fn reopen(&self, file: &AtomicFile, below: Option<&Below>) -> Result<Reopened, ConvertError> {
        let path = file.temporary_path();
        let failed = || PathError::on("read back", path);
        let file = File::open(path).map_err(failed())?;
        let file = Arc::new(FileDevice::from_file(file, false).map_err(failed())?);
        let all = stored(&file, path)?;
        let backing = below.map(|below| Arc::clone(&below.device));
        if self.kind == ImageKind::UmlCow {
            let header = CowHeader::read(&*file)?;
            let backing = backing.ok_or(ConvertError::NotADelta)?;
            let device = CowDevice::new(file, backing, &header)?;
            let own = device.own(&all)?;
            return Ok((Box::new(device), own));
        }
        let header = Qcow2Header::read(&*file)?;
        let device = Qcow2Device::new(
            file,
            backing.map(|backing| -> Arc<dyn BlockDevice> { backing }),
            header,
        );
        let own = device.own(&all)?;
        Ok((Box::new(device), own))
    }
}

/// A written image as a device, and what of the disk it has itself.
type Reopened = (Box<dyn BlockDevice>, Ranges);

impl Below {
    /// Opens the file that the image at `image` calls `name`.
    fn open(image: &Path, name: PathBuf) -> Result<Self, PathError> {
        let path = image.parent().unwrap_or(Path::new("")).join(&name);
        let device = Arc::new(open_regular(&path)?);
        Ok(Self { name, path, device })
    }

    fn in_header(&self) -> Result<uml_cow::Below<'_>, PathError> {
        let metadata = self.device.file().metadata();
        Ok(uml_cow::Below {
            path: &self.name,
            len_bytes: self.device.len_bytes(),
            modified_seconds: metadata.map_err(PathError::on("read", &self.path))?.mtime(),
        })
    }
}

impl<'a> Edited<'a> {
    fn new(image: &'a DeltaImage, delta: &'a Delta, below: Option<&'a Below>) -> Self {
        let below = below.map(|below| &*below.device);
        // What was cut off, or lies behind the old end, must not show what the file below has there.
        let cut = delta.base_end_bytes()..below.map_or(0, BlockDevice::len_bytes);
        let changed = delta.units().map(|(start, _)| start..start.saturating_add(UNIT));
        let suspect = image.own.iter().chain(changed).chain([cut]);
        let suspect = Ranges::from_unsorted(suspect).below(delta.len_bytes());
        Self {
            image,
            delta,
            below,
            suspect: Ranges::from_unsorted(suspect.iter().map(|range| whole_units(&range))),
        }
    }

    /// Fills `buffer`, whose length is a whole number of units, from the disk; beyond its end all is zero.
    fn read(&self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        read_padded(self.delta.len_bytes(), offset_bytes, buffer, |buffer| {
            self.delta.read_at(&*self.image.device, offset_bytes, buffer)
        })
    }

    /// Holds what was written against the disk.
    fn prove(&self, (written, own): &Reopened) -> Result<(), ConvertError> {
        let wrong = |offset_bytes| ConvertError::ShowsWrong {
            path: self.image.path.clone(),
            offset_bytes,
        };
        let len_bytes = self.delta.len_bytes();
        if written.len_bytes() != len_bytes {
            return Err(wrong(len_bytes));
        }
        if self.below.is_some()
            && let Some(more) = own.difference(&self.suspect).iter().next()
        {
            return Err(wrong(more.start));
        }
        let (mut found, mut expected) = (vec![0; BUFFER_BYTES], vec![0; BUFFER_BYTES]);
        for range in self.suspect.iter() {
            for piece in pieces(&range, BUFFER_BYTES) {
                let found = found.split_at_mut(len_of(&piece)).0;
                let expected = expected.split_at_mut(len_of(&piece)).0;
                self.read(piece.start, expected)?;
                read_padded(len_bytes, piece.start, found, |buffer| {
                    written.read_at(piece.start, buffer)
                })?;
                if found != expected {
                    return Err(wrong(piece.start));
                }
            }
        }
        Ok(())
    }
}

impl Differing for Edited<'_> {
    fn len_bytes(&self) -> u64 {
        self.delta.len_bytes()
    }

    fn each_difference<E: From<DeviceError>>(
        &self,
        mut visit: impl FnMut(u64, &Unit) -> Result<(), E>,
    ) -> Result<(), E> {
        let (mut shown, mut held) = (vec![0; BUFFER_BYTES], vec![0; BUFFER_BYTES]);
        for range in self.suspect.iter() {
            for piece in pieces(&range, BUFFER_BYTES) {
                let shown = shown.split_at_mut(len_of(&piece)).0;
                let held = held.split_at_mut(len_of(&piece)).0;
                self.read(piece.start, shown)?;
                let below_bytes = self.below.map_or(0, BlockDevice::len_bytes);
                read_padded(below_bytes, piece.start, held, |buffer| match self.below {
                    Some(below) => below.read_at(piece.start, buffer),
                    None => Ok(()),
                })?;
                let units = shown.as_chunks::<UNIT_BYTES>().0.iter();
                let units = units.zip(held.as_chunks::<UNIT_BYTES>().0);
                for (unit, (shown, held)) in pieces(&piece, UNIT_BYTES).zip(units) {
                    if shown != held {
                        visit(unit.start, &Arc::new(*shown))?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Has `read` fill what of `buffer`, which begins at `offset_bytes`, lies below `len_bytes`; the rest is zero.
fn read_padded(
    len_bytes: u64,
    offset_bytes: u64,
    buffer: &mut [u8],
    read: impl FnOnce(&mut [u8]) -> Result<(), DeviceError>,
) -> Result<(), DeviceError> {
    let inside = len_of(&(offset_bytes..len_bytes.max(offset_bytes))).min(buffer.len());
    let (inside, beyond) = buffer.split_at_mut(inside);
    beyond.fill(0);
    if inside.is_empty() { Ok(()) } else { read(inside) }
}

/// What of the file at `path` is stored rather than a hole.
fn stored(file: &FileDevice, path: &Path) -> Result<Ranges, PathError> {
    let ranges = allocated(file.file(), file.len_bytes());
    ranges.map_err(|errno| PathError::on("read", path)(errno.into()))
}
