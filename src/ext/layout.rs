//! Which blocks hold the file system's own tables
//! (<https://docs.kernel.org/filesystems/ext4/blockgroup.html>).

use super::group::{GroupTable, has_superblock};
use super::superblock::Superblock;
use super::types::{FsBlock, GroupNo};

/// The blocks from `start` up to, not including, `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BlockRange {
    pub(crate) start: FsBlock,
    pub(crate) end: FsBlock,
}

impl BlockRange {
    /// `count` blocks from `start` on.
    pub(crate) fn new(start: FsBlock, count: u64) -> Self {
        Self {
            start,
            end: start.plus(count),
        }
    }

    /// How many blocks there are.
    pub(crate) fn len(&self) -> u64 {
        self.end.0.saturating_sub(self.start.0)
    }
}

/// The blocks of all copies of superblock and descriptors, all bitmaps and all inode tables, sorted by start.
///
/// Descriptors spread over the groups (`meta_bg`) are not covered.
pub(crate) fn fixed_metadata(superblock: &Superblock, groups: &GroupTable) -> Vec<BlockRange> {
    let geometry = superblock.geometry();
    let mut ranges = Vec::new();
    for group in geometry.groups() {
        let copies = copies_len(superblock, group);
        if copies > 0 {
            ranges.push(BlockRange::new(geometry.group_start(group), copies));
        }
        if let Ok(descriptor) = groups.get(group) {
            ranges.push(BlockRange::new(descriptor.block_bitmap, 1));
            ranges.push(BlockRange::new(descriptor.inode_bitmap, 1));
            ranges.push(BlockRange::new(
                descriptor.inode_table,
                geometry.inode_table_blocks(),
            ));
        }
    }
    ranges.sort_unstable();
    ranges
}

/// How many blocks at the start of `group` hold copies of superblock and descriptors, those reserved included.
pub(crate) fn copies_len(superblock: &Superblock, group: GroupNo) -> u64 {
    if !has_superblock(superblock, group) {
        return 0;
    }
    let reserved = u64::from(superblock.reserved_gdt_blocks());
    superblock
        .geometry()
        .descriptor_blocks()
        .saturating_add(reserved)
        .saturating_add(1)
}
