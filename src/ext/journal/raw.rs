//! The structures of the journal as they lie on disk, big-endian throughout
//! (<https://docs.kernel.org/filesystems/ext4/journal.html>). No logic: what a field means is decided where it is
//! decoded. The fast commit records alone are little-endian.

use zerocopy::big_endian::{U16, U32, U64};
use zerocopy::little_endian;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The head of every block of the log but those that carry data.
#[derive(Debug, Clone, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct RawHeader {
    pub(crate) h_magic: U32,
    pub(crate) h_blocktype: U32,
    pub(crate) h_sequence: U32,
}

/// The journal's superblock, in its first block. Version 1 ends with `s_errno`.
#[derive(Debug, Clone, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct RawJournalSuperblock {
    pub(crate) s_header: RawHeader,
    pub(crate) s_blocksize: U32,
    pub(crate) s_maxlen: U32,
    pub(crate) s_first: U32,
    pub(crate) s_sequence: U32,
    pub(crate) s_start: U32,
    pub(crate) s_errno: U32,
    pub(crate) s_feature_compat: U32,
    pub(crate) s_feature_incompat: U32,
    pub(crate) s_feature_ro_compat: U32,
    pub(crate) s_uuid: [u8; 16],
    pub(crate) s_nr_users: U32,
    pub(crate) s_dynsuper: U32,
    pub(crate) s_max_transaction: U32,
    pub(crate) s_max_trans_data: U32,
    pub(crate) s_checksum_type: u8,
    pub(crate) s_padding2: [u8; 3],
    pub(crate) s_num_fc_blocks: U32,
    pub(crate) s_head: U32,
    pub(crate) s_padding: [U32; 40],
    pub(crate) s_checksum: U32,
    pub(crate) s_users: [u8; 768],
}

/// A tag of a descriptor block with checksums of version 3.
#[derive(Debug, Clone, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct RawTag3 {
    pub(crate) t_blocknr: U32,
    pub(crate) t_flags: U32,
    pub(crate) t_blocknr_high: U32,
    pub(crate) t_checksum: U32,
}

/// Any other tag, without the high half of the block number.
#[derive(Debug, Clone, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct RawTag {
    pub(crate) t_blocknr: U32,
    pub(crate) t_checksum: U16,
    pub(crate) t_flags: U16,
}

/// The head of a revocation block; `r_count` counts it too.
#[derive(Debug, Clone, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct RawRevokeHeader {
    pub(crate) r_header: RawHeader,
    pub(crate) r_count: U32,
}

/// The head of a commit block.
#[derive(Debug, Clone, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct RawCommit {
    pub(crate) h_header: RawHeader,
    pub(crate) h_chksum_type: u8,
    pub(crate) h_chksum_size: u8,
    pub(crate) h_padding: [u8; 2],
    pub(crate) h_chksum: [U32; 8],
    pub(crate) h_commit_sec: U64,
    pub(crate) h_commit_nsec: U32,
}

/// The head of a fast commit area: a tag, its length, and what must have been committed before.
#[derive(Debug, Clone, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(crate) struct RawFastCommitHead {
    pub(crate) fc_tag: little_endian::U16,
    pub(crate) fc_len: little_endian::U16,
    pub(crate) fc_features: little_endian::U32,
    pub(crate) fc_tid: little_endian::U32,
}

const _: () = assert!(size_of::<RawHeader>() == 12);
const _: () = assert!(size_of::<RawJournalSuperblock>() == 1024);
const _: () = assert!(std::mem::offset_of!(RawJournalSuperblock, s_uuid) == 0x30);
const _: () = assert!(std::mem::offset_of!(RawJournalSuperblock, s_checksum) == 0xFC);
const _: () = assert!(size_of::<RawTag3>() == 16);
const _: () = assert!(size_of::<RawTag>() == 8);
const _: () = assert!(size_of::<RawRevokeHeader>() == 16);
const _: () = assert!(std::mem::offset_of!(RawCommit, h_chksum) == 0x10);
const _: () = assert!(std::mem::offset_of!(RawCommit, h_commit_sec) == 0x30);
const _: () = assert!(size_of::<RawFastCommitHead>() == 12);
