//! Reads the header of a qcow2 image. The file is anyone's: nothing in it is believed unchecked.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use zerocopy::{FromZeros as _, IntoBytes as _};

use super::super::ranges::len_of;
use super::error::QcowError;
use super::raw::{
    COMPRESSION_ZSTD, EXTENSION_BACKING_FORMAT, HEADER_LENGTH, Header, HeaderExtension,
    INCOMPATIBLE_COMPRESSION_TYPE, INCOMPATIBLE_CORRUPT, INCOMPATIBLE_DIRTY, LEAST_HEADER_LENGTH, MAGIC,
    MOST_BACKING_NAME, VERSION,
};
use super::tables::{ClusterBits, number};
use crate::block::BlockDevice;

/// What the header of a qcow2 image says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Qcow2Header {
    /// The image's length in bytes.
    pub len_bytes: u64,
    /// The backing file, a raw one; a relative path begins at the image's directory.
    pub backing_path: Option<PathBuf>,
    pub(super) bits: ClusterBits,
    pub(super) l1_offset_bytes: u64,
    /// How many internal snapshots the image has.
    pub(super) snapshots: u32,
    /// What has to be given up once the image is changed, such as bitmaps of what a backup has to copy.
    pub(super) autoclear_features: u64,
    /// Whether compressed clusters are zstd's; zlib's are not read.
    pub(super) is_zstd: bool,
}

impl Qcow2Header {
    /// Reads and checks the header of `image`.
    pub fn read(image: &dyn BlockDevice) -> Result<Self, QcowError> {
        let mut raw = Header::new_zeroed();
        let bytes = raw.as_mut_bytes();
        let held = len_of(&(0..image.len_bytes())).min(bytes.len());
        image.read_at(0, bytes.split_at_mut(held).0)?;
        if raw.magic.get() != MAGIC {
            return Err(QcowError::NotQcow2);
        }
        check_kind(&raw)?;
        let bits = ClusterBits(raw.cluster_bits.get());
        let len_bytes = raw.size.get();
        let l1_entries = u64::from(raw.l1_size.get());
        if l1_entries < bits.l1_entries(len_bytes)? {
            return damaged("l1_size", l1_entries);
        }
        let l1_offset_bytes = raw.l1_table_offset.get();
        let l1_end = l1_offset_bytes.checked_add(l1_entries.saturating_mul(8));
        if l1_end.is_none_or(|end| end > image.len_bytes()) {
            return damaged("l1_table_offset", l1_offset_bytes);
        }
        Ok(Self {
            len_bytes,
            backing_path: backing_path(image, &raw, bits)?,
            bits,
            l1_offset_bytes,
            snapshots: raw.nb_snapshots.get(),
            autoclear_features: raw.autoclear_features.get(),
            is_zstd: compression_type(&raw) == COMPRESSION_ZSTD,
        })
    }

    /// Refuses an image that holds more than its disk: written anew it would lose that.
    pub fn ensure_is_disk_only(&self) -> Result<(), QcowError> {
        if self.snapshots > 0 {
            return Err(QcowError::Snapshots {
                count: self.snapshots,
            });
        }
        match self.autoclear_features {
            0 => Ok(()),
            bits => Err(QcowError::Autoclear { bits }),
        }
    }
}

fn damaged<T>(field: &'static str, found: u64) -> Result<T, QcowError> {
    Err(QcowError::Damaged { field, found })
}

/// The compression type; a header too short to have one means zlib.
fn compression_type(raw: &Header) -> u8 {
    if number(HEADER_LENGTH) <= u64::from(raw.header_length.get()) {
        raw.compression_type
    } else {
        0
    }
}

/// Refuses what is of another version, or has features that this reader does not know.
fn check_kind(raw: &Header) -> Result<(), QcowError> {
    let refuse = |field, found| Err(QcowError::Unsupported { field, found });
    let features = raw.incompatible_features.get();
    if raw.version.get() != VERSION {
        refuse("version", raw.version.get().into())
    } else if features & INCOMPATIBLE_CORRUPT != 0 {
        Err(QcowError::MarkedCorrupt)
    } else if features & INCOMPATIBLE_DIRTY != 0 {
        Err(QcowError::MarkedDirty)
    } else if features & !INCOMPATIBLE_COMPRESSION_TYPE != 0 {
        refuse("incompatible_features", features)
    } else if raw.crypt_method.get() != 0 {
        refuse("crypt_method", raw.crypt_method.get().into())
    } else if !(9..=21).contains(&raw.cluster_bits.get()) {
        refuse("cluster_bits", raw.cluster_bits.get().into())
    } else if raw.header_length.get() < LEAST_HEADER_LENGTH {
        damaged("header_length", raw.header_length.get().into())
    } else if compression_type(raw) > COMPRESSION_ZSTD {
        refuse("compression_type", compression_type(raw).into())
    } else {
        Ok(())
    }
}

/// The backing's path, if there is a backing; it has to be said to be raw.
fn backing_path(
    image: &dyn BlockDevice,
    raw: &Header,
    bits: ClusterBits,
) -> Result<Option<PathBuf>, QcowError> {
    let offset = raw.backing_file_offset.get();
    if offset == 0 {
        return Ok(None);
    }
    let len_bytes = raw.backing_file_size.get();
    let mut name = vec![
        0;
        usize::try_from(len_bytes)
            .unwrap_or(usize::MAX)
            .min(MOST_BACKING_NAME)
    ];
    if number(name.len()) != u64::from(len_bytes) || name.is_empty() {
        return damaged("backing_file_size", len_bytes.into());
    }
    image.read_at(offset, &mut name)?;
    let format = backing_format(image, raw, bits)?;
    if format != b"raw" {
        let format = String::from_utf8_lossy(&format).into_owned();
        return Err(QcowError::BackingFormat { format });
    }
    Ok(Some(OsString::from_vec(name).into()))
}

/// What the header extension of the backing's format says; nothing if there is none.
fn backing_format(image: &dyn BlockDevice, raw: &Header, bits: ClusterBits) -> Result<Vec<u8>, QcowError> {
    let end = bits.bytes().min(image.len_bytes());
    let mut place = u64::from(raw.header_length.get());
    while place < end {
        let mut head = HeaderExtension::new_zeroed();
        image.read_at(place, head.as_mut_bytes())?;
        let data = place.saturating_add(8);
        let len_bytes = u64::from(head.len_bytes.get());
        match head.kind.get() {
            0 => break,
            EXTENSION_BACKING_FORMAT if data.saturating_add(len_bytes) <= end => {
                let mut format = vec![0; len_of(&(0..len_bytes))];
                image.read_at(data, &mut format)?;
                return Ok(format);
            }
            _ => place = data.saturating_add(len_bytes.next_multiple_of(8)),
        }
    }
    Ok(Vec::new())
}
