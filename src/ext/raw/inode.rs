//! Inodes (<https://docs.kernel.org/filesystems/ext4/inodes.html>): 128 bytes that all have, and what larger inodes add.

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The part of an inode that every revision has, in Linux's reading of the system-dependent fields.
#[derive(Debug, Clone, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct RawInode {
    pub(crate) i_mode: U16,
    pub(crate) i_uid: U16,
    pub(crate) i_size_lo: U32,
    pub(crate) i_atime: U32,
    pub(crate) i_ctime: U32,
    pub(crate) i_mtime: U32,
    pub(crate) i_dtime: U32,
    pub(crate) i_gid: U16,
    pub(crate) i_links_count: U16,
    pub(crate) i_blocks_lo: U32,
    pub(crate) i_flags: U32,
    pub(crate) l_i_version: U32,
    pub(crate) i_block: [u8; 60],
    pub(crate) i_generation: U32,
    pub(crate) i_file_acl_lo: U32,
    pub(crate) i_size_high: U32,
    pub(crate) i_obso_faddr: U32,
    pub(crate) l_i_blocks_high: U16,
    pub(crate) l_i_file_acl_high: U16,
    pub(crate) l_i_uid_high: U16,
    pub(crate) l_i_gid_high: U16,
    pub(crate) l_i_checksum_lo: U16,
    pub(crate) l_i_reserved: U16,
}

/// What follows in inodes of more than 128 bytes; only the first `i_extra_isize` bytes of it are valid.
#[derive(Debug, Clone, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct RawInodeExtra {
    pub(crate) i_extra_isize: U16,
    pub(crate) i_checksum_hi: U16,
    pub(crate) i_ctime_extra: U32,
    pub(crate) i_mtime_extra: U32,
    pub(crate) i_atime_extra: U32,
    pub(crate) i_crtime: U32,
    pub(crate) i_crtime_extra: U32,
    pub(crate) i_version_hi: U32,
    pub(crate) i_projid: U32,
}

const _: () = assert!(size_of::<RawInode>() == 128);
const _: () = assert!(std::mem::offset_of!(RawInode, i_block) == 0x28);
const _: () = assert!(std::mem::offset_of!(RawInode, l_i_checksum_lo) == 0x7C);
const _: () = assert!(size_of::<RawInodeExtra>() == 32);
