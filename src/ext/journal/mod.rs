//! Recovery: what the kernel does when it mounts a file system that was not unmounted
//! (<https://docs.kernel.org/filesystems/ext4/journal.html>).
//!
//! ```text
//!   journal --scan--> committed transactions --replay--> blocks in their places, an empty journal
//!   superblock: needs_recovery cleared, free counts as the groups say
//!   orphans: freed, or cut to their length
//! ```

mod blocks;
mod checksum;
mod descriptor;
mod error;
mod orphan;
mod raw;
mod recovery;
mod scan;
mod superblock;
#[cfg(test)]
mod tests_replay;

use std::fmt;
use std::sync::Arc;

use self::blocks::JournalBlocks;
use self::superblock::JournalSuperblock;
use super::error::{Access, DirtyState, ExtError, Place};
use super::feature;
use super::fs::Fs;
use super::group::GroupTable;
use super::layout::BlockRange;
use super::superblock::{OFFSET_BYTES, Superblock};
use super::types::{GroupNo, InodeNo};
use crate::base::{FileKind, Timestamp};
use crate::block::BlockDevice;

pub use error::JournalError;

/// What a recovery did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RecoveryReport {
    /// The committed transactions that the journal held.
    pub transactions: u32,
    /// The blocks that were put in their places.
    pub blocks: u64,
    /// The blocks that a later transaction had taken back.
    pub revoked: u64,
    /// The inodes without a name that were freed, and those that were cut to the length that they were to have.
    pub orphans: u64,
}

impl RecoveryReport {
    /// Whether the file system needed nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for RecoveryReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            transactions,
            blocks,
            revoked: _,
            orphans,
        } = self;
        let plural = |count: u64| if count == 1 { "" } else { "s" };
        write!(
            formatter,
            "{transactions} transaction{} of its journal, {blocks} block{}, {orphans} orphaned inode{}",
            plural((*transactions).into()),
            plural(*blocks),
            plural(*orphans)
        )
    }
}

impl Fs {
    /// Brings the file system on `device` into the state in which it can be edited, and opens it for edits: replays
    /// its journal and empties it, then lets go of orphaned inodes. `device` should be an overlay; after an error it
    /// is to be dropped.
    ///
    /// A file system that needs nothing is opened as it is.
    ///
    /// # Errors
    /// As [`Fs::open_for_edit`]; further [`ExtError::Journal`] for a journal that needs other tools, and
    /// [`ExtError::Corrupt`] for one that is damaged before its last transaction, or for a list of orphans that is.
    pub fn recover(device: Arc<dyn BlockDevice>, now: Timestamp) -> Result<(Self, RecoveryReport), ExtError> {
        let superblock = Superblock::read(&*device)?;
        superblock.features().check(Access::Edit)?;
        check_no_errors(&superblock)?;
        let groups = GroupTable::read_unchecked(&*device, &superblock)?;
        Self::from_parts(device.clone(), superblock.clone(), groups).check_not_in_use()?;
        let mut report = RecoveryReport::default();
        if superblock.features().has(feature::HAS_JOURNAL) {
            report = replay(&device, superblock)?;
        }
        let mut fs = Self::open(device.clone())?;
        check_no_errors(&fs.superblock)?;
        if fs.superblock.has_orphans() {
            fs.now = Some(now);
            report.orphans = fs.release_orphans()?;
            fs.commit()?;
            write_superblock(&*device, &fs.superblock)?;
        }
        let fs = Self::open_for_edit(device, now)?;
        Ok((fs, report))
    }
}

/// Refuses a file system in which the kernel found errors.
fn check_no_errors(superblock: &Superblock) -> Result<(), ExtError> {
    if superblock.has_errors() {
        let state = DirtyState::Errors;
        return Err(ExtError::NeedsCheck { state });
    }
    Ok(())
}

/// Replays the journal, then brings the superblock in line with it.
fn replay(device: &Arc<dyn BlockDevice>, superblock: Superblock) -> Result<RecoveryReport, ExtError> {
    let is_wanted = superblock.features().has(feature::NEEDS_RECOVERY);
    let Some(inode) = superblock.journal_inode() else {
        // A journal elsewhere that holds nothing for this file system stands in nobody's way.
        return if is_wanted {
            Err(JournalError::External.into())
        } else {
            Ok(RecoveryReport::default())
        };
    };
    let groups = GroupTable::read_unchecked(&**device, &superblock)?;
    let before = Fs::from_parts(device.clone(), superblock, groups);
    let blocks = before.journal_blocks(inode)?;
    if !is_wanted {
        recovery::discard(&**device, before.block_size(), &blocks)?;
        return Ok(RecoveryReport::default());
    }
    let replayed = recovery::replay(&**device, &before.superblock, &blocks)?;
    settle_superblock(&**device)?;
    Ok(RecoveryReport {
        transactions: replayed.transactions,
        blocks: replayed.blocks,
        revoked: replayed.revoked,
        orphans: 0,
    })
}

/// Says in the superblock that nothing is left to replay, and what the groups say about free blocks and inodes: the
/// kernel keeps these two sums up to date only when it unmounts.
fn settle_superblock(device: &dyn BlockDevice) -> Result<(), ExtError> {
    let mut superblock = Superblock::read(device)?;
    let groups = GroupTable::read(device, &superblock)?;
    let (mut free_blocks, mut free_inodes) = (0_u64, 0_u32);
    for group in superblock.geometry().groups() {
        let descriptor = groups.get(group)?;
        free_blocks = free_blocks.saturating_add(descriptor.free_blocks_count.into());
        free_inodes = free_inodes.saturating_add(descriptor.free_inodes_count);
    }
    superblock.set_free_blocks_count(free_blocks);
    superblock.set_free_inodes_count(free_inodes);
    superblock.edit(|raw| {
        let incompat = feature::NEEDS_RECOVERY.cleared(raw.s_feature_incompat.get());
        raw.s_feature_incompat.set(incompat);
    })?;
    write_superblock(device, &superblock)
}

fn write_superblock(device: &dyn BlockDevice, superblock: &Superblock) -> Result<(), ExtError> {
    device.write_at(OFFSET_BYTES, &superblock.encode(GroupNo(0)))?;
    Ok(())
}

impl Fs {
    /// What the superblock of the journal in `inode` says.
    pub(crate) fn journal_state(&self, inode: InodeNo) -> Result<JournalSuperblock, ExtError> {
        let blocks = self.journal_blocks(inode)?;
        let mut first = vec![0; self.block_size().buffer_len()];
        blocks.read(&*self.device, self.block_size(), 0, &mut first)?;
        JournalSuperblock::decode(&first, self.block_size(), blocks.count())
    }

    /// Where the journal in `inode` lies; it must not have holes.
    fn journal_blocks(&self, inode: InodeNo) -> Result<JournalBlocks, ExtError> {
        let node = self.node(inode)?;
        let place = Place::Inode(inode);
        if node.kind() != Some(FileKind::Regular) || node.links_count() == 0 {
            return Err(ExtError::corrupt(
                place,
                "kind of the journal",
                "a regular file",
                "another",
            ));
        }
        let map = self.file_map(&node)?;
        let mut next = 0_u64;
        for run in map.runs() {
            if u64::from(run.file_block) != next || run.is_unwritten {
                return Err(ExtError::corrupt(
                    place,
                    "block of the journal",
                    next,
                    run.file_block,
                ));
            }
            next = run.end();
        }
        JournalBlocks::new(
            map.runs()
                .iter()
                .map(|run| BlockRange::new(run.start, run.count.into())),
        )
    }
}
