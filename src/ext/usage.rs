//! What is in use: counts, and the ranges that a copy of the image must hold.

use std::ops::Range;

use super::error::{Access, ExtError};
use super::feature;
use super::fs::Fs;
use super::types::FsBlock;

/// How full a file system is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// All blocks.
    pub blocks: u64,
    /// The free blocks, reserved ones included.
    pub free_blocks: u64,
    /// The blocks kept for root.
    pub reserved_blocks: u64,
    /// All inodes.
    pub inodes: u64,
    /// The free inodes.
    pub free_inodes: u64,
}

impl Fs {
    /// How full the file system is, changes included.
    pub fn usage(&self) -> Usage {
        let geometry = self.superblock.geometry();
        Usage {
            blocks: geometry.blocks_count,
            free_blocks: self.superblock.free_blocks_count(),
            reserved_blocks: self.superblock.reserved_blocks_count(),
            inodes: geometry.inodes_count.into(),
            free_inodes: self.superblock.free_inodes_count().into(),
        }
    }

    /// The byte ranges of all blocks in use, sorted and as long as can be: what a copy of the image must hold.
    ///
    /// # Errors
    /// [`ExtError::Unsupported`] for `bigalloc`; [`ExtError::Corrupt`] for a bitmap with a wrong
    /// checksum.
    pub fn used_ranges(&self) -> Result<Vec<Range<u64>>, ExtError> {
        let features = self.superblock.features();
        if features.has(feature::BIGALLOC) {
            features.check(Access::Edit)?;
        }
        let geometry = self.superblock.geometry();
        let bytes = |block: FsBlock| block.byte_offset(geometry.block_size);
        let mut ranges: Vec<Range<u64>> = Vec::new();
        let mut add = |range: Range<u64>| match ranges.last_mut() {
            Some(last) if last.end >= range.start => last.end = last.end.max(range.end),
            _ => ranges.push(range),
        };
        add(0..bytes(FsBlock(geometry.first_data_block.into()).plus(1)));
        for group in geometry.groups() {
            let start = geometry.group_start(group);
            for run in self.load_block_bitmap(group)?.set_runs() {
                add(bytes(start.plus(run.start.into()))..bytes(start.plus(run.end.into())));
            }
        }
        Ok(ranges)
    }
}
