//! What the superblock will say after resizing, as numbers, and how far these can go.

use crate::ext::error::{Access, ExtError};
use crate::ext::feature;
use crate::ext::geometry::Geometry;
use crate::ext::layout::copies_len;
use crate::ext::raw::RawSuperblock;
use crate::ext::superblock::Superblock;
use crate::ext::types::{FsBlock, GroupNo, split32, split64};

/// A group that would have fewer free blocks than this is not worth its tables; resize2fs says so too.
pub(super) const FREE_MIN: u64 = 50;

/// The superblock of the file system with at most `wanted` blocks, free counts still as before.
///
/// A last group that is too short for its own tables and some files is left off, unless it is there already.
pub(super) fn plan(old: &Superblock, wanted: u64) -> Result<Superblock, ExtError> {
    if old.features().has(feature::BIGALLOC) {
        return Err(ExtError::Unsupported {
            access: Access::Resize,
            names: vec!["bigalloc".to_owned()],
        });
    }
    check_limits(old, wanted)?;
    let target = numbers(old, wanted)?;
    match surplus(old, &target) {
        0 => Ok(target),
        rest => numbers(old, wanted.saturating_sub(rest)),
    }
}

/// The least length from `wanted` blocks on that [`plan`] takes as it is.
pub(super) fn at_least(old: &Superblock, wanted: u64) -> Result<u64, ExtError> {
    let target = numbers(old, wanted)?;
    let geometry = target.geometry();
    let last = last_group(geometry);
    if surplus(old, &target) == 0 {
        return Ok(wanted);
    }
    let least = tables_len(&target, last).saturating_add(FREE_MIN);
    Ok(geometry.group_start(last).plus(least).0)
}

/// How many blocks the last group of `target` has, if they are too few for it.
fn surplus(old: &Superblock, target: &Superblock) -> u64 {
    let geometry = target.geometry();
    let last = last_group(geometry);
    let rest = u64::from(geometry.group_blocks(last));
    let is_shorter = geometry.blocks_count < old.geometry().blocks_count;
    let is_kept = !is_shorter && last.0 < old.geometry().groups_count;
    if last.0 == 0 || is_kept || rest >= tables_len(target, last).saturating_add(FREE_MIN) {
        0
    } else {
        rest
    }
}

/// The superblock of the file system with exactly `blocks_count` blocks.
pub(super) fn numbers(old: &Superblock, blocks_count: u64) -> Result<Superblock, ExtError> {
    let geometry = old.geometry();
    let data_blocks = blocks_count.saturating_sub(geometry.first_data_block.into());
    let groups = data_blocks.div_ceil(u64::from(geometry.blocks_per_group).max(1));
    let mut resized = *geometry;
    resized.blocks_count = blocks_count;
    resized.groups_count = u32::try_from(groups).unwrap_or(u32::MAX);
    resized.inodes_count = resized.groups_count.saturating_mul(geometry.inodes_per_group);
    let mut target = old.clone();
    target.edit(|raw| apply(old, &resized, raw))?;
    // Zero says that nobody counted, and stays so.
    let overhead = u64::from(old.raw().s_overhead_clusters.get());
    if overhead > 0 {
        let overhead = overhead
            .saturating_add(tables_total(&target))
            .saturating_sub(tables_total(old));
        target.edit(|raw| raw.s_overhead_clusters.set(split64(overhead).0))?;
    }
    Ok(target)
}

fn apply(old: &Superblock, resized: &Geometry, raw: &mut RawSuperblock) {
    let features = old.features();
    let has_64bit = features.has(feature::IS_64BIT);
    let blocks_count = resized.blocks_count;
    let reserved = scaled(
        old.reserved_blocks_count(),
        blocks_count,
        old.geometry().blocks_count,
    );
    let (low, high) = split64(blocks_count);
    raw.s_blocks_count_lo.set(low);
    let (reserved_low, reserved_high) = split64(reserved);
    raw.s_r_blocks_count_lo.set(reserved_low);
    if has_64bit {
        raw.s_blocks_count_hi.set(high);
        raw.s_r_blocks_count_hi.set(reserved_high);
    }
    raw.s_inodes_count.set(resized.inodes_count);
    let descriptors = resized.descriptor_blocks();
    if features.has(feature::RESIZE_INODE) {
        let all = old
            .geometry()
            .descriptor_blocks()
            .saturating_add(old.reserved_gdt_blocks().into());
        let most = u64::from(resized.block_size.bytes().wrapping_shr(2));
        let reserved = all.saturating_sub(descriptors).min(most);
        raw.s_reserved_gdt_blocks.set(split32(split64(reserved).0).0);
    }
    if features.has(feature::META_BG) {
        let first = u64::from(raw.s_first_meta_bg.get()).min(descriptors);
        raw.s_first_meta_bg.set(split64(first).0);
    }
    if features.has(feature::SPARSE_SUPER2) {
        let [first, second] = backup_groups(old, resized.groups_count);
        raw.s_backup_bgs = [first.into(), second.into()];
    }
}

/// The groups with copies of superblock and descriptors under `sparse_super2`: as many as before, group 1 and the last.
fn backup_groups(old: &Superblock, groups_count: u32) -> [u32; 2] {
    let old_count = old.geometry().groups_count;
    let [first, second] = old.raw().s_backup_bgs.map(zerocopy::little_endian::U32::get);
    let last = groups_count.saturating_sub(1);
    // What a file system of one or two groups could not have does not say that it was not wanted.
    let wants_first = first != 0 || old_count < 2;
    let wants_last = second != 0 || (wants_first && old_count < 3);
    match (groups_count, wants_first, wants_last) {
        (0 | 1, _, _) | (_, false, false) => [0, 0],
        (2, _, _) | (_, true, false) => [1, 0],
        (_, true, true) => [1, last],
        (_, false, true) => [0, last],
    }
}

/// Refuses a length that block numbers, inode numbers or the descriptors' place cannot reach, with the largest that
/// they can.
fn check_limits(old: &Superblock, wanted: u64) -> Result<(), ExtError> {
    let geometry = old.geometry();
    let features = old.features();
    let blocks_of = |groups: u64| {
        groups
            .saturating_mul(geometry.blocks_per_group.into())
            .saturating_add(geometry.first_data_block.into())
    };
    let by_inodes = u64::from(u32::MAX.checked_div(geometry.inodes_per_group).unwrap_or(0));
    let mut limits = vec![
        (blocks_of(by_inodes), "inode numbers have 32 bits"),
        (0xFFFF_FFFF_FFFF, "block numbers have 48 bits"),
    ];
    if !features.has(feature::IS_64BIT) {
        limits.push((u32::MAX.into(), "block numbers have 32 bits without `64bit`"));
    } else if features.has(feature::RESIZE_INODE) {
        limits.push((u32::MAX.into(), "block numbers of the resize inode have 32 bits"));
    }
    if !features.has(feature::META_BG) {
        let per_block = u64::from(geometry.block_size.bytes())
            .checked_div(geometry.descriptor_size.into())
            .unwrap_or(0);
        // Superblock, descriptors, two bitmaps, the inode table and some files have to fit into one group.
        let room = u64::from(geometry.blocks_per_group)
            .saturating_sub(geometry.inode_table_blocks())
            .saturating_sub(FREE_MIN.saturating_add(3));
        limits.push((
            blocks_of(room.saturating_mul(per_block)),
            "all group descriptors have to fit into one group without `meta_bg`",
        ));
    }
    let (largest, limit) = limits.into_iter().min().unwrap_or((0, ""));
    let largest = largest.max(geometry.blocks_count);
    if wanted > largest {
        return Err(ExtError::BeyondLimit {
            wanted_bytes: FsBlock(wanted).byte_offset(geometry.block_size),
            largest_bytes: FsBlock(largest).byte_offset(geometry.block_size),
            limit,
        });
    }
    Ok(())
}

/// How many blocks a group needs for itself if its tables lie in it.
pub(super) fn tables_len(superblock: &Superblock, group: GroupNo) -> u64 {
    copies_len(superblock, group).saturating_add(own_tables_len(superblock.geometry()))
}

/// The blocks of two bitmaps and an inode table.
pub(super) fn own_tables_len(geometry: &Geometry) -> u64 {
    geometry.inode_table_blocks().saturating_add(2)
}

/// How many blocks all groups need for themselves.
pub(super) fn tables_total(superblock: &Superblock) -> u64 {
    let groups = superblock.geometry().groups();
    groups.fold(0, |sum: u64, group| {
        sum.saturating_add(tables_len(superblock, group))
    })
}

/// The last group.
pub(super) fn last_group(geometry: &Geometry) -> GroupNo {
    GroupNo(geometry.groups_count.saturating_sub(1))
}

/// `part` of `old`, as the same share of `new`.
fn scaled(part: u64, new: u64, old: u64) -> u64 {
    let share = u128::from(part)
        .saturating_mul(new.into())
        .checked_div(old.into())
        .unwrap_or(0);
    u64::try_from(share).unwrap_or(u64::MAX)
}
