//! Group descriptors (<https://docs.kernel.org/filesystems/ext4/group_descr.html>). A file system without the `64bit`
//! feature stores only the first 32 bytes of each.

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// One group's descriptor.
#[derive(Debug, Clone, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct RawGroupDescriptor {
    pub(crate) bg_block_bitmap_lo: U32,
    pub(crate) bg_inode_bitmap_lo: U32,
    pub(crate) bg_inode_table_lo: U32,
    pub(crate) bg_free_blocks_count_lo: U16,
    pub(crate) bg_free_inodes_count_lo: U16,
    pub(crate) bg_used_dirs_count_lo: U16,
    pub(crate) bg_flags: U16,
    pub(crate) bg_exclude_bitmap_lo: U32,
    pub(crate) bg_block_bitmap_csum_lo: U16,
    pub(crate) bg_inode_bitmap_csum_lo: U16,
    pub(crate) bg_itable_unused_lo: U16,
    pub(crate) bg_checksum: U16,
    pub(crate) bg_block_bitmap_hi: U32,
    pub(crate) bg_inode_bitmap_hi: U32,
    pub(crate) bg_inode_table_hi: U32,
    pub(crate) bg_free_blocks_count_hi: U16,
    pub(crate) bg_free_inodes_count_hi: U16,
    pub(crate) bg_used_dirs_count_hi: U16,
    pub(crate) bg_itable_unused_hi: U16,
    pub(crate) bg_exclude_bitmap_hi: U32,
    pub(crate) bg_block_bitmap_csum_hi: U16,
    pub(crate) bg_inode_bitmap_csum_hi: U16,
    pub(crate) bg_reserved: U32,
}

const _: () = assert!(size_of::<RawGroupDescriptor>() == 64);
const _: () = assert!(std::mem::offset_of!(RawGroupDescriptor, bg_checksum) == 0x1E);
