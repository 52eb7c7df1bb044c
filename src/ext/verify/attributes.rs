//! Extended attributes: the block that inodes may share, and the rest of an inode
//! (<https://docs.kernel.org/filesystems/ext4/attributes.html>).

use std::collections::btree_map::Entry;

use zerocopy::FromBytes as _;

use super::census::{Census, count_values};
use super::claims::{Claim, Claims};
use super::finding::Report;
use super::mapped::Mapped;
use crate::ext::error::Place;
use crate::ext::fs::Fs;
use crate::ext::inode::Node;
use crate::ext::raw::{RawXattrEntry, RawXattrHeader};
use crate::ext::types::{FsBlock, InodeNo, index};
use crate::ext::xattr::value_users;

const MAGIC: u32 = 0xEA02_0000;
const PLACE_CHECKSUM: usize = 0x10;

/// Judges the attributes in `node`, and claims its block of attributes, which other inodes may name too.
pub(super) fn judge_inode(
    fs: &Fs,
    node: &Node,
    census: &mut Census,
    claims: &mut Claims,
    mapped: &mut Mapped,
    report: &mut Report,
) {
    let place = Place::Inode(node.number());
    if let Some((magic, entries)) = node.xattr_area().split_first_chunk::<4>()
        && u32::from_le_bytes(*magic) == MAGIC
    {
        judge_entries(place, entries, entries, report);
        let values = values(entries);
        mapped.add(value_blocks(fs, &values));
        count_values(&inodes(&values), &mut census.value_users);
    }
    let Some(block) = node.file_acl() else {
        return;
    };
    if fs.check_block(node.number(), block).is_err() {
        report.add(place, "block of attributes", "a block of the file system", block);
        return;
    }
    mapped.add(1);
    // What cannot be read is found when the block is judged.
    let bytes = fs.read_block(block).unwrap_or_default();
    mapped.add(value_blocks(fs, &values(behind_header(&bytes))));
    match census.attribute_blocks.entry(block) {
        Entry::Occupied(mut known) => {
            let count = known.get_mut();
            *count = count.saturating_add(1);
        }
        Entry::Vacant(unknown) => {
            if claims.claim(block, 1) == Claim::Granted {
                unknown.insert(1);
            } else {
                report.add(
                    Place::Block(node.number(), block),
                    "owners of the block",
                    "one",
                    "more",
                );
            }
        }
    }
}

/// Judges a block of attributes that `owners` inodes name.
pub(super) fn judge_block(fs: &Fs, block: FsBlock, bytes: &[u8], owners: u32, report: &mut Report) {
    let place = Place::Attributes(block);
    let Ok((header, entries)) = RawXattrHeader::ref_from_prefix(bytes) else {
        return;
    };
    if header.h_magic.get() != MAGIC || header.h_blocks.get() != 1 {
        let found = format_args!("{:#x}", header.h_magic.get()).to_string();
        report.add(place, "magic of attributes", format_args!("{MAGIC:#x}"), found);
        return;
    }
    let (before, after) = bytes.split_at_checked(PLACE_CHECKSUM).unwrap_or_default();
    let after = after.get(4..).unwrap_or_default();
    let expected = fs.superblock.checksums().xattr_block(block, before, after);
    report.compare_checksums(place, expected, header.h_checksum.get());
    report.compare(place, "owners of the attributes", owners, header.h_refcount.get());
    judge_entries(place, entries, bytes, report);
}

/// Judges a list of attributes; the places of values are counted from the start of `values`.
fn judge_entries(place: Place, entries: &[u8], values: &[u8], report: &mut Report) {
    let mut rest = entries;
    while rest.first_chunk::<4>().is_some_and(|word| *word != [0; 4]) {
        let Ok((entry, after)) = RawXattrEntry::ref_from_prefix(rest) else {
            report.add(place, "end of attributes", "four zero bytes", "none");
            return;
        };
        let start = index(entry.e_value_offs.get());
        let end = start.saturating_add(index(entry.e_value_size.get()));
        let is_elsewhere = entry.e_value_inum.get() != 0;
        let is_inside = is_elsewhere || entry.e_value_size.get() == 0 || end <= values.len();
        let name_len = usize::from(entry.e_name_len).next_multiple_of(4);
        let Some(after) = after.get(name_len..).filter(|_| is_inside) else {
            report.add(place, "attribute", "within its area", "beyond it");
            return;
        };
        rest = after;
    }
}

/// The inodes in which a block of attributes has values.
pub(super) fn block_values(bytes: &[u8]) -> Vec<InodeNo> {
    inodes(&values(behind_header(bytes)))
}

fn behind_header(block: &[u8]) -> &[u8] {
    block.get(size_of::<RawXattrHeader>()..).unwrap_or_default()
}

fn inodes(values: &[(InodeNo, u32)]) -> Vec<InodeNo> {
    values.iter().map(|(inode, _)| *inode).collect()
}

/// The blocks that count as taken by an owner of `values`: those of values whose users are counted.
fn value_blocks(fs: &Fs, values: &[(InodeNo, u32)]) -> u64 {
    let counted = values.iter().filter(|(inode, _)| {
        let node = fs.node(*inode);
        node.is_ok_and(|node| value_users(&node) > 0)
    });
    counted.fold(0, |sum, (_, len)| {
        sum.saturating_add(fs.block_size().blocks_for((*len).into()))
    })
}

/// The inodes in which a list of attributes has values, and how long each is in bytes.
fn values(entries: &[u8]) -> Vec<(InodeNo, u32)> {
    let mut found = Vec::new();
    let mut rest = entries;
    while rest.first_chunk::<4>().is_some_and(|word| *word != [0; 4]) {
        let Ok((entry, after)) = RawXattrEntry::ref_from_prefix(rest) else {
            break;
        };
        found.extend(InodeNo::new(entry.e_value_inum.get()).map(|inode| (inode, entry.e_value_size.get())));
        let name_len = usize::from(entry.e_name_len).next_multiple_of(4);
        rest = after.get(name_len..).unwrap_or_default();
    }
    found
}
