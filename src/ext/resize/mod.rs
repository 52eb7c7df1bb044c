//! Makes a file system longer or shorter, in memory but for the content of files that has to move.
//!
//! ```text
//!   before  |s|g|reserved|bitmaps|table|data ...|s|g|reserved| ... |last group, short|
//!   after   |s|g g|reserv|bitmaps|table|data ...|s|g g|reserv| ... |last group, whole  |new group|new ...|
//!
//!   length --target--> superblock --layout--> places of tables, what is to be vacated
//!                                                  |
//!                survey: who holds which block --> relocation: what goes where --> carry_out
//! ```
//!
//! Growing moves nothing as long as descriptors have room behind them, which the resize inode holds
//! (<https://docs.kernel.org/filesystems/ext4/blockgroup.html>): the last group is completed, and every further group
//! keeps its own tables. Tables of new groups are never written: beyond the old end the device reads as zero.
//!
//! Everything else is planned as a whole before the first byte changes: a length that is too short is refused with the
//! file system as it was. The plan depends on the file system and the length alone.

mod carry_out;
mod groups;
mod layout;
mod minimum;
mod names;
mod relocation;
mod reserved;
mod space;
mod survey;
mod target;

use std::sync::OnceLock;

use self::layout::{NewLayout, only_adds};
use self::relocation::Relocation;
use self::space::Space;
use self::survey::Survey;
use super::error::{Access, ExtError};
use super::feature;
use super::fs::Fs;
use super::layout::BlockRange;
use super::superblock::Superblock;
use super::types::{FsBlock, wide};

/// What resizing did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResizeReport {
    /// The blocks before.
    pub old_blocks: u64,
    /// The blocks now: at most what was asked for. A last group too short for its own tables is left off.
    pub new_blocks: u64,
    /// The groups before.
    pub old_groups: u32,
    /// The groups now.
    pub new_groups: u32,
    /// The blocks whose content went elsewhere.
    pub moved_blocks: u64,
    /// The inodes that got other numbers, since theirs lay beyond the new end.
    pub renumbered_inodes: u64,
}

impl Fs {
    /// Makes the file system at most `blocks_count` blocks long, and its device exactly.
    ///
    /// Whatever the device held beyond the file system is cut off. Content that has to move is copied on the device at
    /// once, after [`Fs::commit`] of what was changed before; all other metadata is written by the next commit.
    /// Features never change.
    ///
    /// # Errors
    /// Before anything is changed: [`ExtError::BelowMinimum`], [`ExtError::BeyondLimit`], [`ExtError::Unsupported`],
    /// and [`ExtError::Corrupt`] where the maps of inodes, or the resize inode, do not hold what they should.
    pub fn resize(&mut self, blocks_count: u64) -> Result<ResizeReport, ExtError> {
        self.edit_time()?;
        self.commit()?;
        let old = self.superblock.clone();
        let mut report = ResizeReport {
            old_blocks: old.geometry().blocks_count,
            new_blocks: old.geometry().blocks_count,
            old_groups: old.geometry().groups_count,
            new_groups: old.geometry().groups_count,
            moved_blocks: 0,
            renumbered_inodes: 0,
        };
        let block_size = self.block_size();
        let len_bytes = FsBlock(blocks_count).byte_offset(block_size);
        if blocks_count < report.old_blocks {
            let plan = self.plan_shrink(blocks_count)?;
            self.carry_out(&plan)?;
            self.device.set_len_bytes(len_bytes)?;
            report.note(&plan);
        } else {
            let target = target::plan(&old, blocks_count)?;
            let plan = if only_adds(&old, &target) {
                None
            } else {
                Some(self.plan_growth(&target)?)
            };
            // Cut to the file system's end first, so that all that is added reads as zero.
            self.device.set_len_bytes(old.len_bytes())?;
            self.device.set_len_bytes(len_bytes)?;
            match plan {
                Some(plan) => {
                    self.carry_out(&plan)?;
                    report.note(&plan);
                }
                None if target.geometry().blocks_count > report.old_blocks => self.extend(&target)?,
                None => {}
            }
        }
        report.new_blocks = self.superblock.geometry().blocks_count;
        report.new_groups = self.superblock.geometry().groups_count;
        Ok(report)
    }

    /// Adds groups where nothing has to move.
    fn extend(&mut self, target: &Superblock) -> Result<(), ExtError> {
        let old = *self.superblock.geometry();
        let last = self.last_group_bitmap()?;
        self.superblock = target.clone();
        self.groups.fit(&self.superblock);
        self.fixed = OnceLock::new();
        self.complete_last_group(&old, &last)?;
        self.add_groups(&old)?;
        self.count_added(&old);
        self.update_resize_inode(&old)?;
        self.are_backups_stale = true;
        Ok(())
    }

    fn plan_growth(&self, target: &Superblock) -> Result<Relocation, ExtError> {
        let free = Space::of(self)?;
        let layout = NewLayout::plan(self, &free, target)?.map_err(|shortage| self.no_space(shortage.0))?;
        let survey = self.survey_for(&free, &layout)?;
        Relocation::plan(layout, &survey).map_err(|shortage| self.no_space(shortage.0))
    }

    /// Plans shrinking; what does not fit is refused with the length that would.
    fn plan_shrink(&self, blocks_count: u64) -> Result<Relocation, ExtError> {
        let free = Space::of(self)?;
        if blocks_count < self.least_blocks(&free)? {
            return Err(self.below_minimum(blocks_count));
        }
        let target = target::plan(&self.superblock, blocks_count)?;
        let Ok(layout) = NewLayout::plan(self, &free, &target)? else {
            return Err(self.below_minimum(blocks_count));
        };
        let survey = self.survey_for(&free, &layout)?;
        let Ok(plan) = Relocation::plan(layout, &survey) else {
            return Err(self.below_minimum(blocks_count));
        };
        let keeps_numbers = self.superblock.features().has(feature::STABLE_INODES);
        if keeps_numbers && !plan.renumbered().is_empty() {
            return Err(ExtError::Unsupported {
                access: Access::Resize,
                names: vec!["stable_inodes".to_owned()],
            });
        }
        Ok(plan)
    }

    /// The inodes that `layout` moves; none is read if it moves nothing.
    fn survey_for(&self, free: &Space, layout: &NewLayout) -> Result<Survey, ExtError> {
        let inodes_count = layout.superblock.geometry().inodes_count;
        let is_cut = inodes_count < self.superblock.geometry().inodes_count;
        let end = FsBlock(self.superblock.geometry().blocks_count);
        let is_occupied = layout.vacated.iter().any(|range| {
            let end = range.end.min(end);
            range.start < end && free.is_used_in(BlockRange { end, ..*range })
        });
        if !is_cut && !is_occupied {
            return Ok(Survey::default());
        }
        Survey::take(self, |resident| {
            resident.inode.get() > inodes_count || resident.is_touched_by(layout)
        })
    }

    /// The error for a length that is too short, with the least that is not.
    fn below_minimum(&self, wanted: u64) -> ExtError {
        match self.minimum_blocks() {
            Ok(minimum) => ExtError::BelowMinimum {
                wanted_bytes: FsBlock(wanted).byte_offset(self.block_size()),
                minimum_bytes: FsBlock(minimum).byte_offset(self.block_size()),
            },
            Err(error) => error,
        }
    }
}

impl ResizeReport {
    fn note(&mut self, plan: &Relocation) {
        let copied = plan
            .copies
            .iter()
            .fold(0_u64, |sum, copy| sum.saturating_add(copy.count));
        self.moved_blocks = copied;
        self.renumbered_inodes = wide(plan.renumbered().len());
    }
}
