//! The extent tree (<https://docs.kernel.org/filesystems/ext4/ifork.html#extent-tree>).

use std::ops::Range;

use zerocopy::FromBytes as _;

use super::{Loader, Run};
use crate::ext::checksum::crc32c_raw;
use crate::ext::error::{ExtError, Place};
use crate::ext::raw::{RawExtent, RawExtentHeader, RawExtentIndex};
use crate::ext::types::{FsBlock, index, join32};

/// Begins every node.
pub(super) const MAGIC: u16 = 0xF30A;
/// The longest extent, and what is added to the length of an unwritten one.
pub(super) const LONGEST: u16 = 0x8000;
/// The bytes of a header and of an entry.
pub(super) const ENTRY_LEN: usize = 12;
/// A tree is never deeper than this.
const DEEPEST: u16 = 5;

/// How many entries fit into a node of `len` bytes.
pub(super) fn capacity(len: usize) -> usize {
    len.saturating_sub(ENTRY_LEN).checked_div(ENTRY_LEN).unwrap_or(0)
}

/// Where the checksum of a node in a block of `len` bytes lies.
pub(super) fn checksum_place(len: usize) -> usize {
    capacity(len).saturating_add(1).saturating_mul(ENTRY_LEN)
}

/// One node while it is read.
struct NodeView<'a> {
    bytes: &'a [u8],
    place: Place,
    entries: usize,
    depth: u16,
}

impl Loader<'_> {
    pub(super) fn load_extents(&mut self) -> Result<(), ExtError> {
        let root = self.node.raw().i_block;
        let place = Place::Inode(self.node.number());
        let view = view(&root, place)?;
        if view.depth > DEEPEST {
            return Err(ExtError::corrupt(
                place,
                "depth of the extent tree",
                DEEPEST,
                view.depth,
            ));
        }
        self.load_node(&view, 0..u64::from(u32::MAX))
    }

    /// Loads the node, whose file blocks must lie in `range`.
    fn load_node(&mut self, view: &NodeView<'_>, range: Range<u64>) -> Result<(), ExtError> {
        let mut least = range.start;
        for number in 0..view.entries {
            let start = ENTRY_LEN.saturating_mul(number.saturating_add(1));
            let entry = view.bytes.get(start..).unwrap_or_default();
            let first = u64::from(first_block(entry));
            if first < least || first >= range.end {
                return Err(ExtError::corrupt(
                    view.place,
                    "first file block of an extent",
                    format_args!("from {least} to below {}", range.end),
                    first,
                ));
            }
            if view.depth == 0 {
                least = self.load_leaf_entry(entry, view.place, first, range.end)?;
            } else {
                let next = entry
                    .get(ENTRY_LEN..)
                    .filter(|_| number.saturating_add(1) < view.entries);
                let end = next.map_or(range.end, |next| u64::from(first_block(next)));
                self.load_child(entry, view, first..end)?;
                least = first.saturating_add(1);
            }
        }
        Ok(())
    }

    /// Notes one extent; answers where the next one may begin.
    fn load_leaf_entry(&mut self, entry: &[u8], place: Place, first: u64, end: u64) -> Result<u64, ExtError> {
        let Ok((raw, _)) = RawExtent::read_from_prefix(entry) else {
            return Err(ExtError::corrupt(place, "extent", "twelve bytes", entry.len()));
        };
        let stored = raw.ee_len.get();
        let is_unwritten = stored > LONGEST;
        let count = if is_unwritten {
            stored.saturating_sub(LONGEST)
        } else {
            stored
        };
        let run = Run {
            file_block: raw.ee_block.get(),
            count: count.into(),
            start: FsBlock(join32(raw.ee_start_lo.get(), raw.ee_start_hi.get().into())),
            is_unwritten,
        };
        let next = first.saturating_add(count.into());
        if count == 0 || next > end {
            return Err(ExtError::corrupt(
                place,
                "length of an extent",
                "within its bounds",
                count,
            ));
        }
        self.content(run)?;
        Ok(next)
    }

    fn load_child(&mut self, entry: &[u8], parent: &NodeView<'_>, range: Range<u64>) -> Result<(), ExtError> {
        let Ok((raw, _)) = RawExtentIndex::read_from_prefix(entry) else {
            return Err(ExtError::corrupt(
                parent.place,
                "extent index",
                "twelve bytes",
                entry.len(),
            ));
        };
        let block = FsBlock(join32(raw.ei_leaf_lo.get(), raw.ei_leaf_hi.get().into()));
        let bytes = self.tree_block(parent.depth.into(), raw.ei_block.get(), block)?;
        let place = Place::Block(self.node.number(), block);
        self.verify_node(&bytes, place)?;
        let child = view(&bytes, place)?;
        let depth = parent.depth.saturating_sub(1);
        if child.depth != depth {
            return Err(ExtError::corrupt(
                place,
                "depth of an extent node",
                depth,
                child.depth,
            ));
        }
        if child.entries == 0 {
            return Err(ExtError::corrupt(
                place,
                "entries of an extent node",
                "at least one",
                0,
            ));
        }
        self.load_node(&child, range)
    }

    fn verify_node(&self, bytes: &[u8], place: Place) -> Result<(), ExtError> {
        let checksums = self.fs.superblock.checksums();
        let Some(seed) = checksums.inode_seed(self.node.number(), self.node.generation()) else {
            return Ok(());
        };
        let (covered, tail) = bytes
            .split_at_checked(checksum_place(bytes.len()))
            .unwrap_or_default();
        let expected = crc32c_raw(seed, covered);
        let found = tail.first_chunk().map_or(0, |tail| u32::from_le_bytes(*tail));
        if expected != found {
            return Err(ExtError::checksum(place, expected, found));
        }
        Ok(())
    }
}

/// The file block with which an entry begins; extents and index entries both have it first.
fn first_block(entry: &[u8]) -> u32 {
    entry.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn view(bytes: &[u8], place: Place) -> Result<NodeView<'_>, ExtError> {
    let Ok((header, _)) = RawExtentHeader::read_from_prefix(bytes) else {
        return Err(ExtError::corrupt(
            place,
            "extent header",
            "twelve bytes",
            bytes.len(),
        ));
    };
    if header.eh_magic.get() != MAGIC {
        let found = format_args!("{:#x}", header.eh_magic.get()).to_string();
        return Err(ExtError::corrupt(
            place,
            "magic of an extent node",
            "0xf30a",
            found,
        ));
    }
    let entries = index(header.eh_entries.get());
    let most = capacity(bytes.len()).min(index(header.eh_max.get()));
    if entries > most {
        return Err(ExtError::corrupt(
            place,
            "entries of an extent node",
            most,
            entries,
        ));
    }
    Ok(NodeView {
        bytes,
        place,
        entries,
        depth: header.eh_depth.get(),
    })
}
