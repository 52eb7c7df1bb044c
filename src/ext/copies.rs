//! Which groups have copies of the superblock and of the descriptor table
//! (<https://docs.kernel.org/filesystems/ext4/blockgroup.html>).

use super::feature;
use super::superblock::Superblock;
use super::types::{FsBlock, GroupNo};

/// Where block `number` of the first copy of the descriptor table lies.
pub(crate) fn table_block(superblock: &Superblock, number: u64) -> FsBlock {
    let geometry = superblock.geometry();
    // The superblock lies in block 1 of small blocks, even where group 0 begins with block 0.
    let is_small = geometry.block_size.bytes() == 1024;
    if number < gathered_blocks(superblock) {
        let superblock_block = geometry.first_data_block.max(u32::from(is_small));
        return FsBlock(u64::from(superblock_block).saturating_add(1)).plus(number);
    }
    let group = number.saturating_mul(geometry.descriptors_per_block());
    let group = GroupNo(u32::try_from(group).unwrap_or(u32::MAX));
    let boot_block = u64::from(is_small && group.0 == 0 && geometry.first_data_block == 0);
    geometry
        .group_start(group)
        .plus(u64::from(has_superblock(superblock, group)))
        .plus(boot_block)
}

/// The blocks of the descriptor table of which `group` has a copy, behind that of the superblock if it has one.
///
/// With `meta_bg`, each block of the table lies in the groups that it describes: in the first, the second and the last
/// (<https://docs.kernel.org/filesystems/ext4/blockgroup.html#meta-block-groups>).
pub(crate) fn copied_descriptors(superblock: &Superblock, group: GroupNo) -> std::ops::Range<u64> {
    let per_block = superblock.geometry().descriptors_per_block();
    let gathered = gathered_blocks(superblock);
    let own = u64::from(group.0).checked_div(per_block).unwrap_or(0);
    // Without the feature this holds of groups to come too, whose own block of the table is not there yet.
    if own < gathered || !superblock.features().has(feature::META_BG) {
        return 0..if has_superblock(superblock, group) {
            gathered
        } else {
            0
        };
    }
    let place = u64::from(group.0).checked_rem(per_block).unwrap_or(0);
    let has_copy = place < 2 || place.saturating_add(1) == per_block;
    own..own.saturating_add(u64::from(has_copy))
}

/// How many blocks of the descriptor table lie behind each copy of the superblock: all, unless `meta_bg` spreads the
/// rest.
fn gathered_blocks(superblock: &Superblock) -> u64 {
    let all = superblock.geometry().descriptor_blocks();
    if superblock.features().has(feature::META_BG) {
        all.min(superblock.raw().s_first_meta_bg.get().into())
    } else {
        all
    }
}

/// Whether `group` begins with a copy of superblock and descriptors.
pub(crate) fn has_superblock(superblock: &Superblock, group: GroupNo) -> bool {
    let features = superblock.features();
    if group.0 == 0 {
        return true;
    }
    if features.has(feature::SPARSE_SUPER2) {
        return superblock
            .raw()
            .s_backup_bgs
            .iter()
            .any(|backup| backup.get() == group.0);
    }
    !features.has(feature::SPARSE_SUPER)
        || group.0 == 1
        || [3, 5, 7].iter().any(|base| is_power(group.0, *base))
}

/// Whether `number` is a power of `base`, which is at least 2.
fn is_power(number: u32, base: u32) -> bool {
    let mut power = base;
    while power < number {
        match power.checked_mul(base) {
            Some(next) => power = next,
            None => return false,
        }
    }
    power == number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_found_by_multiplication() {
        let powers: Vec<u32> = (2..400)
            .filter(|number| [3, 5, 7].iter().any(|base| is_power(*number, *base)))
            .collect();
        assert_eq!(powers, [3, 5, 7, 9, 25, 27, 49, 81, 125, 243, 343]);
    }
}
