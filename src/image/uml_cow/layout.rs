//! Where the parts of a COW file lie.
//!
//! ```text
//!      0  header, 4128 bytes
//!   8192  bitmap: one bit a sector, the least significant bit of a byte first; 1 = the sector is in this file
//!      n  data: sector i at n + 512 * i; what the bitmap does not name is a hole
//! ```

use super::raw::CowHeaderV3;

/// The unit of the bitmap.
pub(super) const SECTOR: u64 = 512;

/// What the bitmap and the data are aligned to in the files that we write.
pub(super) const ALIGNMENT: u64 = 4096;

/// The bytes of the header.
const HEADER_BYTES: u64 = {
    assert!(size_of::<CowHeaderV3>() == 4128);
    4128
};

/// Where the parts of a COW file lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) bitmap_offset_bytes: u64,
    pub(super) data_offset_bytes: u64,
    /// The whole file's length.
    pub(super) end_bytes: u64,
}

impl Layout {
    /// The parts for a backing file of `len_bytes`, or nothing if the file would be longer than a file can be.
    pub(super) fn of(len_bytes: u64, alignment: u64) -> Option<Self> {
        let bitmap_offset_bytes = HEADER_BYTES.checked_next_multiple_of(alignment)?;
        let bitmap_bytes = len_bytes.div_ceil(SECTOR).div_ceil(8);
        let data_offset_bytes = bitmap_offset_bytes
            .checked_add(bitmap_bytes)?
            .checked_next_multiple_of(alignment)?;
        let end_bytes = data_offset_bytes.checked_add(len_bytes)?;
        i64::try_from(end_bytes).ok()?;
        Some(Self {
            bitmap_offset_bytes,
            data_offset_bytes,
            end_bytes,
        })
    }
}
