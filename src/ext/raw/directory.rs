//! Directory blocks (<https://docs.kernel.org/filesystems/ext4/directory.html>): entries, the checksum tail, and the
//! nodes of a hash tree.

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The head of an entry; the name follows. Without the `filetype` feature, `file_type` is the name length's high byte.
#[derive(Debug, Clone, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct RawDirEntry {
    pub(crate) inode: U32,
    pub(crate) rec_len: U16,
    pub(crate) name_len: u8,
    pub(crate) file_type: u8,
}

/// The tail of a leaf block on a file system with `metadata_csum`; to other eyes an unused entry.
#[derive(Debug, Clone, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct RawDirTail {
    pub(crate) det_reserved_zero1: U32,
    pub(crate) det_rec_len: U16,
    pub(crate) det_reserved_zero2: u8,
    pub(crate) det_reserved_ft: u8,
    pub(crate) det_checksum: U32,
}

/// What follows the `..` entry of a hash tree's root.
#[derive(Debug, Clone, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct RawDxRootInfo {
    pub(crate) reserved_zero: U32,
    pub(crate) hash_version: u8,
    pub(crate) info_length: u8,
    pub(crate) indirect_levels: u8,
    pub(crate) unused_flags: u8,
}

/// Lies where the first entry of a node would have its hash.
#[derive(Debug, Clone, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct RawDxCountLimit {
    pub(crate) limit: U16,
    pub(crate) count: U16,
}

/// An entry of a hash tree's node: the block for hashes from `hash` on.
#[derive(Debug, Clone, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct RawDxEntry {
    pub(crate) hash: U32,
    pub(crate) block: U32,
}

/// The tail of a hash tree's node, after the last possible entry.
#[derive(Debug, Clone, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct RawDxTail {
    pub(crate) dt_reserved: U32,
    pub(crate) dt_checksum: U32,
}

const _: () = assert!(size_of::<RawDirEntry>() == 8);
const _: () = assert!(size_of::<RawDirTail>() == 12);
const _: () = assert!(size_of::<RawDxRootInfo>() == 8);
const _: () = assert!(size_of::<RawDxCountLimit>() == 4);
const _: () = assert!(size_of::<RawDxEntry>() == 8);
const _: () = assert!(size_of::<RawDxTail>() == 8);
