//! Extent tree nodes (<https://docs.kernel.org/filesystems/ext4/ifork.html#extent-tree>).

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The head of every node.
#[derive(Debug, Clone, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct RawExtentHeader {
    pub(crate) eh_magic: U16,
    pub(crate) eh_entries: U16,
    pub(crate) eh_max: U16,
    pub(crate) eh_depth: U16,
    pub(crate) eh_generation: U32,
}

/// An entry of an inner node: where the child for the file blocks from `ei_block` on lies.
#[derive(Debug, Clone, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct RawExtentIndex {
    pub(crate) ei_block: U32,
    pub(crate) ei_leaf_lo: U32,
    pub(crate) ei_leaf_hi: U16,
    pub(crate) ei_unused: U16,
}

/// An entry of a leaf; `ee_len` above 32768 means that many blocks less 32768, allocated but unwritten.
#[derive(Debug, Clone, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct RawExtent {
    pub(crate) ee_block: U32,
    pub(crate) ee_len: U16,
    pub(crate) ee_start_hi: U16,
    pub(crate) ee_start_lo: U32,
}

const _: () = assert!(size_of::<RawExtentHeader>() == 12);
const _: () = assert!(size_of::<RawExtentIndex>() == 12);
const _: () = assert!(size_of::<RawExtent>() == 12);
