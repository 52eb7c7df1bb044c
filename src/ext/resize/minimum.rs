//! The least number of blocks that a file system can have.
//!
//! ```text
//!   counted   all blocks of files + the tables of as many groups as hold them        a bound that nothing goes below
//!   tried     a whole plan for that length; what it lacks is added, until a plan succeeds
//! ```

use super::layout::{NewLayout, Shortage};
use super::relocation::Relocation;
use super::space::Space;
use super::survey::Survey;
use super::target::{FREE_MIN, at_least, last_group, numbers, plan, tables_len, tables_total};
use crate::ext::error::ExtError;
use crate::ext::feature;
use crate::ext::fs::Fs;
use crate::ext::superblock::Superblock;

/// How many lengths are tried at most.
const MOST_TRIALS: u32 = 64;

impl Fs {
    /// The least number of blocks that [`Fs::resize`] can shrink the file system to.
    ///
    /// Reads all inodes. Changes to directories that were not committed are not looked at.
    ///
    /// # Errors
    /// As [`Fs::resize`].
    pub fn minimum_blocks(&self) -> Result<u64, ExtError> {
        let free = Space::of(self)?;
        let bound = self.least_blocks(&free)?;
        let now = self.superblock.geometry().blocks_count;
        if bound >= now {
            return Ok(now);
        }
        let survey = Survey::take(self, |_| true)?;
        let (mut too_few, mut enough) = (bound.saturating_sub(1), now);
        let mut candidate = bound;
        for _ in 0..MOST_TRIALS {
            if candidate >= enough || enough <= too_few.saturating_add(closeness(now)) {
                break;
            }
            match self.try_plan(&free, &survey, candidate)? {
                Ok(_) => enough = candidate,
                Err(Shortage(missing)) => {
                    too_few = candidate;
                    if enough == now {
                        let next = candidate.saturating_add(missing.max(1));
                        candidate = at_least(&self.superblock, next.min(now))?.min(now);
                        continue;
                    }
                }
            }
            let half = enough.saturating_sub(too_few).wrapping_shr(1);
            candidate = at_least(&self.superblock, too_few.saturating_add(half.max(1)))?;
        }
        Ok(enough)
    }

    /// A plan for exactly `blocks_count` blocks.
    pub(super) fn try_plan(
        &self,
        free: &Space,
        survey: &Survey,
        blocks_count: u64,
    ) -> Result<Result<Relocation, Shortage>, ExtError> {
        let target = plan(&self.superblock, blocks_count)?;
        if target.geometry().blocks_count < blocks_count {
            return Ok(Err(Shortage(FREE_MIN)));
        }
        let layout = NewLayout::plan(self, free, &target)?;
        Ok(layout.and_then(|layout| Relocation::plan(layout, survey)))
    }

    /// A bound that no length goes below: the blocks of files, and the tables of the groups that can hold them and the
    /// inodes.
    pub(super) fn least_blocks(&self, free: &Space) -> Result<u64, ExtError> {
        let old = &self.superblock;
        let geometry = old.geometry();
        let (highest, in_use) = self.inodes_in_use()?;
        let keeps_numbers = old.features().has(feature::STABLE_INODES);
        let inodes = if keeps_numbers { highest } else { in_use };
        let taken = free.blocks().saturating_add(tables_total(old));
        let content = geometry
            .blocks_count
            .saturating_sub(geometry.first_data_block.into())
            .saturating_sub(taken);
        let mut low = inodes.div_ceil(geometry.inodes_per_group.max(1)).max(1);
        let mut high = geometry.groups_count.max(low);
        while low < high {
            let middle = low.saturating_add(high.saturating_sub(low).wrapping_shr(1));
            let target = numbers(old, end_of(old, middle))?;
            if needed(&target, content) <= target.geometry().blocks_count {
                high = middle;
            } else {
                low = middle.saturating_add(1);
            }
        }
        let target = numbers(old, end_of(old, low))?;
        let last = last_group(target.geometry());
        let start = target.geometry().group_start(last);
        let least = tables_len(&target, last).saturating_add(if last.0 == 0 { 0 } else { FREE_MIN });
        let bound = needed(&target, content).max(start.plus(least).0);
        Ok(bound.min(geometry.blocks_count))
    }
}

/// Where the first `groups` groups end.
fn end_of(old: &Superblock, groups: u32) -> u64 {
    let geometry = old.geometry();
    u64::from(groups)
        .saturating_mul(geometry.blocks_per_group.into())
        .saturating_add(geometry.first_data_block.into())
        .min(geometry.blocks_count)
}

/// How many blocks it takes to hold `content` blocks and the tables of `target`.
fn needed(target: &Superblock, content: u64) -> u64 {
    tables_total(target)
        .saturating_add(content)
        .saturating_add(target.geometry().first_data_block.into())
}

/// How near the answer has to be to the least length that there is: a thousandth.
fn closeness(blocks_count: u64) -> u64 {
    blocks_count.wrapping_shr(10).max(1)
}
