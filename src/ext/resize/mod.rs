//! Makes a file system longer, in memory, as far as the descriptors reach that were reserved for it.
//!
//! ```text
//!   before  |s|g|reserved|bitmaps|table|data ...|s|g|reserved| ... |last group, short|
//!   after   |s|g g|reserv|bitmaps|table|data ...|s|g g|reserv| ... |last group, whole  |new group|new ...|
//! ```
//!
//! No block moves: descriptors grow into the blocks behind them, which the resize inode holds
//! (<https://docs.kernel.org/filesystems/ext4/blockgroup.html>), the last group is completed, and every further group
//! keeps its own tables. Tables of new groups are never written: beyond the old end the device reads as zero.

mod groups;
mod plan;
mod reserved;

use std::sync::OnceLock;

use self::plan::GrowPlan;
use super::error::ExtError;
use super::fs::Fs;
use super::types::FsBlock;

/// What growing did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GrowReport {
    /// The file system's length before, in bytes.
    pub old_len_bytes: u64,
    /// The file system's length now, in bytes: at most what was asked for. A last group too short for its own tables
    /// is left off.
    pub new_len_bytes: u64,
    /// How many groups were added.
    pub added_groups: u32,
}

impl Fs {
    /// Makes the file system, and its device, `len_bytes` long.
    ///
    /// Whatever the device held beyond the file system is cut off. Metadata is written by [`Fs::commit`].
    ///
    /// # Errors
    /// [`ExtError::WouldShrink`]; [`ExtError::BeyondReserved`], which names the largest length that can be reached;
    /// [`ExtError::Unsupported`] for `sparse_super2`; [`ExtError::Corrupt`] where the resize inode does not hold what
    /// it should.
    pub fn grow(&mut self, len_bytes: u64) -> Result<GrowReport, ExtError> {
        self.edit_time()?;
        let old = *self.superblock.geometry();
        let old_len_bytes = self.superblock.len_bytes();
        let plan = GrowPlan::new(&self.superblock, len_bytes)?;
        // Cut to the file system's end first, so that all that is added reads as zero.
        self.device.set_len_bytes(old_len_bytes)?;
        self.device.set_len_bytes(len_bytes)?;
        if plan.blocks_count > old.blocks_count {
            let last = self.last_group_bitmap()?;
            self.superblock.edit(|raw| plan.apply(raw))?;
            self.groups.extend(&self.superblock);
            self.fixed = OnceLock::new();
            self.complete_last_group(&old, &last)?;
            self.add_groups(&old)?;
            self.update_resize_inode(&old)?;
            self.are_backups_stale = true;
        }
        let new = self.superblock.geometry();
        Ok(GrowReport {
            old_len_bytes,
            new_len_bytes: FsBlock(new.blocks_count).byte_offset(new.block_size),
            added_groups: new.groups_count.saturating_sub(old.groups_count),
        })
    }
}
