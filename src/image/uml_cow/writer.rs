//! Writes a COW file, whole, in one pass: header, bitmap, data.

use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use zerocopy::IntoBytes as _;
use zerocopy::big_endian::{U32, U64};

use super::super::backing::{Backing, DeltaWritten};
use super::super::differing::{Baked, Differing};
use super::super::noting::Noting;
use super::super::ranges::UNIT;
use super::super::run_writer::RunWriter;
use super::error::CowError;
use super::layout::{ALIGNMENT, Layout, SECTOR};
use super::raw::{COW_BITMAP, COW_MAGIC, COW_VERSION, CowHeaderV3, PATH_LEN_V3};
use crate::base::{AtomicFile, PathError};
use crate::block::{BlockDevice, Delta, DeviceError, FileDevice, UNIT_BYTES, is_zero};

/// How many bytes of the bitmap are written at once; all-zero ones stay holes.
const BITMAP_PAGE: u64 = 4096;

/// Writes the image that differs from `backing` by `delta`, ready to be persisted as `destination`.
///
/// `file_system_block_bytes` is the block size of the file system in the image.
pub fn write(
    backing: &Backing,
    delta: &Delta,
    file_system_block_bytes: u32,
    destination: &Path,
) -> Result<(AtomicFile, DeltaWritten), CowError> {
    let path = backing.path();
    if !path.is_absolute() {
        return Err(CowError::RelativePath {
            path: path.to_path_buf(),
        });
    }
    let below = Below {
        path,
        len_bytes: backing.len_bytes(),
        modified_seconds: backing.modified_seconds(),
    };
    let image = Baked { backing, delta };
    write_over(&below, &image, file_system_block_bytes, destination)
}

/// The raw file below, as the header tells of it.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Below<'a> {
    pub(in super::super) path: &'a Path,
    pub(in super::super) len_bytes: u64,
    /// In seconds since the epoch.
    pub(in super::super) modified_seconds: i64,
}

/// Writes `image`, which lies over the raw file `below`.
pub(in super::super) fn write_over(
    below: &Below<'_>,
    image: &impl Differing,
    file_system_block_bytes: u32,
    destination: &Path,
) -> Result<(AtomicFile, DeltaWritten), CowError> {
    if u64::from(file_system_block_bytes) < UNIT {
        return Err(CowError::SmallBlocks {
            block_bytes: file_system_block_bytes,
        });
    }
    let header = header(below, image.len_bytes())?;
    let unfinished = AtomicFile::create_private(destination)?;
    let device = unfinished
        .file()
        .try_clone()
        .and_then(|file| FileDevice::from_file(file, true))
        .map_err(PathError::on("write", unfinished.temporary_path()))?;
    let device = Noting::new(device);
    let covered_units = write_to(&device, &header, image)?;
    let metadata = unfinished
        .file()
        .metadata()
        .map_err(PathError::on("read", unfinished.temporary_path()))?;
    let written = DeltaWritten {
        allocated_bytes: metadata.blocks().saturating_mul(SECTOR),
        covered_units,
        stored: device.into_written(),
    };
    Ok((unfinished, written))
}

/// The header of an image over `below`, if the format can say it.
fn header(below: &Below<'_>, image_bytes: u64) -> Result<CowHeaderV3, CowError> {
    let (path, backing_bytes) = (below.path, below.len_bytes);
    if image_bytes != backing_bytes {
        return Err(CowError::OtherLength {
            image_bytes,
            backing_bytes,
            backing: path.to_path_buf(),
        });
    }
    if !image_bytes.is_multiple_of(SECTOR) {
        return Err(CowError::PartSector {
            len_bytes: image_bytes,
        });
    }
    let seconds = below.modified_seconds;
    // The kernel takes the 32 bits for a signed number.
    let mtime = i32::try_from(seconds).map_err(|_| CowError::Time {
        path: path.to_path_buf(),
        seconds,
    })?;
    Ok(CowHeaderV3 {
        magic: U32::new(COW_MAGIC),
        version: U32::new(COW_VERSION),
        mtime: U32::from_bytes(mtime.to_be_bytes()),
        size: U64::new(backing_bytes),
        sectorsize: U32::new(u32::try_from(SECTOR).unwrap_or_default()),
        alignment: U32::new(u32::try_from(ALIGNMENT).unwrap_or_default()),
        cow_format: U32::new(COW_BITMAP),
        backing_file: path_field(path)?,
    })
}

/// The path as the header holds it.
fn path_field(path: &Path) -> Result<[u8; PATH_LEN_V3], CowError> {
    let bytes = path.as_os_str().as_bytes();
    let most_bytes = PATH_LEN_V3.saturating_sub(1);
    let mut field = [0; PATH_LEN_V3];
    match field.get_mut(..bytes.len()) {
        Some(place) if bytes.len() <= most_bytes => place.copy_from_slice(bytes),
        _ => {
            return Err(CowError::LongPath {
                path: path.to_path_buf(),
                path_bytes: bytes.len(),
                most_bytes,
            });
        }
    }
    Ok(field)
}

/// Writes the file's bytes to an empty device, and tells how many units it holds.
fn write_to(device: &dyn BlockDevice, header: &CowHeaderV3, image: &impl Differing) -> Result<u64, CowError> {
    let len_bytes = image.len_bytes();
    let layout = Layout::of(len_bytes, ALIGNMENT).ok_or(CowError::TooLong {
        backing_bytes: len_bytes,
    })?;
    device.set_len_bytes(layout.end_bytes)?;
    device.write_at(0, header.as_bytes())?;
    let mut bitmap = Bitmap::new(device, layout);
    let mut covered_units = 0_u64;
    image.each_difference(|offset, _| {
        covered_units = covered_units.saturating_add(1);
        bitmap.set_unit(offset, len_bytes)
    })?;
    bitmap.flush()?;
    let mut data = RunWriter::new(device);
    image.each_difference(|offset, unit| {
        if is_zero(&unit[..]) {
            return Ok(());
        }
        let inside = usize::try_from(len_bytes.saturating_sub(offset)).unwrap_or(UNIT_BYTES);
        let bytes = unit.get(..inside).unwrap_or(&unit[..]);
        data.push(layout.data_offset_bytes.saturating_add(offset), bytes)
    })?;
    data.flush()?;
    Ok(covered_units)
}

/// The page of the bitmap that is being filled.
struct Bitmap<'a> {
    device: &'a dyn BlockDevice,
    layout: Layout,
    number: u64,
    page: Vec<u8>,
}

impl<'a> Bitmap<'a> {
    fn new(device: &'a dyn BlockDevice, layout: Layout) -> Self {
        Self {
            device,
            layout,
            number: 0,
            page: Vec::new(),
        }
    }

    /// Marks the sectors of the unit at `offset_bytes` that lie before the image's end. Offsets ascend.
    fn set_unit(&mut self, offset_bytes: u64, len_bytes: u64) -> Result<(), DeviceError> {
        // A unit has eight sectors: its bits are one byte.
        let index = offset_bytes / UNIT;
        if index / BITMAP_PAGE != self.number {
            self.flush()?;
            self.number = index / BITMAP_PAGE;
        }
        let within = usize::try_from(index % BITMAP_PAGE).unwrap_or_default();
        let sectors = len_bytes.saturating_sub(offset_bytes).div_ceil(SECTOR).min(8);
        let above = u32::try_from(8_u64.saturating_sub(sectors)).unwrap_or_default();
        self.page.resize(within, 0);
        self.page.push(u8::MAX.checked_shr(above).unwrap_or_default());
        Ok(())
    }

    fn flush(&mut self) -> Result<(), DeviceError> {
        if !self.page.is_empty() {
            let offset = self.layout.bitmap_offset_bytes;
            let offset = offset.saturating_add(self.number.saturating_mul(BITMAP_PAGE));
            self.device.write_at(offset, &self.page)?;
            self.page.clear();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::{FaultyDevice, MemoryDevice, Overlay};
    use crate::image::BaseImage;
    use std::sync::Arc;

    #[test]
    fn a_full_disk_is_an_error_at_every_write() {
        let template = tempfile::NamedTempFile::new().unwrap();
        template.as_file().set_len(1 << 20).unwrap();
        let device = Arc::new(FileDevice::open(template.path()).unwrap());
        let base = Arc::new(BaseImage::as_it_is(device).unwrap());
        let overlay = Overlay::new(base.clone());
        for place in [0, 40_000, 1_000_000] {
            overlay.write_at(place, b"new").unwrap();
        }
        let delta = overlay.finish().unwrap();
        let backing = Backing::template(base, template.path()).unwrap();
        let image = Baked {
            backing: &backing,
            delta: &delta,
        };
        let below = Below {
            path: template.path(),
            len_bytes: backing.len_bytes(),
            modified_seconds: backing.modified_seconds(),
        };
        let header = header(&below, delta.len_bytes()).unwrap();
        // The length, the header, one page of the bitmap and three runs of data.
        for allowed in 0..6 {
            let disk = FaultyDevice::new(MemoryDevice::default(), allowed);
            assert!(matches!(
                write_to(&disk, &header, &image),
                Err(CowError::Device(DeviceError::Io { .. }))
            ));
        }
        let disk = FaultyDevice::new(MemoryDevice::default(), 6);
        assert_eq!(write_to(&disk, &header, &image).unwrap(), 3);
    }
}
