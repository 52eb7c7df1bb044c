//! Bitmaps and counts against what is really in use.

use super::census::{Census, first_inode};
use super::claims::Claims;
use super::finding::Report;
use crate::ext::bitmap::Bitmap;
use crate::ext::error::{ExtError, Place};
use crate::ext::fs::Fs;
use crate::ext::types::{GroupNo, index};

/// What one group has free.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    blocks: u32,
    inodes: u32,
    directories: u32,
}

/// Compares every bitmap and every count with `claims` and `census`, but for groups that are `known` to be right.
pub(super) fn judge(
    fs: &Fs,
    census: &Census,
    claims: &Claims,
    known: impl Fn(GroupNo) -> bool,
    report: &mut Report,
) -> Result<(), ExtError> {
    let mut free_blocks = 0_u64;
    let mut free_inodes = 0_u32;
    for group in fs.superblock.geometry().groups() {
        if known(group) {
            let descriptor = fs.groups.get(group)?;
            free_blocks = free_blocks.saturating_add(descriptor.free_blocks_count.into());
            free_inodes = free_inodes.saturating_add(descriptor.free_inodes_count);
            continue;
        }
        let counts = judge_group(fs, group, census, claims, report)?;
        free_blocks = free_blocks.saturating_add(counts.blocks.into());
        free_inodes = free_inodes.saturating_add(counts.inodes);
    }
    report.compare(
        Place::Superblock,
        "free blocks",
        free_blocks,
        fs.superblock.free_blocks_count(),
    );
    report.compare(
        Place::Superblock,
        "free inodes",
        free_inodes,
        fs.superblock.free_inodes_count(),
    );
    Ok(())
}

/// Compares the bitmaps and counts of one group; answers the counts that are right.
fn judge_group(
    fs: &Fs,
    group: GroupNo,
    census: &Census,
    claims: &Claims,
    report: &mut Report,
) -> Result<Counts, ExtError> {
    let blocks = claims.of_group(group);
    let (inodes, directories) = census.inodes_of(fs, group);
    let place = Place::Group(group);
    if let Some(found) = report.absorb(fs.load_block_bitmap(group))? {
        let first = fs.superblock.geometry().group_start(group).0;
        compare(
            place,
            ["block bitmap", "padding of the block bitmap"],
            first,
            &blocks,
            &found,
            report,
        );
    }
    if let Some(found) = report.absorb(fs.load_inode_bitmap(group))? {
        let first = u64::from(first_inode(fs, group));
        compare(
            place,
            ["inode bitmap", "padding of the inode bitmap"],
            first,
            &inodes,
            &found,
            report,
        );
    }
    let counts = Counts {
        blocks: blocks.bits().saturating_sub(blocks.count_set()),
        inodes: inodes.bits().saturating_sub(inodes.count_set()),
        directories,
    };
    let descriptor = fs.groups.get(group)?;
    report.compare(place, "free blocks", counts.blocks, descriptor.free_blocks_count);
    report.compare(place, "free inodes", counts.inodes, descriptor.free_inodes_count);
    report.compare(
        place,
        "directories",
        counts.directories,
        descriptor.used_dirs_count,
    );
    Ok(counts)
}

/// Compares a bitmap, whose first bit stands for number `first`, and the bits beyond its end, all of which are set.
fn compare(
    place: Place,
    [what, padding]: [&'static str; 2],
    first: u64,
    expected: &Bitmap,
    found: &Bitmap,
    report: &mut Report,
) {
    // Bytes are compared first: nearly always they are the same.
    let end = index(expected.bits());
    let alike = same_bytes(expected.bytes(), found.bytes()).min(end / 8);
    let start = u32::try_from(alike.saturating_mul(8)).unwrap_or(0);
    let mut differing = (start..expected.bits()).filter(|bit| expected.is_set(*bit) != found.is_set(*bit));
    if let Some(bit) = differing.next() {
        let number = first.saturating_add(bit.into());
        let word = |bitmap: &Bitmap| if bitmap.is_set(bit) { "in use" } else { "free" };
        let others = differing.count();
        let found = match others {
            0 => word(found).to_owned(),
            _ => format!("{}, and {others} more", word(found)),
        };
        report.add(place, what, format_args!("{number} {}", word(expected)), found);
    }
    let bits = found.bytes().len().saturating_mul(8);
    let is_clear = |bit: &usize| {
        let byte = found.bytes().get(bit / 8).copied().unwrap_or(0xFF);
        byte & 1_u8.wrapping_shl(u32::try_from(bit % 8).unwrap_or(0)) == 0
    };
    let behind = found.bytes().get(end.div_ceil(8)..).unwrap_or_default();
    let whole = behind.iter().take_while(|byte| **byte == 0xFF).count();
    let first_whole = end.next_multiple_of(8);
    let rest = first_whole.saturating_add(whole.saturating_mul(8))..bits;
    if let Some(bit) = (end..first_whole.min(bits)).chain(rest).find(is_clear) {
        report.add(place, padding, "set", format_args!("bit {bit} clear"));
    }
}

/// How many bytes `one` and `other` have in common from their beginnings on.
fn same_bytes(one: &[u8], other: &[u8]) -> usize {
    const STEP: usize = 512;
    let steps = one.chunks(STEP).zip(other.chunks(STEP));
    let alike = steps.take_while(|(one, other)| one == other).count();
    alike.saturating_mul(STEP).min(one.len()).min(other.len())
}
