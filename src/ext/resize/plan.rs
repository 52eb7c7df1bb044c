//! What the superblock will say after growing, as numbers.

use crate::ext::error::{Access, ExtError};
use crate::ext::feature;
use crate::ext::layout::copies_len;
use crate::ext::raw::RawSuperblock;
use crate::ext::superblock::Superblock;
use crate::ext::types::{FsBlock, GroupNo, split32, split64};

/// A group that would have fewer free blocks than this is not worth its tables; resize2fs says so too.
const FREE_MIN: u64 = 50;

/// The numbers of the grown file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GrowPlan {
    pub(super) blocks_count: u64,
    inodes_count: u32,
    free_blocks_count: u64,
    free_inodes_count: u32,
    reserved_blocks_count: u64,
    reserved_gdt_blocks: u32,
    overhead: u32,
}

impl GrowPlan {
    /// Plans growing to at most `len_bytes`.
    pub(super) fn new(superblock: &Superblock, len_bytes: u64) -> Result<Self, ExtError> {
        let geometry = superblock.geometry();
        if superblock.features().has(feature::SPARSE_SUPER2) {
            return Err(ExtError::Unsupported {
                access: Access::Grow,
                names: vec!["sparse_super2".to_owned()],
            });
        }
        if len_bytes < superblock.len_bytes() {
            return Err(ExtError::WouldShrink {
                wanted_bytes: len_bytes,
                len_bytes: superblock.len_bytes(),
            });
        }
        let wanted = len_bytes
            .checked_div(geometry.block_size.bytes().into())
            .unwrap_or(0);
        let largest = largest_blocks_count(superblock);
        if wanted > largest {
            return Err(ExtError::BeyondReserved {
                wanted_bytes: len_bytes,
                largest_bytes: FsBlock(largest).byte_offset(geometry.block_size),
            });
        }
        let blocks_count = without_short_group(superblock, wanted);
        Ok(Self::of(superblock, blocks_count))
    }

    fn of(superblock: &Superblock, blocks_count: u64) -> Self {
        let geometry = superblock.geometry();
        let mut grown = *geometry;
        grown.blocks_count = blocks_count;
        let data_blocks = blocks_count.saturating_sub(geometry.first_data_block.into());
        let groups = data_blocks.div_ceil(u64::from(geometry.blocks_per_group).max(1));
        grown.groups_count = u32::try_from(groups).unwrap_or(u32::MAX);
        let added = geometry.groups_count..grown.groups_count;
        let tables = added.fold(0, |sum: u64, group| {
            sum.saturating_add(tables_len(superblock, GroupNo(group)))
        });
        let added_blocks = blocks_count.saturating_sub(geometry.blocks_count);
        let added_groups = grown.groups_count.saturating_sub(geometry.groups_count);
        let added_inodes = added_groups.saturating_mul(geometry.inodes_per_group);
        let added_descriptors = grown
            .descriptor_blocks()
            .saturating_sub(geometry.descriptor_blocks());
        let old_overhead = superblock.raw().s_overhead_clusters.get();
        Self {
            blocks_count,
            inodes_count: geometry.inodes_count.saturating_add(added_inodes),
            free_blocks_count: superblock
                .free_blocks_count()
                .saturating_add(added_blocks)
                .saturating_sub(tables),
            free_inodes_count: superblock.free_inodes_count().saturating_add(added_inodes),
            reserved_blocks_count: scaled(
                superblock.reserved_blocks_count(),
                blocks_count,
                geometry.blocks_count,
            ),
            reserved_gdt_blocks: superblock
                .reserved_gdt_blocks()
                .saturating_sub(split64(added_descriptors).0),
            // Zero says that nobody counted, and stays so.
            overhead: if old_overhead == 0 {
                0
            } else {
                old_overhead.saturating_add(split64(tables).0)
            },
        }
    }

    /// Puts the numbers into the superblock. The high halves of all counts are zero, see [`largest_blocks_count`].
    pub(super) fn apply(&self, raw: &mut RawSuperblock) {
        raw.s_blocks_count_lo.set(split64(self.blocks_count).0);
        raw.s_inodes_count.set(self.inodes_count);
        raw.s_free_blocks_count_lo.set(split64(self.free_blocks_count).0);
        raw.s_free_inodes_count.set(self.free_inodes_count);
        raw.s_r_blocks_count_lo.set(split64(self.reserved_blocks_count).0);
        raw.s_reserved_gdt_blocks.set(split32(self.reserved_gdt_blocks).0);
        raw.s_overhead_clusters.set(self.overhead);
    }
}

/// The largest length, in blocks, that the descriptors can reach without moving anything.
///
/// Never more than 32 bits hold, since the resize inode can point no further.
fn largest_blocks_count(superblock: &Superblock) -> u64 {
    let geometry = superblock.geometry();
    let has_reserve = superblock.features().has(feature::RESIZE_INODE);
    let reserve = if has_reserve {
        u64::from(superblock.reserved_gdt_blocks())
    } else {
        0
    };
    let per_block = u64::from(geometry.block_size.bytes())
        .checked_div(geometry.descriptor_size.into())
        .unwrap_or(0);
    let by_descriptors = geometry
        .descriptor_blocks()
        .saturating_add(reserve)
        .saturating_mul(per_block);
    let by_inodes = u32::MAX.checked_div(geometry.inodes_per_group).unwrap_or(0);
    let groups = by_descriptors.min(by_inodes.into());
    groups
        .saturating_mul(geometry.blocks_per_group.into())
        .saturating_add(geometry.first_data_block.into())
        .min(u32::MAX.into())
        .max(geometry.blocks_count)
}

/// `blocks_count`, or less where a new last group could not hold its own tables and some files.
fn without_short_group(superblock: &Superblock, blocks_count: u64) -> u64 {
    let geometry = superblock.geometry();
    let data_blocks = blocks_count.saturating_sub(geometry.first_data_block.into());
    let per_group = u64::from(geometry.blocks_per_group).max(1);
    let whole_groups = data_blocks.checked_div(per_group).unwrap_or(0);
    let rest = data_blocks.checked_rem(per_group).unwrap_or(0);
    let last = GroupNo(u32::try_from(whole_groups).unwrap_or(u32::MAX));
    let is_old = last.0 < geometry.groups_count;
    if is_old || rest >= tables_len(superblock, last).saturating_add(FREE_MIN) {
        blocks_count
    } else {
        blocks_count.saturating_sub(rest)
    }
}

/// How many blocks a new group needs for itself.
///
/// Descriptors in use and in reserve together stay as many as they were.
pub(super) fn tables_len(superblock: &Superblock, group: GroupNo) -> u64 {
    copies_len(superblock, group)
        .saturating_add(2)
        .saturating_add(superblock.geometry().inode_table_blocks())
}

/// `part` of `old`, as the same share of `new`.
fn scaled(part: u64, new: u64, old: u64) -> u64 {
    let share = u128::from(part)
        .saturating_mul(new.into())
        .checked_div(old.into())
        .unwrap_or(0);
    u64::try_from(share).unwrap_or(u64::MAX)
}
