//! Which blocks are somebody's: filled while inodes are read, compared with the bitmaps at the end.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::finding::Report;
use crate::ext::bitmap::Bitmap;
use crate::ext::error::Place;
use crate::ext::fs::Fs;
use crate::ext::geometry::Geometry;
use crate::ext::types::{FsBlock, GroupNo};

/// The blocks that have an owner, by group.
#[derive(Debug, Clone)]
pub(super) struct Claims {
    geometry: Geometry,
    /// Shared until one changes.
    groups: BTreeMap<GroupNo, Arc<Bitmap>>,
}

/// How a claim went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// Nobody had any of the blocks.
    Granted,
    /// This block has an owner already.
    Taken(FsBlock),
    /// This block is none of the file system's.
    Outside(FsBlock),
}

impl Claims {
    /// Nothing is anybody's.
    pub(super) fn none(fs: &Fs) -> Self {
        Self {
            geometry: *fs.superblock.geometry(),
            groups: BTreeMap::new(),
        }
    }

    /// The claims of bitmaps, inode tables, and copies of superblock and descriptors.
    pub(super) fn of_tables(fs: &Fs, report: &mut Report) -> Self {
        let mut claims = Self::none(fs);
        for range in fs.fixed_metadata() {
            let count = range.end.0.saturating_sub(range.start.0);
            if let Claim::Taken(block) | Claim::Outside(block) = claims.claim(range.start, count) {
                report.add(
                    Place::Superblock,
                    "tables",
                    "one owner of each block",
                    format_args!("block {block} twice"),
                );
            }
        }
        claims
    }

    /// Claims `count` blocks from `start` on. If one is taken, the others are claimed nevertheless.
    pub(super) fn claim(&mut self, start: FsBlock, count: u64) -> Claim {
        let mut outcome = Claim::Granted;
        let mut block = start;
        let end = start.plus(count);
        while block < end {
            let Some((group, place)) = self.geometry.group_of_block(block) else {
                return Claim::Outside(block);
            };
            let bits = self.geometry.group_blocks(group);
            let room = u64::from(bits.saturating_sub(place))
                .min(end.0.saturating_sub(block.0))
                .max(1);
            let room = u32::try_from(room).unwrap_or(1);
            let block_len = self.geometry.block_size.buffer_len();
            let bitmap = self
                .groups
                .entry(group)
                .or_insert_with(|| Arc::new(Bitmap::empty(block_len, bits)));
            let bitmap = Arc::make_mut(bitmap);
            let wanted = place..place.saturating_add(room);
            let taken = bitmap.next_set(wanted.clone());
            if taken < wanted.end && outcome == Claim::Granted {
                outcome = Claim::Taken(self.geometry.group_start(group).plus(taken.into()));
            }
            bitmap.put(wanted, true);
            block = block.plus(room.into());
        }
        outcome
    }

    /// Gives up all that is claimed in `others`, of the same file system.
    pub(super) fn release(&mut self, others: &Self) {
        for (group, given_up) in &others.groups {
            let Some(bitmap) = self.groups.get_mut(group) else {
                continue;
            };
            let end = given_up.bits();
            let mut start = given_up.next_set(0..end);
            while start < end {
                let next = given_up.next_clear(start).unwrap_or(end);
                Arc::make_mut(bitmap).put(start..next, false);
                start = given_up.next_set(next..end);
            }
        }
    }

    /// Gives up one block.
    pub(super) fn release_block(&mut self, block: FsBlock) {
        if let Some((group, place)) = self.geometry.group_of_block(block)
            && let Some(bitmap) = self.groups.get_mut(&group)
        {
            Arc::make_mut(bitmap).put(place..place.saturating_add(1), false);
        }
    }

    /// The claimed blocks of `group`.
    pub(super) fn of_group(&self, group: GroupNo) -> Arc<Bitmap> {
        let empty = || {
            Arc::new(Bitmap::empty(
                self.geometry.block_size.buffer_len(),
                self.geometry.group_blocks(group),
            ))
        };
        self.groups.get(&group).cloned().unwrap_or_else(empty)
    }

    /// Whether the claims of `group` have not changed since one was made from the other.
    pub(super) fn are_shared(&self, other: &Self, group: GroupNo) -> bool {
        match (self.groups.get(&group), other.groups.get(&group)) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }
}
