//! Reads a qcow2 image, with its raw backing if it has one.

use std::collections::BTreeSet;
use std::io::{self, Read as _};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use zerocopy::big_endian::U64;
use zerocopy::{FromZeros as _, IntoBytes as _};

use super::super::open::open_regular;
use super::super::ranges::{Ranges, len_of};
use super::error::QcowError;
use super::raw::{COMPRESSED, OFFSET_MASK, READS_AS_ZERO};
use super::read_header::Qcow2Header;
use crate::block::{BlockDevice, DeviceError, check_range};

/// The unit in which a compressed cluster's length is told.
const SECTOR: u64 = 512;

/// The largest window that a zstd frame may ask memory for, as its power of two: what the format has decoders support.
const MOST_WINDOW_LOG: u32 = 23;

/// The image that a qcow2 file and its backing are together, for reading.
#[derive(Debug)]
pub struct Qcow2Device {
    image: Arc<dyn BlockDevice>,
    backing: Option<Arc<dyn BlockDevice>>,
    header: Qcow2Header,
}

/// Where a cluster's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Mapping {
    Backing,
    Zero,
    Stored(u64),
    Compressed(Range<u64>),
}

impl Qcow2Device {
    /// Opens the image at `path` and the backing that it names.
    pub fn open(path: &Path) -> Result<Self, QcowError> {
        let image = open_regular(path)?;
        let header = Qcow2Header::read(&image)?;
        let directory = path.parent().unwrap_or(Path::new(""));
        let backing: Option<Arc<dyn BlockDevice>> = match &header.backing_path {
            Some(backing) => Some(Arc::new(open_regular(&directory.join(backing))?)),
            None => None,
        };
        Ok(Self::new(Arc::new(image), backing, header))
    }

    /// Lays `image`, whose header is `header`, over `backing`; what neither holds is zero.
    pub fn new(
        image: Arc<dyn BlockDevice>,
        backing: Option<Arc<dyn BlockDevice>>,
        header: Qcow2Header,
    ) -> Self {
        Self {
            image,
            backing,
            header,
        }
    }

    /// The bytes of the image that the file has itself, be they data or zeros; `stored` is what of the file is no hole.
    pub(in super::super) fn own(&self, stored: &Ranges) -> Result<Ranges, QcowError> {
        let bits = self.header.bits;
        let l1 = self.table(
            self.header.l1_offset_bytes,
            bits.l1_entries(self.header.len_bytes)?,
        )?;
        let mut own = Ranges::default();
        // A table that stood for two parts of the image would let a short file ask for endless work.
        let mut tables = BTreeSet::new();
        for (first, entry) in (0..).step_by(len_of(&(0..bits.l2_entries()))).zip(l1) {
            let place = entry.get() & OFFSET_MASK;
            if place == 0 || !stored.overlaps(&(place..place.saturating_add(bits.bytes()))) {
                continue;
            }
            if !tables.insert(place) {
                return Err(QcowError::SharedTable { offset_bytes: place });
            }
            for (cluster, entry) in (first..).zip(self.table(place, bits.l2_entries())?) {
                let entry = entry.get();
                if entry & (COMPRESSED | READS_AS_ZERO | OFFSET_MASK) != 0 {
                    own.push(bits.offset(cluster)..bits.offset(cluster.saturating_add(1)));
                }
            }
        }
        Ok(own.below(self.header.len_bytes))
    }

    /// A whole table.
    fn table(&self, offset_bytes: u64, entries: u64) -> Result<Vec<U64>, DeviceError> {
        let mut table = vec![U64::ZERO; len_of(&(0..entries))];
        self.image.read_at(offset_bytes, table.as_mut_bytes())?;
        Ok(table)
    }

    /// Finds the cluster that holds `offset_bytes`.
    fn lookup(&self, offset_bytes: u64) -> Result<Mapping, DeviceError> {
        let bits = self.header.bits;
        let cluster = bits.cluster_of(offset_bytes);
        let l1 = self.entry(self.header.l1_offset_bytes, bits.table_of(cluster))?;
        let table = l1 & OFFSET_MASK;
        if table == 0 {
            return Ok(Mapping::Backing);
        }
        let entry = self.entry(table, bits.index_in_table(cluster))?;
        if entry & COMPRESSED != 0 {
            return self.compressed(entry);
        }
        Ok(match entry & OFFSET_MASK {
            _ if entry & READS_AS_ZERO != 0 => Mapping::Zero,
            0 => Mapping::Backing,
            offset => Mapping::Stored(offset),
        })
    }

    /// The entry of this number in a table.
    fn entry(&self, table_offset_bytes: u64, index: u64) -> Result<u64, DeviceError> {
        let mut entry = U64::new_zeroed();
        let place = table_offset_bytes.saturating_add(index.saturating_mul(8));
        self.image.read_at(place, entry.as_mut_bytes())?;
        Ok(entry.get())
    }

    /// Where the bytes of a compressed cluster lie: from a byte to the end of a sector, or of the file.
    fn compressed(&self, entry: u64) -> Result<Mapping, DeviceError> {
        let shift = 70_u32.saturating_sub(self.header.bits.0);
        let low = 1_u64.checked_shl(shift).unwrap_or_default().saturating_sub(1);
        let start = entry & low;
        let further = (entry & COMPRESSED.saturating_sub(1))
            .checked_shr(shift)
            .unwrap_or_default();
        let sectors = (start / SECTOR).saturating_add(further).saturating_add(1);
        let end = sectors.saturating_mul(SECTOR).min(self.image.len_bytes());
        if start >= end || !self.header.is_zstd {
            let reason = if self.header.is_zstd {
                "a compressed cluster lies beyond the end"
            } else {
                "the cluster is compressed by zlib, which is not supported"
            };
            return Err(damaged(start, reason));
        }
        Ok(Mapping::Compressed(start..end))
    }

    /// Reads a range that lies within a cluster.
    fn read_piece(&self, range: &Range<u64>, buffer: &mut [u8]) -> Result<(), DeviceError> {
        let bits = self.header.bits;
        let within = range
            .start
            .saturating_sub(bits.offset(bits.cluster_of(range.start)));
        match self.lookup(range.start)? {
            Mapping::Backing => self.read_backing(range, buffer),
            Mapping::Zero => {
                buffer.fill(0);
                Ok(())
            }
            Mapping::Stored(offset) => self.image.read_at(offset.saturating_add(within), buffer),
            Mapping::Compressed(stored) => {
                let mut bytes = vec![0; len_of(&stored)];
                self.image.read_at(stored.start, &mut bytes)?;
                let mut cluster = vec![0; len_of(&(0..bits.bytes()))];
                decompress(&bytes, &mut cluster)
                    .map_err(|error| damaged(stored.start, &error.to_string()))?;
                let wanted = len_of(&(0..within))..len_of(&(0..within)).saturating_add(buffer.len());
                let wanted = cluster.get(wanted).expect("the piece was cut to the cluster");
                buffer.copy_from_slice(wanted);
                Ok(())
            }
        }
    }

    /// Reads what the backing has, and zeros behind it.
    fn read_backing(&self, range: &Range<u64>, buffer: &mut [u8]) -> Result<(), DeviceError> {
        let held = self.backing.as_ref().map_or(0, BlockDevice::len_bytes);
        let held = len_of(&(range.start..held.max(range.start))).min(buffer.len());
        let (shown, beyond) = buffer.split_at_mut(held);
        beyond.fill(0);
        match &self.backing {
            Some(backing) if !shown.is_empty() => backing.read_at(range.start, shown),
            _ => Ok(()),
        }
    }
}

/// Fills `cluster` from the first zstd frame of `bytes`; what lies behind the frame belongs to others.
fn decompress(bytes: &[u8], cluster: &mut [u8]) -> io::Result<()> {
    let mut decoder = zstd::Decoder::with_buffer(bytes)?.single_frame();
    decoder.window_log_max(MOST_WINDOW_LOG)?;
    decoder.read_exact(cluster)
}

/// The error of reading a damaged image.
fn damaged(offset_bytes: u64, reason: &str) -> DeviceError {
    DeviceError::Io {
        operation: "read",
        offset_bytes,
        len_bytes: 0,
        source: io::Error::new(io::ErrorKind::InvalidData, reason),
    }
}

impl BlockDevice for Qcow2Device {
    fn len_bytes(&self) -> u64 {
        self.header.len_bytes
    }

    fn read_at(&self, offset_bytes: u64, mut buffer: &mut [u8]) -> Result<(), DeviceError> {
        let len_bytes = u64::try_from(buffer.len()).unwrap_or(u64::MAX);
        let end = check_range(offset_bytes, len_bytes, self.header.len_bytes)?;
        let bits = self.header.bits;
        let mut start = offset_bytes;
        while start < end {
            let next = bits.offset(bits.cluster_of(start).saturating_add(1)).min(end);
            let (piece, rest) = buffer.split_at_mut(len_of(&(start..next)));
            self.read_piece(&(start..next), piece)?;
            buffer = rest;
            start = next;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::over_backing::tests::{BACKING_NAME, sample, sample_bytes};
    use super::*;
    use crate::block::MemoryDevice;
    use proptest::prelude::*;

    fn refusal(place: usize, bytes: &[u8]) -> String {
        let mut image = sample_bytes();
        image[place..][..bytes.len()].copy_from_slice(bytes);
        let header = Qcow2Header::read(&MemoryDevice::from_bytes(image));
        header.unwrap_err().to_string()
    }

    #[test]
    fn a_header_is_refused_for_what_is_wrong_with_it() {
        let header = Qcow2Header::read(&MemoryDevice::from_bytes(sample_bytes())).unwrap();
        assert_eq!(header.backing_path.unwrap().as_os_str(), BACKING_NAME);
        for (place, bytes, expected) in [
            (0, &b"QFJ"[..], "it is not a qcow2 image"),
            (7, &[2], "a qcow2 image with version 2 is not supported"),
            (18, &[4], "the qcow2 header is damaged: backing_file_size is 1029"),
            (23, &[40], "a qcow2 image with cluster_bits 40 is not supported"),
            (35, &[1], "a qcow2 image with crypt_method 1 is not supported"),
            (39, &[0], "the qcow2 header is damaged: l1_size is 0"),
            (
                40,
                &[1],
                "the qcow2 header is damaged: l1_table_offset is 72057594037940224",
            ),
            (79, &[2], "the qcow2 image is marked as corrupt"),
            (79, &[1], "the qcow2 image is marked as one that was not closed"),
            (
                79,
                &[16],
                "a qcow2 image with incompatible_features 16 is not supported",
            ),
            (103, &[20], "the qcow2 header is damaged: header_length is 20"),
            (
                104,
                &[7],
                "a qcow2 image with compression_type 7 is not supported",
            ),
            (
                120,
                b"vdi",
                "a qcow2 image over a backing of the format `vdi` is not supported, only `raw` is",
            ),
        ] {
            assert_eq!(refusal(place, bytes), expected);
        }
        assert!(matches!(
            Qcow2Header::read(&MemoryDevice::from_bytes(b"QF".to_vec())),
            Err(QcowError::NotQcow2)
        ));
    }

    proptest! {
        #[test]
        fn a_hostile_image_is_read_or_refused(
            changes in prop::collection::vec((prop_oneof![0_usize..160, 0_usize..32_768], any::<u8>()), 1..6),
            cut in prop::option::of(0_usize..40_000),
        ) {
            let (backing, _) = sample();
            let mut image = sample_bytes();
            for (place, byte) in changes {
                if let Some(held) = image.get_mut(place) {
                    *held = byte;
                }
            }
            image.truncate(cut.unwrap_or(usize::MAX));
            let image = Arc::new(MemoryDevice::from_bytes(image));
            if let Ok(header) = Qcow2Header::read(&*image) {
                let len_bytes = header.len_bytes;
                let backing = Arc::new(MemoryDevice::from_bytes(vec![1; len_of(&(0..backing.len_bytes()))]));
                let device = Qcow2Device::new(image, Some(backing), header);
                let mut piece = vec![0; len_of(&(0..len_bytes.min(100_000)))];
                drop(device.read_at(0, &mut piece));
                drop(device.read_at(len_bytes / 2, &mut [0; 9]));
                prop_assert!(device.read_at(len_bytes, &mut [0]).is_err());
            }
        }

        #[test]
        fn a_hostile_frame_is_decompressed_or_refused(
            mut frame in prop::collection::vec(any::<u8>(), 0..200),
            has_magic in any::<bool>(),
        ) {
            if has_magic {
                frame.splice(0..0, [0x28, 0xb5, 0x2f, 0xfd]);
            }
            let mut cluster = vec![0; 65_536];
            drop(decompress(&frame, &mut cluster));
        }
    }
}
