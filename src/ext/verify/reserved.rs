//! The resize inode: its double indirect block must name the reserved descriptor blocks and nothing else (drawn in
//! [`resize`](crate::ext::resize)).

use super::census::Census;
use super::claims::{Claim, Claims};
use super::finding::Report;
use crate::ext::error::{ExtError, Place};
use crate::ext::fs::Fs;
use crate::ext::group::has_superblock;
use crate::ext::inode::Node;
use crate::ext::types::{FsBlock, index, wide};

const DOUBLE_INDIRECT: usize = 13;

/// Judges the resize inode and claims its double indirect block; the reserved blocks are claimed as tables.
pub(super) fn judge(
    fs: &Fs,
    node: &Node,
    census: &mut Census,
    claims: &mut Claims,
    report: &mut Report,
) -> Result<(), ExtError> {
    let place = Place::Inode(node.number());
    let slots = words(&node.raw().i_block);
    for (slot, number) in slots.iter().enumerate() {
        if slot != DOUBLE_INDIRECT && *number != 0 {
            report.add(place, "block number", 0, number);
        }
    }
    let map = FsBlock(slots.get(DOUBLE_INDIRECT).copied().unwrap_or(0).into());
    if fs.check_block(node.number(), map).is_err() {
        report.add(place, "block number", "a block of the file system", map);
        return Ok(());
    }
    if claims.claim(map, 1) != Claim::Granted {
        report.add(
            Place::Block(node.number(), map),
            "owners of the block",
            "one",
            "more",
        );
        return Ok(());
    }
    let geometry = fs.superblock.geometry();
    let copies: Vec<FsBlock> = geometry
        .groups()
        .filter(|group| has_superblock(&fs.superblock, *group))
        .map(|group| geometry.group_start(group).plus(1))
        .collect();
    census.note_readers(node.number(), &[map]);
    judge_map(fs, node, map, &copies, census, report)?;
    let reserved = u64::from(fs.superblock.reserved_gdt_blocks());
    let blocks = wide(copies.len()).saturating_mul(reserved).saturating_add(1);
    let sectors = blocks.saturating_mul((geometry.block_size.bytes() / 512).into());
    report.compare(place, "i_blocks", sectors, node.blocks_field());
    Ok(())
}

/// Judges the double indirect block `map` and what it names; the descriptors' copies begin at `copies`.
fn judge_map(
    fs: &Fs,
    node: &Node,
    map: FsBlock,
    copies: &[FsBlock],
    census: &mut Census,
    report: &mut Report,
) -> Result<(), ExtError> {
    let found = words(&fs.read_block(map)?);
    let mut expected = vec![0; found.len()];
    let used = fs.superblock.geometry().descriptor_blocks();
    let reserved = u64::from(fs.superblock.reserved_gdt_blocks());
    for number in used..used.saturating_add(reserved) {
        let slot = index(number).checked_rem(expected.len()).unwrap_or(0);
        let mut blocks = copies.iter().map(|copy| copy.plus(number));
        let first = blocks.next().unwrap_or(FsBlock(0));
        if let Some(slot) = expected.get_mut(slot) {
            *slot = u32::try_from(first.0).unwrap_or(0);
        }
        if fs.check_block(node.number(), first).is_err() {
            // More blocks in reserve than a group has; the tables say so already.
            return Ok(());
        }
        census.note_readers(node.number(), &[first]);
        let listed = words(&fs.read_block(first)?)
            .into_iter()
            .map(u64::from)
            .filter(|block| *block != 0);
        if !listed.eq(blocks.map(|block| block.0)) {
            let place = Place::Block(node.number(), first);
            report.add(
                place,
                "copies of a reserved block",
                "one for each copy of the descriptors",
                "others",
            );
        }
    }
    if let Some((expected, found)) = expected
        .iter()
        .zip(&found)
        .find(|(expected, found)| expected != found)
    {
        report.add(
            Place::Block(node.number(), map),
            "reserved descriptor block",
            expected,
            found,
        );
    }
    Ok(())
}

fn words(bytes: &[u8]) -> Vec<u32> {
    bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|bytes| u32::from_le_bytes(*bytes))
        .collect()
}
