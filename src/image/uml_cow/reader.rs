//! Reads a COW file over its backing. The file is anyone's: nothing in it is believed unchecked.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zerocopy::{FromZeros as _, IntoBytes as _};

use super::super::open::open_regular;
use super::super::ranges::{Ranges, UNIT, len_of, pieces};
use super::error::CowError;
use super::layout::{Layout, SECTOR};
use super::raw::{COW_BITMAP, COW_MAGIC, COW_VERSION, CowHeaderV3};
use crate::base::PathError;
use crate::block::{BlockDevice, DeviceError, check_range};

/// The largest alignment that is believed.
const MOST_ALIGNMENT: u32 = 1 << 20;

/// How many bytes are looked up in the bitmap at once.
const LOOKUP_BYTES: usize = 1 << 21;

/// The image that a COW file and its backing are together, for reading.
#[derive(Debug)]
pub struct CowDevice {
    cow: Arc<dyn BlockDevice>,
    backing: Arc<dyn BlockDevice>,
    layout: Layout,
    len_bytes: u64,
}

/// What a COW file's header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CowHeader {
    /// The backing file; the kernel writes absolute paths.
    pub backing_path: PathBuf,
    /// The backing's time of modification in seconds since the epoch.
    pub modified_seconds: i64,
    /// The length of the backing and of the image.
    pub len_bytes: u64,
    layout: Layout,
}

impl CowHeader {
    /// Reads and checks the header of `cow`.
    pub fn read(cow: &dyn BlockDevice) -> Result<Self, CowError> {
        let mut raw = CowHeaderV3::new_zeroed();
        let needed_bytes = u64::try_from(size_of::<CowHeaderV3>()).unwrap_or(u64::MAX);
        let (len_bytes, bytes) = (cow.len_bytes(), raw.as_mut_bytes());
        let held = len_of(&(0..len_bytes)).min(bytes.len());
        cow.read_at(0, bytes.split_at_mut(held).0)?;
        if raw.magic.get() != COW_MAGIC {
            return Err(CowError::NotCow);
        }
        check_kind(&raw)?;
        let layout = Layout::of(raw.size.get(), u64::from(raw.alignment.get())).ok_or(CowError::TooLong {
            backing_bytes: raw.size.get(),
        })?;
        let needed_bytes = needed_bytes.max(layout.data_offset_bytes);
        if len_bytes < needed_bytes {
            return Err(CowError::CutOff {
                len_bytes,
                needed_bytes,
            });
        }
        let path = raw.backing_file.split(|byte| *byte == 0).next();
        Ok(Self {
            backing_path: PathBuf::from(OsStr::from_bytes(path.unwrap_or_default())),
            modified_seconds: i64::from(i32::from_be_bytes(raw.mtime.to_bytes())),
            len_bytes: raw.size.get(),
            layout,
        })
    }
}

/// Refuses what is of another version, or of a shape that nobody writes.
fn check_kind(raw: &CowHeaderV3) -> Result<(), CowError> {
    let refuse = |field, found| Err(CowError::Unsupported { field, found });
    let alignment = raw.alignment.get();
    if raw.version.get() != COW_VERSION {
        refuse("version", raw.version.get())
    } else if raw.cow_format.get() != COW_BITMAP {
        refuse("cow_format", raw.cow_format.get())
    } else if u64::from(raw.sectorsize.get()) != SECTOR {
        refuse("sectorsize", raw.sectorsize.get())
    } else if !alignment.is_power_of_two() || u64::from(alignment) < SECTOR || alignment > MOST_ALIGNMENT {
        refuse("alignment", alignment)
    } else {
        Ok(())
    }
}

impl CowDevice {
    /// Opens the COW file at `path` and the backing that it names, which has to be unchanged, as the kernel wants it.
    /// A relative path is looked up from the directory of the COW file.
    pub fn open(path: &Path) -> Result<Self, CowError> {
        let cow = open_regular(path)?;
        let header = CowHeader::read(&cow)?;
        let directory = path.parent().unwrap_or(Path::new(""));
        let backing_path = directory.join(&header.backing_path);
        let backing = open_regular(&backing_path)?;
        let metadata = backing
            .file()
            .metadata()
            .map_err(PathError::on("read", &backing_path))?;
        if metadata.mtime() != header.modified_seconds {
            return Err(CowError::OtherBacking {
                field: "modification time",
                expected: header.modified_seconds.into(),
                found: metadata.mtime().into(),
            });
        }
        Self::new(Arc::new(cow), Arc::new(backing), &header)
    }

    /// Lays `cow`, whose header is `header`, over `backing`.
    pub fn new(
        cow: Arc<dyn BlockDevice>,
        backing: Arc<dyn BlockDevice>,
        header: &CowHeader,
    ) -> Result<Self, CowError> {
        if backing.len_bytes() != header.len_bytes {
            return Err(CowError::OtherBacking {
                field: "length",
                expected: header.len_bytes.into(),
                found: backing.len_bytes().into(),
            });
        }
        Ok(Self {
            cow,
            backing,
            layout: header.layout,
            len_bytes: header.len_bytes,
        })
    }

    /// The units of which any sector is in the COW file itself; `stored` is what of that is no hole.
    pub(in super::super) fn own(&self, stored: &Ranges) -> Result<Ranges, DeviceError> {
        // A unit has eight sectors: its bits are one byte.
        let first = self.layout.bitmap_offset_bytes;
        let bitmap = first..first.saturating_add(self.len_bytes.div_ceil(UNIT));
        let mut own = Ranges::default();
        let mut buffer = vec![0; LOOKUP_BYTES];
        for range in stored.within(&bitmap) {
            for piece in pieces(&range, LOOKUP_BYTES) {
                let bits = buffer.split_at_mut(len_of(&piece)).0;
                self.cow.read_at(piece.start, bits)?;
                for (place, _) in (piece.start..).zip(bits).filter(|(_, bits)| **bits != 0) {
                    let unit = place.saturating_sub(first).saturating_mul(UNIT);
                    own.push(unit..unit.saturating_add(UNIT));
                }
            }
        }
        Ok(own.below(self.len_bytes))
    }

    /// Reads a range of the image that is at most [`LOOKUP_BYTES`] long.
    fn read_piece(&self, range: &std::ops::Range<u64>, mut buffer: &mut [u8]) -> Result<(), DeviceError> {
        let end_sector = range.end.div_ceil(SECTOR);
        let first_byte = range.start / SECTOR / 8;
        let mut bits = vec![0; len_of(&(first_byte..end_sector.div_ceil(8)))];
        let bitmap = self.layout.bitmap_offset_bytes;
        self.cow.read_at(bitmap.saturating_add(first_byte), &mut bits)?;
        let is_own = |sector: u64| {
            let index = usize::try_from((sector / 8).saturating_sub(first_byte)).unwrap_or(usize::MAX);
            let mask = 1_u8.rotate_left(u32::try_from(sector % 8).unwrap_or_default());
            bits.get(index).is_some_and(|byte| byte & mask != 0)
        };
        let mut start = range.start;
        while start < range.end {
            let sector = start / SECTOR;
            let own = is_own(sector);
            let next = (sector.saturating_add(1)..end_sector).find(|sector| is_own(*sector) != own);
            let stop = next.map_or(range.end, |sector| sector.saturating_mul(SECTOR).min(range.end));
            let (piece, rest) = buffer.split_at_mut(len_of(&(start..stop)));
            if own {
                self.cow
                    .read_at(self.layout.data_offset_bytes.saturating_add(start), piece)?;
            } else {
                self.backing.read_at(start, piece)?;
            }
            buffer = rest;
            start = stop;
        }
        Ok(())
    }
}

impl BlockDevice for CowDevice {
    fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    fn read_at(&self, offset_bytes: u64, mut buffer: &mut [u8]) -> Result<(), DeviceError> {
        let len_bytes = u64::try_from(buffer.len()).unwrap_or(u64::MAX);
        let end = check_range(offset_bytes, len_bytes, self.len_bytes)?;
        for piece in pieces(&(offset_bytes..end), LOOKUP_BYTES) {
            let (bytes, rest) = buffer.split_at_mut(len_of(&piece));
            self.read_piece(&piece, bytes)?;
            buffer = rest;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::MemoryDevice;
    use proptest::prelude::*;
    use zerocopy::big_endian::{U32, U64};

    fn header(size: u64, sectorsize: u32, alignment: u32) -> CowHeaderV3 {
        let mut raw = CowHeaderV3::new_zeroed();
        raw.magic = U32::new(COW_MAGIC);
        raw.version = U32::new(COW_VERSION);
        raw.size = U64::new(size);
        raw.sectorsize = U32::new(sectorsize);
        raw.alignment = U32::new(alignment);
        raw.backing_file[..3].copy_from_slice(b"/t\0");
        raw
    }

    fn file(header: &CowHeaderV3, len: usize) -> MemoryDevice {
        let mut bytes = header.as_bytes().to_vec();
        bytes.resize(len, 0);
        MemoryDevice::from_bytes(bytes)
    }

    #[test]
    fn a_header_is_refused_for_what_is_wrong_with_it() {
        let read = |raw: &CowHeaderV3, len| CowHeader::read(&file(raw, len)).unwrap_err().to_string();
        let good = || header(40_960, 512, 4096);
        assert_eq!(
            CowHeader::read(&file(&good(), 12_288)).unwrap().backing_path,
            Path::new("/t")
        );
        assert_eq!(
            read(&good(), 12_287),
            "the UML COW file is cut off: it has 12287 bytes and needs 12288"
        );
        assert_eq!(
            read(&header(u64::MAX, 512, 4096), 12_288),
            "a UML COW file over 18446744073709551615 bytes is too long"
        );
        for (sectorsize, alignment, field) in [
            (0, 4096, "sectorsize 0"),
            (4096, 4096, "sectorsize 4096"),
            (512, 0, "alignment 0"),
            (512, 3000, "alignment 3000"),
            (512, 1 << 31, "alignment 2147483648"),
        ] {
            let expected = format!("a UML COW file with {field} is not supported");
            assert_eq!(read(&header(40_960, sectorsize, alignment), 12_288), expected);
        }
        let mut old = good();
        old.version = U32::new(2);
        assert_eq!(
            read(&old, 12_288),
            "a UML COW file with version 2 is not supported"
        );
        assert!(matches!(
            CowHeader::read(&MemoryDevice::from_bytes(b"OO".to_vec())),
            Err(CowError::NotCow)
        ));
    }

    #[test]
    fn a_huge_image_costs_no_memory() {
        let raw = header(1 << 50, 512, 4096);
        let cow = file(&raw, 12_288);
        assert!(matches!(CowHeader::read(&cow), Err(CowError::CutOff { .. })));
    }

    #[test]
    fn a_backing_that_is_a_pipe_or_a_directory_is_not_opened() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.cow");
        let mut raw = header(40_960, 512, 4096);
        raw.backing_file[..5].copy_from_slice(b"/dev\0");
        let mut bytes = raw.as_bytes().to_vec();
        bytes.resize(12_288, 0);
        crate::base::atomic::write(&path, &bytes, crate::base::atomic::Durability::NoSync).unwrap();
        assert!(matches!(CowDevice::open(&path), Err(CowError::File(_))));
    }

    proptest! {
        #[test]
        fn hostile_headers_are_read_or_refused(
            numbers in prop::array::uniform32(any::<u8>()),
            keep in prop::collection::vec(0_usize..32, 0..32),
            len in 0_usize..20_000,
        ) {
            let good = header(40_960, 512, 4096);
            let mut bytes = good.as_bytes().to_vec();
            bytes[..32].copy_from_slice(&numbers);
            for place in keep {
                bytes[place] = good.as_bytes()[place];
            }
            bytes.resize(len, 0xff);
            let cow = Arc::new(MemoryDevice::from_bytes(bytes));
            if let Ok(header) = CowHeader::read(&*cow) {
                let backing = Arc::new(MemoryDevice::from_bytes(vec![1; 40_960]));
                if let Ok(device) = CowDevice::new(cow, backing, &header) {
                    let mut all = vec![0; 40_960];
                    drop(device.read_at(0, &mut all));
                    prop_assert!(device.read_at(40_960, &mut [0]).is_err());
                }
            }
        }
    }
}
