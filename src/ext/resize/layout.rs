//! Where the file system's own tables will lie, and which blocks have to be vacated for them.
//!
//! ```text
//!   shorter   |s|g|tables|data ...          |x|tables|data x x x x x x x|      x: vacated
//!   longer    |s|g g g|x x|tables|data ...  |s|g g g|x x|tables| ...
//! ```
//!
//! Tables stay where they are unless the new end, or longer copies of the descriptors, are in their way. Without
//! `flex_bg` they stay within their own group.

use std::collections::BTreeMap;

use super::space::Space;
use super::target::{last_group, own_tables_len};
use crate::ext::error::ExtError;
use crate::ext::feature;
use crate::ext::fs::Fs;
use crate::ext::geometry::Geometry;
use crate::ext::layout::{BlockRange, copies_len};
use crate::ext::superblock::Superblock;
use crate::ext::types::{FsBlock, GroupNo};

/// A plan for the tables.
#[derive(Debug, Clone)]
pub(super) struct NewLayout {
    /// The superblock, free counts still as before.
    pub(super) superblock: Superblock,
    /// Where tables go that cannot stay.
    pub(super) moved: BTreeMap<(GroupNo, Table), Moved>,
    /// What nothing but tables may lie in from now on, sorted, without overlaps; the last range has all blocks beyond
    /// the end.
    pub(super) vacated: Vec<BlockRange>,
    /// What is free once all tables are in their places.
    pub(super) space: Space,
}

/// One of a group's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Table {
    Inodes,
    BlockBitmap,
    InodeBitmap,
}

/// From where to where a table goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) from: BlockRange,
    pub(super) to: FsBlock,
}

/// Says how many blocks a plan is short of, at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shortage(pub(super) u64);

impl NewLayout {
    /// Plans the tables of `fs`, in which `free` is free, for the superblock `target`.
    pub(super) fn plan(
        fs: &Fs,
        free: &Space,
        target: &Superblock,
    ) -> Result<Result<Self, Shortage>, ExtError> {
        let mut planner = Planner {
            old: &fs.superblock,
            layout: Self {
                superblock: target.clone(),
                moved: BTreeMap::new(),
                vacated: Vec::new(),
                space: free.clone(),
            },
            staying: Vec::new(),
        };
        planner.set_end();
        planner.set_copies();
        planner.sort_tables(fs)?;
        Ok(planner.place_tables())
    }

    /// The parts of `range`, and of each whether it has to be vacated.
    pub(super) fn split(&self, range: BlockRange) -> Vec<(BlockRange, bool)> {
        let mut parts = Vec::new();
        let mut start = range.start;
        let first = self.vacated.partition_point(|vacated| vacated.end <= start);
        for vacated in self.vacated.iter().skip(first) {
            if vacated.start >= range.end {
                break;
            }
            if vacated.start > start {
                let end = vacated.start;
                parts.push((BlockRange { start, end }, false));
                start = end;
            }
            let end = vacated.end.min(range.end);
            parts.push((BlockRange { start, end }, true));
            start = end;
        }
        if start < range.end {
            let end = range.end;
            parts.push((BlockRange { start, end }, false));
        }
        parts
    }

    /// Whether any block of `range` has to be vacated.
    pub(super) fn is_vacated(&self, range: BlockRange) -> bool {
        let first = self.vacated.partition_point(|vacated| vacated.end <= range.start);
        self.vacated
            .get(first)
            .is_some_and(|vacated| vacated.start < range.end)
    }

    fn vacate(&mut self, range: BlockRange) {
        self.vacated.push(range);
        self.vacated.sort_unstable();
        let mut merged: Vec<BlockRange> = Vec::with_capacity(self.vacated.len());
        for range in self.vacated.drain(..).filter(|range| range.len() > 0) {
            match merged.last_mut() {
                Some(last) if last.end >= range.start => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        self.vacated = merged;
    }
}

struct Planner<'a> {
    old: &'a Superblock,
    layout: NewLayout,
    /// Tables that stay, to be kept clear of.
    staying: Vec<BlockRange>,
}

impl Planner<'_> {
    fn new_geometry(&self) -> Geometry {
        *self.layout.superblock.geometry()
    }

    /// `range` as far as it lies within both the old and the new file system.
    fn clipped(&self, range: BlockRange) -> BlockRange {
        let end = self
            .new_geometry()
            .blocks_count
            .min(self.old.geometry().blocks_count);
        BlockRange {
            start: FsBlock(range.start.0.min(end)),
            end: FsBlock(range.end.0.min(end)),
        }
    }

    /// Frees what is added at the end, and vacates what is cut off.
    fn set_end(&mut self) {
        let old_end = FsBlock(self.old.geometry().blocks_count);
        let new_end = FsBlock(self.new_geometry().blocks_count);
        self.layout.space.give(BlockRange {
            start: old_end,
            end: new_end.max(old_end),
        });
        let beyond = BlockRange {
            start: new_end,
            end: FsBlock(u64::MAX),
        };
        self.layout.space.take(beyond);
        self.layout.vacate(beyond);
    }

    /// Puts the copies of superblock and descriptors, and the tables of new groups behind theirs, into their places.
    fn set_copies(&mut self) {
        let (old, new) = (*self.old.geometry(), self.new_geometry());
        let mut vacated = Vec::new();
        for group in old.groups() {
            let copies = BlockRange::new(old.group_start(group), copies_len(self.old, group));
            let copies = self.clipped(copies);
            self.layout.space.give(copies);
        }
        for group in new.groups() {
            let start = new.group_start(group);
            let len = copies_len(&self.layout.superblock, group);
            if group.0 >= old.groups_count {
                let len = len.saturating_add(own_tables_len(&new));
                self.layout.space.take(BlockRange::new(start, len));
                continue;
            }
            self.layout.space.take(BlockRange::new(start, len));
            let old_len = copies_len(self.old, group).min(len);
            vacated.push(BlockRange {
                start: start.plus(old_len),
                end: start.plus(len),
            });
        }
        for range in vacated.into_iter().filter(|range| range.len() > 0) {
            self.layout.vacate(range);
        }
    }

    /// Frees the places of tables that go or move, and notes those that stay.
    fn sort_tables(&mut self, fs: &Fs) -> Result<(), ExtError> {
        let new = self.new_geometry();
        let mut freed = Vec::new();
        for group in self.old.geometry().groups() {
            let descriptor = fs.groups.get(group)?;
            let tables = [
                (
                    Table::Inodes,
                    descriptor.inode_table,
                    self.old.geometry().inode_table_blocks(),
                ),
                (Table::BlockBitmap, descriptor.block_bitmap, 1),
                (Table::InodeBitmap, descriptor.inode_bitmap, 1),
            ];
            for (table, start, count) in tables {
                let from = BlockRange::new(start, count);
                if group.0 >= new.groups_count {
                    freed.push(from);
                } else if self.layout.is_vacated(from) {
                    freed.push(from);
                    let to = FsBlock(0);
                    self.layout.moved.insert((group, table), Moved { from, to });
                } else {
                    self.staying.push(from);
                }
            }
        }
        for range in freed {
            // What is vacated is taken for something else already.
            for (part, is_vacated) in self.layout.split(self.clipped(range)) {
                if !is_vacated {
                    self.layout.space.give(part);
                }
            }
        }
        Ok(())
    }

    /// Finds a place for every table that moves, inode tables first.
    fn place_tables(mut self) -> Result<NewLayout, Shortage> {
        let mut order: Vec<(GroupNo, Table)> = self.layout.moved.keys().copied().collect();
        order.sort_unstable_by_key(|(group, table)| (*table != Table::Inodes, *group, *table));
        for key in order {
            let Some(moved) = self.layout.moved.get(&key).copied() else {
                continue;
            };
            let count = moved.from.len();
            let place = self.free_place(key.0, count);
            let Some(start) = place.or_else(|| self.occupied_place(key.0, count)) else {
                return Err(Shortage(count));
            };
            let range = BlockRange::new(start, count);
            if self.layout.space.is_used_in(range) {
                self.layout.vacate(range);
            }
            self.layout.space.take(range);
            self.staying.push(range);
            self.layout.moved.insert(key, Moved { to: start, ..moved });
        }
        Ok(self.layout)
    }

    /// The blocks of `group`.
    fn blocks_of(&self, group: GroupNo) -> BlockRange {
        let geometry = self.new_geometry();
        BlockRange::new(geometry.group_start(group), geometry.group_blocks(group).into())
    }

    /// A place for `count` blocks of `group` where nothing has to be moved away: in the group, or, with `flex_bg`,
    /// from the first group of its set on, or anywhere.
    fn free_place(&self, group: GroupNo, count: u64) -> Option<FsBlock> {
        let geometry = self.new_geometry();
        let own = self.layout.space.window(self.blocks_of(group), count);
        if own.is_some() || !self.old.features().has(feature::FLEX_BG) {
            return own;
        }
        let log = u32::from(self.old.raw().s_log_groups_per_flex).min(31);
        let set = GroupNo(group.0.wrapping_shr(log).wrapping_shl(log));
        let end = FsBlock(geometry.blocks_count);
        let start = geometry.group_start(set);
        let near = self.layout.space.window(BlockRange { start, end }, count);
        let start = FsBlock(0);
        near.or_else(|| self.layout.space.window(BlockRange { start, end }, count))
    }

    /// A place for `count` blocks of `group` where only files are in the way; in another group only with `flex_bg`.
    fn occupied_place(&self, group: GroupNo, count: u64) -> Option<FsBlock> {
        let geometry = self.new_geometry();
        if !self.old.features().has(feature::FLEX_BG) {
            return self.gap(group, count);
        }
        geometry
            .groups_from(group)
            .find_map(|group| self.gap(group, count))
    }

    /// The first place in `group` where no table is.
    fn gap(&self, group: GroupNo, count: u64) -> Option<FsBlock> {
        let range = self.blocks_of(group);
        let new = self.new_geometry();
        let mut tables: Vec<BlockRange> = self
            .staying
            .iter()
            .copied()
            .filter(|table| table.start < range.end && table.end > range.start)
            .collect();
        let copies = copies_len(&self.layout.superblock, group);
        let len = if group.0 >= self.old.geometry().groups_count {
            copies.saturating_add(own_tables_len(&new))
        } else {
            copies
        };
        tables.push(BlockRange::new(range.start, len));
        tables.sort_unstable();
        let mut start = range.start;
        for table in tables {
            if start.plus(count) <= table.start {
                return Some(start);
            }
            start = start.max(table.end);
        }
        (start.plus(count) <= range.end).then_some(start)
    }
}

/// Whether `target` differs from `old` only in what lies behind the end of `old`: nothing has to move then.
pub(super) fn only_adds(old: &Superblock, target: &Superblock) -> bool {
    let mut groups = old.geometry().groups();
    target.geometry().blocks_count >= old.geometry().blocks_count
        && last_group(target.geometry()) >= last_group(old.geometry())
        && groups.all(|group| copies_len(old, group) == copies_len(target, group))
}
