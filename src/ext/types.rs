//! Numbers with a meaning: blocks, groups, inodes and the block size.

use std::fmt;
use std::num::NonZeroU32;

/// A block of the file system, counted from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FsBlock(pub u64);

/// A block of a file, counted from the file's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileBlock(pub u32);

/// A block group, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupNo(pub u32);

/// An inode's number; the first is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InodeNo(NonZeroU32);

/// The size of a block: a power of two from 1024 to 65536 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockSize(u32);

/// Whether a symbolic link in the last component of a path is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    /// Every link is followed.
    All,
    /// A link in the last component is the thing itself.
    NotLast,
}

impl FsBlock {
    /// Where the block begins on the device.
    pub fn byte_offset(self, block_size: BlockSize) -> u64 {
        self.0.saturating_mul(u64::from(block_size.bytes()))
    }

    /// The block `count` further on.
    #[must_use]
    pub fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }
}

impl InodeNo {
    /// The root directory.
    pub const ROOT: Self = Self(NonZeroU32::new(2).expect("two is not zero"));
    /// The inode that holds the blocks reserved for a growing descriptor table.
    pub const RESIZE: Self = Self(NonZeroU32::new(7).expect("seven is not zero"));

    /// `None` for zero, which marks an unused entry.
    pub fn new(number: u32) -> Option<Self> {
        NonZeroU32::new(number).map(Self)
    }

    /// The number.
    pub fn get(self) -> u32 {
        self.0.get()
    }

    /// The number counted from 0, as tables and bitmaps count.
    pub(crate) fn index(self) -> u32 {
        self.get().saturating_sub(1)
    }
}

impl BlockSize {
    /// The size `1024 << log`, as superblocks give it; `None` beyond 65536 bytes.
    pub fn from_log(log: u32) -> Option<Self> {
        (log <= 6).then(|| Self(1024_u32.wrapping_shl(log)))
    }

    /// In bytes.
    pub fn bytes(self) -> u32 {
        self.0
    }

    /// In bytes, as the length of a buffer.
    pub fn buffer_len(self) -> usize {
        index(self.0)
    }

    /// How many blocks hold `len_bytes` bytes.
    pub fn blocks_for(self, len_bytes: u64) -> u64 {
        len_bytes.div_ceil(u64::from(self.0))
    }

    /// The bits that a bitmap of one block holds.
    pub(crate) fn bits(self) -> u32 {
        self.0.saturating_mul(8)
    }
}

impl fmt::Display for FsBlock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Display for FileBlock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Display for GroupNo {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Display for InodeNo {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A number as a length or position in memory; one that memory cannot hold becomes the largest, which every bounds
/// check refuses.
pub(crate) fn index(number: impl TryInto<usize>) -> usize {
    number.try_into().unwrap_or(usize::MAX)
}

/// A length in memory as a number of bytes.
pub(crate) fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// Two halves as the one number that they are.
pub(crate) fn join32(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high).wrapping_shl(32)
}

/// The low and the high half of a number.
pub(crate) fn split64(number: u64) -> (u32, u32) {
    let low = u32::try_from(number & 0xFFFF_FFFF).unwrap_or(0);
    let high = u32::try_from(number.wrapping_shr(32)).unwrap_or(0);
    (low, high)
}

/// Two halves as the one number that they are.
pub(crate) fn join16(low: u16, high: u16) -> u32 {
    u32::from(low) | u32::from(high).wrapping_shl(16)
}

/// The low and the high half of a number.
pub(crate) fn split32(number: u32) -> (u16, u16) {
    let low = u16::try_from(number & 0xFFFF).unwrap_or(0);
    let high = u16::try_from(number.wrapping_shr(16)).unwrap_or(0);
    (low, high)
}
