//! Where everything of group 0 lies, as numbers; nothing is written here.
//!
//! ```text
//!   | superblock | descriptors | reserved descriptors | block bitmap | inode bitmap | inode table |
//!   | root directory | lost+found | resize map | journal map | journal | free ...
//! ```

use super::options::{ExtKind, FormatOptions};
use crate::ext::types::BlockSize;

/// Says why no file system can be made.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// The block size, inode length or inode density is none that a file system has.
    #[error("a file system cannot have {option} {value}")]
    Option {
        /// Which option.
        option: &'static str,
        /// Its value.
        value: u64,
    },
    /// What every file system holds does not fit.
    #[error("{len_bytes} bytes are too few for this file system: it needs at least {needed_bytes}")]
    TooSmall {
        /// The device's length.
        len_bytes: u64,
        /// The shortest device that would do.
        needed_bytes: u64,
    },
    /// Writing or growing failed.
    #[error("cannot write the file system")]
    Write(#[from] crate::ext::ExtError),
}

/// A run of blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Run {
    pub(super) first: u32,
    pub(super) count: u32,
}

/// The numbers of a file system of one group.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) block_size: BlockSize,
    pub(super) first_data_block: u32,
    pub(super) blocks_count: u32,
    pub(super) blocks_per_group: u32,
    pub(super) inodes_per_group: u32,
    pub(super) reserved_descriptor_blocks: u32,
    pub(super) block_bitmap: u32,
    pub(super) inode_bitmap: u32,
    pub(super) inode_table: Run,
    pub(super) root_directory: u32,
    pub(super) lost_found: u32,
    pub(super) resize_map: u32,
    pub(super) journal_map: Run,
    pub(super) journal: Run,
    /// The first block that nothing uses.
    pub(super) end: u32,
}

/// The length up to which every file system can grow without moving a block.
const GROWS_TO_BYTES: u64 = 16 << 30;

/// How many times its first length a file system can grow to without moving a block, as with mke2fs.
const GROWS_BY: u64 = 1024;

/// The shortest journal that the kernel takes, in blocks.
const JOURNAL_MIN: u32 = 1024;

const JOURNAL_OPTION: &str = "a journal with a number of blocks of";

/// As resize2fs, leave some room for files.
const FREE_MIN: u32 = 50;

impl Layout {
    /// Plans group 0 of a file system on `len_bytes`.
    pub(super) fn plan(len_bytes: u64, options: &FormatOptions) -> Result<Self, FormatError> {
        let block_size = block_size(options.block_size)?;
        let first_data_block = u32::from(block_size.bytes() == 1024);
        let descriptor_len = if options.kind == ExtKind::Ext4 { 64 } else { 32 };
        let mut layout = Self {
            block_size,
            first_data_block,
            blocks_count: narrow(divided(len_bytes, block_size.bytes())),
            blocks_per_group: block_size.bits(),
            inodes_per_group: inodes_per_group(block_size, options)?,
            reserved_descriptor_blocks: reserved_descriptor_blocks(len_bytes, block_size, descriptor_len),
            block_bitmap: 0,
            inode_bitmap: 0,
            inode_table: Run::default(),
            root_directory: 0,
            lost_found: 0,
            resize_map: 0,
            journal_map: Run::default(),
            journal: Run::default(),
            end: first_data_block.saturating_add(2),
        };
        layout.place(options)?;
        layout.cut_to_group(len_bytes)?;
        Ok(layout)
    }

    /// Gives every part its place, one behind the other.
    fn place(&mut self, options: &FormatOptions) -> Result<(), FormatError> {
        let journal_len = journal_len(options)?;
        let map_len = match options.kind {
            ExtKind::Ext3 => map_blocks(journal_len, self.block_size),
            ExtKind::Ext2 | ExtKind::Ext4 => 0,
        };
        let table_bytes = u64::from(self.inodes_per_group).saturating_mul(u64::from(options.inode_len_bytes));
        self.take(self.reserved_descriptor_blocks);
        self.block_bitmap = self.take(1).first;
        self.inode_bitmap = self.take(1).first;
        self.inode_table = self.take(narrow(self.block_size.blocks_for(table_bytes)));
        self.root_directory = self.take(1).first;
        self.lost_found = self.take(1).first;
        self.resize_map = self.take(1).first;
        self.journal_map = self.take(map_len);
        self.journal = self.take(journal_len);
        Ok(())
    }

    fn take(&mut self, count: u32) -> Run {
        let first = self.end;
        self.end = self.end.saturating_add(count);
        Run { first, count }
    }

    /// Leaves off what lies beyond the group, which must hold all that was placed and some room.
    fn cut_to_group(&mut self, len_bytes: u64) -> Result<(), FormatError> {
        let group_end = self.first_data_block.saturating_add(self.blocks_per_group);
        let needed = self.end.saturating_add(FREE_MIN);
        if needed > group_end {
            let value = u64::from(self.journal.count);
            return Err(FormatError::Option {
                option: JOURNAL_OPTION,
                value,
            });
        }
        if self.blocks_count < needed {
            let needed_bytes = u64::from(needed).saturating_mul(u64::from(self.block_size.bytes()));
            return Err(FormatError::TooSmall {
                len_bytes,
                needed_bytes,
            });
        }
        self.blocks_count = self.blocks_count.min(group_end);
        Ok(())
    }

    /// The blocks of the group that nothing uses.
    pub(super) fn free_blocks_count(&self) -> u32 {
        self.blocks_count.saturating_sub(self.end)
    }
}

fn block_size(bytes: u32) -> Result<BlockSize, FormatError> {
    [0, 1, 2]
        .into_iter()
        .filter_map(BlockSize::from_log)
        .find(|size| size.bytes() == bytes)
        .ok_or(FormatError::Option {
            option: "a block size of",
            value: u64::from(bytes),
        })
}

/// Inodes for a whole group, so many that they fill the blocks of their table.
fn inodes_per_group(block_size: BlockSize, options: &FormatOptions) -> Result<u32, FormatError> {
    let inode_len = u32::from(options.inode_len_bytes);
    if !matches!(inode_len, 128 | 256) {
        return Err(FormatError::Option {
            option: "an inode length of",
            value: u64::from(inode_len),
        });
    }
    if options.bytes_per_inode < 1024 {
        return Err(FormatError::Option {
            option: "bytes per inode of",
            value: u64::from(options.bytes_per_inode),
        });
    }
    let group_bytes = u64::from(block_size.bits()).saturating_mul(u64::from(block_size.bytes()));
    let wanted = divided(group_bytes, options.bytes_per_inode);
    let in_block = divided(block_size.bytes().into(), inode_len).max(1);
    let filled = wanted.max(16).next_multiple_of(in_block.max(8));
    Ok(narrow(filled).min(block_size.bits()))
}

/// How many blocks of descriptors to keep free for growth.
fn reserved_descriptor_blocks(len_bytes: u64, block_size: BlockSize, descriptor_len: u32) -> u32 {
    let block_bytes = u64::from(block_size.bytes());
    let group_bytes = u64::from(block_size.bits()).saturating_mul(block_bytes);
    let limit = u64::from(u32::MAX).saturating_mul(block_bytes);
    let longest = len_bytes.saturating_mul(GROWS_BY).max(GROWS_TO_BYTES).min(limit);
    let in_block = divided(block_size.bytes().into(), descriptor_len).max(1);
    let blocks = longest.div_ceil(group_bytes).div_ceil(in_block);
    narrow(blocks.saturating_sub(1)).clamp(1, pointers_in_block(block_size))
}

fn journal_len(options: &FormatOptions) -> Result<u32, FormatError> {
    match (options.kind, options.journal_blocks) {
        (ExtKind::Ext2, _) => Ok(0),
        (_, JOURNAL_MIN..) => Ok(options.journal_blocks),
        (_, count) => Err(FormatError::Option {
            option: JOURNAL_OPTION,
            value: u64::from(count),
        }),
    }
}

/// How many block numbers an indirect block holds.
pub(super) fn pointers_in_block(block_size: BlockSize) -> u32 {
    block_size.bytes() / 4
}

/// How many indirect blocks a file of `count` blocks needs; up to the second order.
fn map_blocks(count: u32, block_size: BlockSize) -> u32 {
    let pointers = pointers_in_block(block_size);
    let beyond_direct = count.saturating_sub(12);
    let beyond_first = beyond_direct.saturating_sub(pointers);
    let second = match beyond_first {
        0 => 0,
        count => count.div_ceil(pointers.max(1)).saturating_add(1),
    };
    u32::from(beyond_direct > 0).saturating_add(second)
}

fn divided(number: u64, by: u32) -> u64 {
    number.checked_div(by.into()).unwrap_or(0)
}

/// A number of blocks; more than 32 bits hold become the most that they do, and never fit.
fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
