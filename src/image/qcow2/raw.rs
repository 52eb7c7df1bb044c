//! The structures of qcow2 version 3, as they lie on the disk: every number is big-endian.
//!
//! [The format's specification](https://qemu-project.gitlab.io/qemu/interop/qcow2.html) names the fields.

use zerocopy::big_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// `QFI\xfb`.
pub(super) const MAGIC: u32 = 0x5146_49fb;

/// The version that is written.
pub(super) const VERSION: u32 = 3;

/// Refcounts of 16 bits: two to this power.
pub(super) const REFCOUNT_ORDER: u32 = 4;

/// Incompatible feature bit 0: the refcounts may be wrong.
pub(super) const INCOMPATIBLE_DIRTY: u64 = 1;

/// Incompatible feature bit 1: the image is damaged.
pub(super) const INCOMPATIBLE_CORRUPT: u64 = 1 << 1;

/// Incompatible feature bit 3: the compression is not zlib's.
pub(super) const INCOMPATIBLE_COMPRESSION_TYPE: u64 = 1 << 3;

/// The compression type of zstd.
pub(super) const COMPRESSION_ZSTD: u8 = 1;

/// The longest backing file name, in bytes.
pub(super) const MOST_BACKING_NAME: usize = 1023;

/// The longest L1 table that QEMU loads, in bytes (`QCOW_MAX_L1_SIZE`).
pub(super) const MOST_L1_BYTES: u64 = 32 << 20;

/// The type of the header extension that names the backing file's format.
pub(super) const EXTENSION_BACKING_FORMAT: u32 = 0xe279_2aca;

/// [L1 table entry and Standard Cluster Descriptor][spec], bit 63: the cluster's refcount is exactly one.
///
/// [spec]: https://qemu-project.gitlab.io/qemu/interop/qcow2.html#cluster-mapping
pub(super) const COPIED: u64 = 1 << 63;

/// L2 table entry, bit 62: the cluster is compressed.
pub(super) const COMPRESSED: u64 = 1 << 62;

/// L1 and L2 table entries, bits 9 to 55: where the cluster or the table lies.
pub(super) const OFFSET_MASK: u64 = 0x00ff_ffff_ffff_fe00;

/// Standard Cluster Descriptor, bit 0: the cluster reads as zero.
pub(super) const READS_AS_ZERO: u64 = 1;

/// The header, its additional fields included.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct Header {
    pub(super) magic: U32,
    pub(super) version: U32,
    pub(super) backing_file_offset: U64,
    pub(super) backing_file_size: U32,
    pub(super) cluster_bits: U32,
    /// The image's length in bytes.
    pub(super) size: U64,
    pub(super) crypt_method: U32,
    /// The number of entries.
    pub(super) l1_size: U32,
    pub(super) l1_table_offset: U64,
    pub(super) refcount_table_offset: U64,
    pub(super) refcount_table_clusters: U32,
    pub(super) nb_snapshots: U32,
    pub(super) snapshots_offset: U64,
    pub(super) incompatible_features: U64,
    pub(super) compatible_features: U64,
    pub(super) autoclear_features: U64,
    pub(super) refcount_order: U32,
    pub(super) header_length: U32,
    pub(super) compression_type: u8,
    pub(super) padding: [u8; 7],
}

const _: () = assert!(size_of::<Header>() == HEADER_LENGTH);

/// The length of [`Header`] in bytes.
pub(super) const HEADER_LENGTH: usize = 112;

/// The shortest header of version 3: without the compression type.
pub(super) const LEAST_HEADER_LENGTH: u32 = 104;

/// What comes before each header extension's data.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct HeaderExtension {
    pub(super) kind: U32,
    pub(super) len_bytes: U32,
}

const _: () = assert!(size_of::<HeaderExtension>() == 8);
