//! Reading the log from its start to the last transaction that was committed whole. Nothing is written here.
//!
//! ```text
//!   s_start                                              the log goes on at s_first when it reaches its end
//!   | descriptor | data | data | revocation | commit | descriptor | data | commit | old blocks ...
//!   |------------- transaction n --------------------|---- transaction n + 1 -----|
//! ```
//!
//! A block that is not of the expected transaction ends the log, and what came after the last commit never happened.
//! How checksums that fail are told from blocks of an earlier lap: those were committed before the last transaction.

use std::collections::{BTreeMap, BTreeSet};

use zerocopy::FromBytes as _;

use super::blocks::JournalBlocks;
use super::checksum::{LogChecksums, TransactionSum};
use super::descriptor::{LogFormat, Tag};
use super::error::JournalError;
use super::raw::{RawCommit, RawFastCommitHead, RawHeader};
use super::superblock::{JournalSuperblock, MAGIC};
use crate::block::BlockDevice;
use crate::ext::error::{ExtError, Place};
use crate::ext::types::{BlockSize, FsBlock};

const BLOCKTYPE_DESCRIPTOR: u32 = 1;
const BLOCKTYPE_COMMIT: u32 = 2;
const BLOCKTYPE_REVOKE: u32 = 5;
const CHECKSUM_TYPE_CRC32: u8 = 1;
const FAST_COMMIT_TAG_HEAD: u16 = 9;

/// A journal that can be read.
#[derive(Debug)]
pub(crate) struct Log<'a> {
    pub(crate) device: &'a dyn BlockDevice,
    pub(crate) block_size: BlockSize,
    pub(crate) blocks: &'a JournalBlocks,
    pub(crate) superblock: &'a JournalSuperblock,
}

/// A data block of a committed transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LoggedBlock {
    /// Where it lies, counted from the journal's start.
    pub(crate) number: u32,
    pub(crate) tag: Tag,
    /// The transaction.
    pub(crate) sequence: u32,
}

/// All that was committed.
#[derive(Debug, Default)]
pub(crate) struct Committed {
    /// The data blocks, oldest first.
    pub(crate) logged: Vec<LoggedBlock>,
    /// For each revoked block, the last transaction that revoked it.
    pub(crate) revoked: BTreeMap<FsBlock, u32>,
    /// How many transactions.
    pub(crate) transactions: u32,
    /// The number of the transaction that was not committed any more.
    pub(crate) end_sequence: u32,
}

impl Committed {
    /// Whether a later or the same transaction took `block` back.
    pub(crate) fn is_revoked(&self, block: &LoggedBlock) -> bool {
        let revoked = self.revoked.get(&block.tag.target);
        revoked.is_some_and(|sequence| is_at_or_after(*sequence, block.sequence))
    }
}

/// What one transaction brought so far.
#[derive(Default)]
struct Transaction {
    logged: Vec<LoggedBlock>,
    revoked: BTreeSet<FsBlock>,
    sum: Option<TransactionSum>,
    /// The first block that cannot be trusted, and why.
    suspect: Option<(u32, &'static str)>,
}

enum Step {
    /// The transaction goes on.
    More,
    /// It was committed.
    Done,
    /// It never was; the log ends before it.
    End,
}

struct Scanner<'a> {
    log: &'a Log<'a>,
    format: LogFormat,
    next: u32,
    /// The blocks of the log that were not looked at yet.
    left: u32,
    commit_time: (u64, u32),
}

impl Log<'_> {
    /// Reads every committed transaction from the journal's block `start` on.
    pub(crate) fn scan(&self, start: u32) -> Result<Committed, ExtError> {
        let mut scanner = Scanner {
            log: self,
            format: LogFormat {
                checksums: self.superblock.checksums(),
                has_64bit: self.superblock.has_64bit(),
            },
            next: start,
            left: self.superblock.log_len(),
            commit_time: (0, 0),
        };
        let mut committed = Committed {
            end_sequence: self.superblock.sequence(),
            ..Committed::default()
        };
        while let Some(transaction) = scanner.transaction(committed.end_sequence)? {
            let sequence = committed.end_sequence;
            committed.logged.extend(transaction.logged);
            let revoked = transaction.revoked.into_iter().map(|block| (block, sequence));
            committed.revoked.extend(revoked);
            committed.transactions = committed.transactions.saturating_add(1);
            committed.end_sequence = sequence.wrapping_add(1);
        }
        self.check_fast_commits(committed.end_sequence)?;
        Ok(committed)
    }

    /// The journal's block `number`.
    pub(crate) fn read(&self, number: u32) -> Result<Vec<u8>, ExtError> {
        let mut bytes = vec![0; self.block_size.buffer_len()];
        self.blocks
            .read(self.device, self.block_size, number, &mut bytes)?;
        Ok(bytes)
    }

    /// Refuses a fast commit area that adds to transaction `sequence`, the one that was not committed any more.
    fn check_fast_commits(&self, sequence: u32) -> Result<(), ExtError> {
        let Some(start) = self.superblock.fast_commit_start() else {
            return Ok(());
        };
        let bytes = self.read(start)?;
        match RawFastCommitHead::ref_from_prefix(&bytes) {
            Ok((head, _)) if head.fc_tag.get() == FAST_COMMIT_TAG_HEAD && head.fc_tid.get() == sequence => {
                Err(JournalError::FastCommits.into())
            }
            _ => Ok(()),
        }
    }
}

impl Scanner<'_> {
    /// The transaction `sequence`, if it was committed.
    fn transaction(&mut self, sequence: u32) -> Result<Option<Transaction>, ExtError> {
        let mut transaction = Transaction::default();
        if self.format.checksums == LogChecksums::V1 {
            transaction.sum = Some(TransactionSum::new());
        }
        loop {
            match self.step(sequence, &mut transaction)? {
                Step::More => {}
                Step::Done => return Ok(Some(transaction)),
                Step::End => return Ok(None),
            }
        }
    }

    fn step(&mut self, sequence: u32, transaction: &mut Transaction) -> Result<Step, ExtError> {
        let Some(number) = self.advance() else {
            return Ok(Step::End);
        };
        let block = self.log.read(number)?;
        match block_type(&block, sequence) {
            Some(BLOCKTYPE_DESCRIPTOR) => self.descriptor(number, &block, sequence, transaction),
            Some(BLOCKTYPE_REVOKE) => {
                self.revocation(number, &block, transaction);
                Ok(Step::More)
            }
            Some(BLOCKTYPE_COMMIT) => self.commit(number, &block, sequence, transaction),
            _ => Ok(Step::End),
        }
    }

    /// The next block's number; `None` when the log was gone through once.
    fn advance(&mut self) -> Option<u32> {
        self.left = self.left.checked_sub(1)?;
        let number = self.next;
        let superblock = self.log.superblock;
        self.next = match number.saturating_add(1) {
            next if next >= superblock.end() => superblock.first(),
            next => next,
        };
        Some(number)
    }

    fn descriptor(
        &mut self,
        number: u32,
        block: &[u8],
        sequence: u32,
        transaction: &mut Transaction,
    ) -> Result<Step, ExtError> {
        if !self.format.checksums.verify_tail(block) {
            transaction
                .suspect
                .get_or_insert((number, "checksum of the descriptor"));
        }
        if let Some(sum) = &mut transaction.sum {
            sum.add(block);
        }
        for tag in self.format.tags(block).unwrap_or_default() {
            let Some(number) = self.advance() else {
                return Ok(Step::End);
            };
            if let Some(sum) = &mut transaction.sum {
                sum.add(&self.log.read(number)?);
            }
            transaction.logged.push(LoggedBlock {
                number,
                tag,
                sequence,
            });
        }
        Ok(Step::More)
    }

    fn revocation(&self, number: u32, block: &[u8], transaction: &mut Transaction) {
        if !self.format.checksums.verify_tail(block) {
            transaction
                .suspect
                .get_or_insert((number, "checksum of the revocation"));
            return;
        }
        match self.format.revoked(block) {
            // Nothing is ever written beyond the device, so that revocations there need no memory.
            Some(revoked) => {
                let device_len = self.log.device.len_bytes();
                let is_inside = |block: &FsBlock| block.byte_offset(self.log.block_size) < device_len;
                transaction.revoked.extend(revoked.into_iter().filter(is_inside));
            }
            None => {
                transaction
                    .suspect
                    .get_or_insert((number, "length of the revocation"));
            }
        }
    }

    fn commit(
        &mut self,
        number: u32,
        block: &[u8],
        sequence: u32,
        transaction: &mut Transaction,
    ) -> Result<Step, ExtError> {
        let Ok((raw, _)) = RawCommit::ref_from_prefix(block) else {
            return Ok(Step::End);
        };
        let time = (raw.h_commit_sec.get(), raw.h_commit_nsec.get());
        let is_old = time < self.commit_time;
        if let Some((number, what)) = transaction.suspect {
            if is_old {
                return Ok(Step::End);
            }
            return Err(ExtError::corrupt(Place::Journal(number), what, "a match", "none"));
        }
        let is_whole = match transaction.sum.take() {
            Some(sum) => matches_sum(raw, sum.finish()),
            None => self.format.checksums.verify_commit(block),
        };
        if is_whole {
            self.commit_time = time;
            return Ok(Step::Done);
        }
        if !is_old && self.goes_on(sequence)? {
            let what = "checksum of a transaction that another follows";
            return Err(ExtError::corrupt(Place::Journal(number), what, "a match", "none"));
        }
        Ok(Step::End)
    }

    /// Whether the transaction after `sequence` begins here.
    fn goes_on(&mut self, sequence: u32) -> Result<bool, ExtError> {
        let Some(number) = self.advance() else {
            return Ok(false);
        };
        let block = self.log.read(number)?;
        Ok(block_type(&block, sequence.wrapping_add(1)).is_some())
    }
}

/// The type of a block that belongs to transaction `sequence`.
fn block_type(block: &[u8], sequence: u32) -> Option<u32> {
    let (header, _) = RawHeader::ref_from_prefix(block).ok()?;
    let is_expected = header.h_magic.get() == MAGIC && header.h_sequence.get() == sequence;
    is_expected.then_some(header.h_blocktype.get())
}

/// Whether a commit block names `sum`, or no sum at all.
fn matches_sum(raw: &RawCommit, sum: u32) -> bool {
    let found = raw.h_chksum.first().map_or(0, |word| word.get());
    match (raw.h_chksum_type, raw.h_chksum_size) {
        (CHECKSUM_TYPE_CRC32, 4) => found == sum,
        (0, 0) => found == 0,
        _ => false,
    }
}

/// Whether transaction `number` is `other` or came after it; numbers start again at zero.
fn is_at_or_after(number: u32, other: u32) -> bool {
    number.wrapping_sub(other) < 1 << 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transaction_numbers_start_again_at_zero() {
        assert!(is_at_or_after(3, 3) && is_at_or_after(4, 3) && is_at_or_after(2, u32::MAX));
        assert!(!is_at_or_after(2, 3) && !is_at_or_after(u32::MAX, 2));
    }
}
