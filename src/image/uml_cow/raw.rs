//! The header of a COW file, version 3, as it lies on the disk: every number is big-endian.
//!
//! The format is known from the kernel's `arch/um/drivers/cow_user.c` and from what `uml_mkcow` writes.

use zerocopy::big_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// `OOOM`.
pub(super) const COW_MAGIC: u32 = 0x4f4f_4f4d;

/// The only version that is written, and the only one read.
pub(super) const COW_VERSION: u32 = 3;

/// The only `cow_format`: a bitmap of the sectors that the file holds.
pub(super) const COW_BITMAP: u32 = 0;

/// How many bytes the backing file's path may take, its closing zero included.
pub(super) const PATH_LEN_V3: usize = 4096;

/// The header at the beginning of the file.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct CowHeaderV3 {
    pub(super) magic: U32,
    pub(super) version: U32,
    /// The backing file's time of modification, in seconds.
    pub(super) mtime: U32,
    /// The backing file's length in bytes.
    pub(super) size: U64,
    pub(super) sectorsize: U32,
    pub(super) alignment: U32,
    pub(super) cow_format: U32,
    /// Ends at the first zero; what lies behind it means nothing.
    pub(super) backing_file: [u8; PATH_LEN_V3],
}

const _: () = assert!(size_of::<CowHeaderV3>() == 4128);
