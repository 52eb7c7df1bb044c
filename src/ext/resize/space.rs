//! The free blocks of a whole file system as ranges, by place and by length, to plan with: nothing here touches the
//! bitmaps.

use std::collections::{BTreeMap, BTreeSet};

use crate::ext::error::ExtError;
use crate::ext::fs::Fs;
use crate::ext::layout::BlockRange;
use crate::ext::types::FsBlock;

/// Free blocks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Space {
    /// Start to end, without overlaps and never touching.
    by_start: BTreeMap<u64, u64>,
    /// The same ranges as length and start.
    by_len: BTreeSet<(u64, u64)>,
    blocks: u64,
}

impl Space {
    /// What is free in `fs` by its bitmaps, changes included.
    pub(super) fn of(fs: &Fs) -> Result<Self, ExtError> {
        let geometry = fs.superblock.geometry();
        let mut space = Self::default();
        for group in geometry.groups() {
            let bitmap = fs.load_block_bitmap(group)?;
            let start = geometry.group_start(group);
            let mut bit = 0;
            while let Some(run) = bitmap.next_clear_run(bit, u32::MAX) {
                bit = run.end;
                space.give(BlockRange {
                    start: start.plus(run.start.into()),
                    end: start.plus(run.end.into()),
                });
            }
        }
        Ok(space)
    }

    /// How many blocks are free.
    pub(super) fn blocks(&self) -> u64 {
        self.blocks
    }

    /// The free ranges within `range`, cut to it.
    pub(super) fn within(&self, range: BlockRange) -> impl Iterator<Item = BlockRange> + '_ {
        let (from, to) = (range.start.0, range.end.0);
        let before = self.by_start.range(..from).next_back();
        let before = before.filter(move |(_, end)| **end > from);
        let inside = self.by_start.range(from..to.max(from));
        before
            .into_iter()
            .chain(inside)
            .map(move |(start, end)| BlockRange {
                start: FsBlock((*start).max(from)),
                end: FsBlock((*end).min(to)),
            })
            .filter(|part| part.len() > 0)
    }

    /// Whether every block of `range` is free.
    pub(super) fn has_all(&self, range: BlockRange) -> bool {
        let free = self
            .within(range)
            .fold(0_u64, |sum, part| sum.saturating_add(part.len()));
        free == range.len()
    }

    /// Whether any block of `range` is not free.
    pub(super) fn is_used_in(&self, range: BlockRange) -> bool {
        !self.has_all(range)
    }

    /// The lowest place within `range` where `count` neighbouring blocks are free.
    pub(super) fn window(&self, range: BlockRange, count: u64) -> Option<FsBlock> {
        self.within(range)
            .find(|part| part.len() >= count)
            .map(|part| part.start)
    }

    /// Makes all of `range` free.
    pub(super) fn give(&mut self, range: BlockRange) {
        if range.len() == 0 {
            return;
        }
        let (mut start, mut end) = (range.start.0, range.end.0);
        let touching: Vec<(u64, u64)> = {
            let before = self.by_start.range(..start).next_back();
            let before = before.filter(|(_, before_end)| **before_end >= start);
            let inside = self.by_start.range(start..=end);
            before
                .into_iter()
                .chain(inside)
                .map(|(start, end)| (*start, *end))
                .collect()
        };
        for (other_start, other_end) in touching {
            self.drop_range(other_start, other_end);
            start = start.min(other_start);
            end = end.max(other_end);
        }
        self.put_range(start, end);
    }

    /// Makes all of `range` used.
    pub(super) fn take(&mut self, range: BlockRange) {
        let parts: Vec<BlockRange> = self.within(range).collect();
        for part in parts {
            let found = self.by_start.range(..=part.start.0).next_back();
            let Some((start, end)) = found.map(|(start, end)| (*start, *end)) else {
                continue;
            };
            self.drop_range(start, end);
            self.put_range(start, part.start.0);
            self.put_range(part.end.0, end);
        }
    }

    /// Takes `wanted` neighbouring blocks where they fit best: in the shortest range that is long enough, else the
    /// whole of the longest.
    pub(super) fn fit(&mut self, wanted: u64) -> Option<BlockRange> {
        let enough = self.by_len.range((wanted, 0)..).next();
        let (len, start) = *enough.or_else(|| self.by_len.last())?;
        let taken = BlockRange::new(FsBlock(start), len.min(wanted));
        self.take(taken);
        Some(taken)
    }

    fn put_range(&mut self, start: u64, end: u64) {
        let len = end.saturating_sub(start);
        if len > 0 {
            self.by_start.insert(start, end);
            self.by_len.insert((len, start));
            self.blocks = self.blocks.saturating_add(len);
        }
    }

    fn drop_range(&mut self, start: u64, end: u64) {
        let len = end.saturating_sub(start);
        if self.by_start.remove(&start).is_some() {
            self.by_len.remove(&(len, start));
            self.blocks = self.blocks.saturating_sub(len);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn range(start: u64, end: u64) -> BlockRange {
        BlockRange {
            start: FsBlock(start),
            end: FsBlock(end),
        }
    }

    #[test]
    fn the_best_fit_is_the_shortest_that_is_long_enough() {
        let mut space = Space::default();
        space.give(range(10, 20));
        space.give(range(30, 34));
        space.give(range(50, 53));
        assert_eq!(space.fit(4), Some(range(30, 34)));
        assert_eq!(space.fit(2), Some(range(50, 52)));
        assert_eq!(space.fit(100), Some(range(10, 20)));
        assert_eq!(space.fit(100), Some(range(52, 53)));
        assert_eq!((space.fit(1), space.blocks()), (None, 0));
    }

    proptest! {
        #[test]
        fn ranges_behave_like_single_blocks(
            steps in prop::collection::vec((0_u64..60, 0_u64..60, any::<bool>()), 1..40)
        ) {
            let mut space = Space::default();
            let mut model = [false; 60];
            for (one, other, is_free) in steps {
                let (start, end) = (one.min(other), one.max(other));
                if is_free {
                    space.give(range(start, end));
                } else {
                    space.take(range(start, end));
                }
                model[start as usize..end as usize].fill(is_free);
                prop_assert_eq!(space.blocks(), model.iter().filter(|free| **free).count() as u64);
                for block in 0..60 {
                    prop_assert_eq!(space.has_all(range(block, block + 1)), model[block as usize]);
                }
                let longest = model.split(|free| !free).map(<[bool]>::len).max().unwrap_or(0) as u64;
                prop_assert_eq!(space.window(range(0, 60), longest + 1), None);
                prop_assert_eq!(space.window(range(0, 60), longest.max(1)).is_some(), longest > 0);
                prop_assert_eq!(space.by_len.len(), space.by_start.len());
            }
        }
    }
}
