//! The block of multiple mount protection (<https://docs.kernel.org/filesystems/ext4/mmp.html>).

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Who uses the file system, and since when.
#[derive(Debug, Clone, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct RawMmp {
    pub(crate) mmp_magic: U32,
    pub(crate) mmp_seq: U32,
    pub(crate) mmp_time: U64,
    pub(crate) mmp_nodename: [u8; 64],
    pub(crate) mmp_bdevname: [u8; 32],
    pub(crate) mmp_check_interval: U16,
    pub(crate) mmp_pad1: U16,
    pub(crate) mmp_pad2: [U32; 226],
    pub(crate) mmp_checksum: U32,
}

const _: () = assert!(size_of::<RawMmp>() == 1024);
