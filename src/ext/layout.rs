//! Which blocks hold the file system's own tables
//! (<https://docs.kernel.org/filesystems/ext4/blockgroup.html>).

use super::feature;
use super::group::{GroupTable, copied_descriptors, has_superblock};
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

/// The blocks of all copies of superblock and descriptors, all bitmaps and all inode tables, and the one that says who
/// has the file system mounted, sorted by start.
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
    if superblock.features().has(feature::MMP) {
        ranges.push(BlockRange::new(FsBlock(superblock.raw().s_mmp_block.get()), 1));
    }
    ranges.sort_unstable();
    ranges
}

/// How many blocks at the start of `group` hold copies of superblock and descriptors, those reserved included.
pub(crate) fn copies_len(superblock: &Superblock, group: GroupNo) -> u64 {
    let descriptors = copied_descriptors(superblock, group);
    let descriptors = descriptors.end.saturating_sub(descriptors.start);
    if !has_superblock(superblock, group) {
        return descriptors;
    }
    let is_spread = superblock.features().has(feature::META_BG);
    let reserved = if is_spread {
        0
    } else {
        superblock.reserved_gdt_blocks()
    };
    descriptors.saturating_add(reserved.into()).saturating_add(1)
}
