//! Taking and giving back blocks and inodes. Every choice depends on the bitmaps and the goal alone, so that the same
//! edits give the same bytes.

use std::ops::Range;

use super::bitmap::Bitmap;
use super::error::{ExtError, Place};
use super::fs::Fs;
use super::group::INODE_UNINIT;
use super::types::{FsBlock, GroupNo, InodeNo};

/// A run of free blocks that was found: its group and the bits.
type Found = (GroupNo, Range<u32>);

impl Fs {
    /// Takes up to `wanted` neighbouring blocks, at `goal` or as near behind it as there is a run long enough; if
    /// there is none, a shorter run.
    ///
    /// # Errors
    /// [`ExtError::NoSpace`] if no block is free.
    pub(crate) fn allocate_blocks(&mut self, goal: FsBlock, wanted: u32) -> Result<(FsBlock, u32), ExtError> {
        let geometry = *self.superblock.geometry();
        let (goal_group, goal_bit) = geometry.group_of_block(goal).unwrap_or((GroupNo(0), 0));
        if self.groups.get(goal_group)?.free_blocks_count > 0 {
            let bitmap = self.block_bitmap_mut(goal_group)?;
            if !bitmap.is_set(goal_bit)
                && let Some(run) = bitmap.next_clear_run(goal_bit, wanted)
            {
                return self.take(goal_group, run);
            }
        }
        let mut best: Option<Found> = None;
        for least_free in [wanted, 1] {
            for group in geometry.groups_from(goal_group) {
                if self.groups.get(group)?.free_blocks_count < least_free {
                    continue;
                }
                let from = if group == goal_group { goal_bit } else { 0 };
                let run = longest_run(self.block_bitmap_mut(group)?, from, wanted);
                let Some(run) = run else { continue };
                let is_enough = run_len(&run) >= wanted;
                if best
                    .as_ref()
                    .is_none_or(|(_, best)| run_len(best) < run_len(&run))
                {
                    best = Some((group, run));
                }
                if is_enough {
                    break;
                }
            }
            if let Some((group, run)) = best {
                return self.take(group, run);
            }
        }
        Err(self.no_space(wanted.into()))
    }

    /// The error for `needed` blocks that are not there.
    pub(crate) fn no_space(&self, needed: u64) -> ExtError {
        ExtError::NoSpace {
            needed,
            free: self.superblock.free_blocks_count(),
            reserved: self.superblock.reserved_blocks_count(),
        }
    }

    /// Takes one block.
    pub(crate) fn allocate_block(&mut self, goal: FsBlock) -> Result<FsBlock, ExtError> {
        self.allocate_blocks(goal, 1).map(|(block, _)| block)
    }

    /// Gives back `count` blocks; changes of theirs that were not written are forgotten.
    pub(crate) fn free_blocks(&mut self, start: FsBlock, count: u64) -> Result<(), ExtError> {
        let end = start.plus(count);
        self.check_not_fixed(start, end)?;
        self.note_change();
        let stale: Vec<FsBlock> = self.blocks.range(start..end).map(|(block, _)| *block).collect();
        for block in stale {
            self.blocks.remove(&block);
        }
        let geometry = *self.superblock.geometry();
        let mut block = start;
        while block < end {
            let Some((group, bit)) = geometry.group_of_block(block) else {
                return Err(ExtError::corrupt(
                    Place::Superblock,
                    "freed block",
                    "a block of the file system",
                    block,
                ));
            };
            let rest = u32::try_from(end.0.saturating_sub(block.0)).unwrap_or(u32::MAX);
            let until = bit.saturating_add(rest).min(geometry.group_blocks(group));
            let bitmap = self.block_bitmap_mut(group)?;
            if bitmap.next_clear_in(bit..until).is_some() {
                return Err(ExtError::corrupt(
                    Place::Group(group),
                    "block bitmap",
                    "freed blocks in use",
                    "free",
                ));
            }
            bitmap.put(bit..until, false);
            let freed = until.saturating_sub(bit);
            self.groups.update(group, |descriptor| {
                descriptor.free_blocks_count = descriptor.free_blocks_count.saturating_add(freed);
            })?;
            let free = self.superblock.free_blocks_count().saturating_add(freed.into());
            self.superblock.set_free_blocks_count(free);
            block = block.plus(freed.into());
        }
        Ok(())
    }

    /// Takes an inode for `name` in `parent`, and clears its bytes.
    ///
    /// # Errors
    /// [`ExtError::NoInodes`].
    pub(crate) fn allocate_inode(
        &mut self,
        parent: InodeNo,
        name: &[u8],
        is_directory: bool,
    ) -> Result<InodeNo, ExtError> {
        let groups = self.inode_groups(parent, name, is_directory)?;
        self.allocate_inode_among(groups, is_directory)
    }

    /// Takes the first free inode of `groups`, and clears its bytes.
    pub(crate) fn allocate_inode_among(
        &mut self,
        groups: impl Iterator<Item = GroupNo>,
        is_directory: bool,
    ) -> Result<InodeNo, ExtError> {
        let geometry = *self.superblock.geometry();
        for group in groups {
            if self.groups.get(group)?.free_inodes_count == 0 {
                continue;
            }
            let reserved = if group.0 == 0 {
                geometry.first_inode.saturating_sub(1)
            } else {
                0
            };
            let bitmap = self.inode_bitmap_mut(group)?;
            let Some(bit) = bitmap.next_clear(reserved) else {
                continue;
            };
            bitmap.put(bit..bit.saturating_add(1), true);
            self.note_change();
            let first = group.0.saturating_mul(geometry.inodes_per_group);
            let number = InodeNo::new(first.saturating_add(bit).saturating_add(1));
            let number = number.ok_or(ExtError::NoInodes)?;
            self.enter_inode(group, bit, is_directory)?;
            self.clear_inode(number)?;
            return Ok(number);
        }
        Err(ExtError::NoInodes)
    }

    /// Gives back an inode, and clears its bytes.
    pub(crate) fn free_inode(&mut self, inode: InodeNo, is_directory: bool) -> Result<(), ExtError> {
        let (group, bit) = self.group_of_inode(inode)?;
        let bitmap = self.inode_bitmap_mut(group)?;
        if !bitmap.is_set(bit) {
            return Err(ExtError::corrupt(
                Place::Inode(inode),
                "inode bitmap",
                "in use",
                "free",
            ));
        }
        bitmap.put(bit..bit.saturating_add(1), false);
        self.groups.update(group, |descriptor| {
            descriptor.free_inodes_count = descriptor.free_inodes_count.saturating_add(1);
            let directories = u32::from(is_directory);
            descriptor.used_dirs_count = descriptor.used_dirs_count.saturating_sub(directories);
        })?;
        let free = self.superblock.free_inodes_count().saturating_add(1);
        self.superblock.set_free_inodes_count(free);
        self.clear_inode(inode)
    }

    /// Counts a new inode, and clears those before it that the table never held.
    fn enter_inode(&mut self, group: GroupNo, bit: u32, is_directory: bool) -> Result<(), ExtError> {
        let per_group = self.superblock.geometry().inodes_per_group;
        let has_unused = self.superblock.features().has_group_checksums();
        let descriptor = self.groups.get(group)?;
        let used = per_group.saturating_sub(descriptor.itable_unused);
        if has_unused {
            for skipped in used..bit {
                let first = group.0.saturating_mul(per_group);
                if let Some(number) = InodeNo::new(first.saturating_add(skipped).saturating_add(1)) {
                    self.clear_inode(number)?;
                }
            }
        }
        self.groups.update(group, |descriptor| {
            descriptor.free_inodes_count = descriptor.free_inodes_count.saturating_sub(1);
            let directories = u32::from(is_directory);
            descriptor.used_dirs_count = descriptor.used_dirs_count.saturating_add(directories);
            // From now on the group has a bitmap and a table that count.
            descriptor.flags &= !INODE_UNINIT;
            if has_unused {
                let after = per_group.saturating_sub(bit.saturating_add(1));
                descriptor.itable_unused = descriptor.itable_unused.min(after);
                descriptor.flags &= !INODE_UNINIT;
            }
        })?;
        let free = self.superblock.free_inodes_count().saturating_sub(1);
        self.superblock.set_free_inodes_count(free);
        Ok(())
    }

    fn clear_inode(&mut self, inode: InodeNo) -> Result<(), ExtError> {
        let (block, start) = self.inode_place(inode)?;
        let len = self.superblock.geometry().inode_len();
        if let Some(slot) = self.block_mut(block)?.get_mut(start..start.saturating_add(len)) {
            slot.fill(0);
        }
        Ok(())
    }

    fn take(&mut self, group: GroupNo, run: Range<u32>) -> Result<(FsBlock, u32), ExtError> {
        self.note_change();
        let count = run_len(&run);
        let start = self
            .superblock
            .geometry()
            .group_start(group)
            .plus(run.start.into());
        self.block_bitmap_mut(group)?.put(run, true);
        self.groups.update(group, |descriptor| {
            descriptor.free_blocks_count = descriptor.free_blocks_count.saturating_sub(count);
        })?;
        let free = self.superblock.free_blocks_count().saturating_sub(count.into());
        self.superblock.set_free_blocks_count(free);
        Ok((start, count))
    }

    fn block_bitmap_mut(&mut self, group: GroupNo) -> Result<&mut Bitmap, ExtError> {
        if !self.block_bitmaps.contains_key(&group) {
            let bitmap = self.load_block_bitmap(group)?;
            self.block_bitmaps.insert(group, bitmap);
        }
        let missing = || ExtError::corrupt(Place::Group(group), "block bitmap", "loaded", "missing");
        self.block_bitmaps.get_mut(&group).ok_or_else(missing)
    }

    fn inode_bitmap_mut(&mut self, group: GroupNo) -> Result<&mut Bitmap, ExtError> {
        if !self.inode_bitmaps.contains_key(&group) {
            let bitmap = self.load_inode_bitmap(group)?;
            self.inode_bitmaps.insert(group, bitmap);
        }
        let missing = || ExtError::corrupt(Place::Group(group), "inode bitmap", "loaded", "missing");
        self.inode_bitmaps.get_mut(&group).ok_or_else(missing)
    }

    /// Refuses to free what holds the file system's own tables, whatever a damaged inode claims.
    fn check_not_fixed(&self, start: FsBlock, end: FsBlock) -> Result<(), ExtError> {
        let ranges = self.fixed_metadata();
        let first = ranges.partition_point(|range| range.end <= start);
        if ranges.get(first).is_some_and(|range| range.start < end) {
            return Err(ExtError::corrupt(
                Place::Superblock,
                "freed block",
                "a block of a file",
                format_args!("metadata between {start} and {end}"),
            ));
        }
        Ok(())
    }
}

fn run_len(run: &Range<u32>) -> u32 {
    run.end.saturating_sub(run.start)
}

/// The first run of `wanted` clear bits from `from` on or else from the start; failing that, the longest.
fn longest_run(bitmap: &mut Bitmap, from: u32, wanted: u32) -> Option<Range<u32>> {
    let mut longest: Option<Range<u32>> = None;
    let mut starts = vec![0];
    if from > 0 {
        starts.push(from);
    }
    while let Some(start) = starts.pop() {
        let mut bit = start;
        while let Some(run) = bitmap.next_clear_run(bit, wanted) {
            if bit == 0 {
                bitmap.set_first_clear(run.start);
            }
            bit = run.end;
            if run_len(&run) >= wanted {
                return Some(run);
            }
            if longest
                .as_ref()
                .is_none_or(|longest| run_len(longest) < run_len(&run))
            {
                longest = Some(run);
            }
        }
    }
    longest
}
