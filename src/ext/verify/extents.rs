//! Extent trees: depth, order, bounds and checksums of every node
//! (<https://docs.kernel.org/filesystems/ext4/ifork.html#extent-tree>).

use zerocopy::{FromBytes, Immutable, KnownLayout};

use super::mapped::MapWalk;
use crate::ext::checksum::crc32c_raw;
use crate::ext::error::{ExtError, Place};
use crate::ext::raw::{RawExtent, RawExtentHeader, RawExtentIndex};
use crate::ext::types::{FsBlock, index, join32};

const MAGIC: u16 = 0xF30A;
const DEPTH_MAX: u16 = 5;
/// Longer lengths mark a shorter extent as allocated but not written.
const WRITTEN_MAX: u16 = 32768;
const ENTRY_LEN: usize = 12;

/// The file's blocks that a node may map.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    start: u64,
    end: u64,
}

impl MapWalk<'_> {
    /// Walks the tree whose root lies in the inode.
    pub(super) fn extent_tree(&mut self, i_block: &[u8]) -> Result<(), ExtError> {
        let bounds = Bounds {
            start: 0,
            end: 1 << 32,
        };
        self.extent_node(self.place(), i_block, None, bounds)
    }

    fn extent_node(
        &mut self,
        place: Place,
        bytes: &[u8],
        depth: Option<u16>,
        bounds: Bounds,
    ) -> Result<(), ExtError> {
        let Some((header, entries)) = self.extent_header(place, bytes, depth) else {
            return Ok(());
        };
        let count = index(header.eh_entries.get());
        if header.eh_depth.get() == 0 {
            self.extent_leaf(place, rows::<RawExtent>(entries, count), bounds);
            return Ok(());
        }
        let rows = rows::<RawExtentIndex>(entries, count);
        let starts: Vec<u64> = rows.iter().map(|row| row.ei_block.get().into()).collect();
        let ends = starts.iter().skip(1).copied().chain([bounds.end]);
        let mut from = bounds.start;
        for ((row, start), end) in rows.iter().zip(&starts).zip(ends) {
            if *start < from || *start >= bounds.end || end <= *start {
                self.report.add(
                    place,
                    "order of extents",
                    format_args!("block {from} or later"),
                    start,
                );
                return Ok(());
            }
            from = start.saturating_add(1);
            let block = FsBlock(join32(row.ei_leaf_lo.get(), row.ei_leaf_hi.get().into()));
            if self.claim(block, 1) {
                let child = self.read(block)?;
                let child_place = Place::Block(self.inode, block);
                let depth = header.eh_depth.get().checked_sub(1);
                self.extent_node(child_place, &child, depth, Bounds { start: *start, end })?;
            }
        }
        Ok(())
    }

    /// Judges a node's head and checksum; `None` if the node is none.
    fn extent_header<'b>(
        &mut self,
        place: Place,
        bytes: &'b [u8],
        depth: Option<u16>,
    ) -> Option<(RawExtentHeader, &'b [u8])> {
        let (header, entries) = RawExtentHeader::read_from_prefix(bytes).ok()?;
        let room = entries.len().checked_div(ENTRY_LEN).unwrap_or(0);
        let most = index(header.eh_max.get());
        if header.eh_magic.get() != MAGIC {
            let found = format_args!("{:#06x}", header.eh_magic.get()).to_string();
            self.report
                .add(place, "magic of extents", format_args!("{MAGIC:#06x}"), found);
            return None;
        }
        if most > room || index(header.eh_entries.get()) > most {
            let found = format_args!("{} of {most}", header.eh_entries.get()).to_string();
            self.report
                .add(place, "number of extents", format_args!("at most {room}"), found);
            return None;
        }
        let found = header.eh_depth.get();
        let wanted = depth.unwrap_or_else(|| found.min(DEPTH_MAX));
        if found != wanted {
            self.report.add(place, "depth of the extent tree", wanted, found);
            return None;
        }
        if let (Some(seed), Some(_)) = (self.seed, depth) {
            let end = most.saturating_mul(ENTRY_LEN).saturating_add(ENTRY_LEN);
            let covered = bytes.get(..end).unwrap_or_default();
            let stored = bytes.get(end..).and_then(|rest| rest.first_chunk::<4>());
            let found = stored.map_or(0, |bytes| u32::from_le_bytes(*bytes));
            self.report
                .compare_checksums(place, Some(crc32c_raw(seed, covered)), found);
        }
        if depth.is_some() && header.eh_entries.get() == 0 {
            self.report.add(place, "number of extents", "at least 1", 0);
        }
        Some((header, entries))
    }

    fn extent_leaf(&mut self, place: Place, rows: &[RawExtent], bounds: Bounds) {
        let mut from = bounds.start;
        for row in rows {
            let first = u64::from(row.ee_block.get());
            let stored = row.ee_len.get();
            let is_written = stored <= WRITTEN_MAX;
            let count = u64::from(if is_written {
                stored
            } else {
                stored.saturating_sub(WRITTEN_MAX)
            });
            let end = first.saturating_add(count);
            if count == 0 {
                self.report.add(place, "length of an extent", "at least 1", 0);
                continue;
            }
            if first < from || end > bounds.end {
                let wanted = format_args!("within blocks {from} to {}", bounds.end).to_string();
                self.report.add(
                    place,
                    "order of extents",
                    wanted,
                    format_args!("{first} to {end}"),
                );
                continue;
            }
            from = end;
            let start = FsBlock(join32(row.ee_start_lo.get(), row.ee_start_hi.get().into()));
            self.claim(start, count);
            if is_written {
                self.add_data(first, start, count);
            }
        }
    }
}

/// The first `count` entries of a node.
fn rows<T: FromBytes + Immutable + KnownLayout>(bytes: &[u8], count: usize) -> &[T] {
    <[T]>::ref_from_prefix_with_elems(bytes, count).map_or(&[], |(rows, _)| rows)
}
