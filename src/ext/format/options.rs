//! What a new file system shall be like.

use crate::base::Timestamp;

/// A generation of the file system, with the features that go with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExtKind {
    /// Indirect blocks, no journal.
    Ext2,
    /// Indirect blocks and a journal.
    Ext3,
    /// Extents, a journal, 64-bit block numbers and checksums of metadata.
    Ext4,
}

/// What [`format`](super::format()) shall make. The same options give the same bytes.
#[derive(Debug, Clone)]
pub struct FormatOptions {
    /// The generation.
    pub kind: ExtKind,
    /// The block size in bytes: 1024, 2048 or 4096.
    pub block_size: u32,
    /// The length of an inode in bytes: 128, or 256 with room for nanoseconds.
    pub inode_len_bytes: u16,
    /// One inode for this many bytes of the device.
    pub bytes_per_inode: u32,
    /// The file system's UUID.
    pub uuid: [u8; 16],
    /// The seed of the hash by which large directories are sorted.
    pub hash_seed: [u8; 16],
    /// The volume's name, at most 16 bytes.
    pub label: String,
    /// The time of every file and of the file system itself.
    pub now: Timestamp,
    /// How many of a hundred blocks only root may use.
    pub reserved_percent: u8,
    /// The journal's length in blocks, at least 1024; ext2 has none.
    pub journal_blocks: u32,
}
