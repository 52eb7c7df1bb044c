//! The journal's superblock, decoded once: the log's bounds, its features, where it begins
//! (<https://docs.kernel.org/filesystems/ext4/journal.html#super-block>).

use zerocopy::FromBytes as _;

use super::checksum::{LogChecksums, crc32c_of_superblock};
use super::error::JournalError;
use super::raw::RawJournalSuperblock;
use crate::ext::error::{ExtError, Place};
use crate::ext::types::BlockSize;

/// How long the superblock is, in bytes; the rest of its block is not used.
pub(crate) const LEN: usize = 1024;
/// The first word of every block that is not data.
pub(crate) const MAGIC: u32 = 0xC03B_3998;

const BLOCKTYPE_SUPERBLOCK_V1: u32 = 3;
const BLOCKTYPE_SUPERBLOCK_V2: u32 = 4;
const CHECKSUM_TYPE_CRC32C: u8 = 4;
/// What `s_num_fc_blocks` means when it is zero.
const DEFAULT_FAST_COMMIT_BLOCKS: u32 = 256;

const COMPAT_CHECKSUM: u32 = 0x1;
const INCOMPAT_REVOKE: u32 = 0x1;
const INCOMPAT_64BIT: u32 = 0x2;
const INCOMPAT_ASYNC_COMMIT: u32 = 0x4;
const INCOMPAT_CSUM_V2: u32 = 0x8;
const INCOMPAT_CSUM_V3: u32 = 0x10;
const INCOMPAT_FAST_COMMIT: u32 = 0x20;
const INCOMPAT_KNOWN: u32 = INCOMPAT_REVOKE
    | INCOMPAT_64BIT
    | INCOMPAT_ASYNC_COMMIT
    | INCOMPAT_CSUM_V2
    | INCOMPAT_CSUM_V3
    | INCOMPAT_FAST_COMMIT;

/// A journal's superblock whose numbers were checked against each other.
#[derive(Debug, Clone)]
pub(crate) struct JournalSuperblock {
    raw: RawJournalSuperblock,
    incompat: u32,
    checksums: LogChecksums,
    end: u32,
}

impl JournalSuperblock {
    /// Decodes the first block of a journal that has `blocks_count` blocks.
    pub(crate) fn decode(bytes: &[u8], block_size: BlockSize, blocks_count: u32) -> Result<Self, ExtError> {
        let (raw, _) =
            RawJournalSuperblock::read_from_prefix(bytes).map_err(|_| damaged("length", LEN, bytes.len()))?;
        let version = raw.s_header.h_blocktype.get();
        if raw.s_header.h_magic.get() != MAGIC {
            return Err(damaged("magic number", MAGIC, raw.s_header.h_magic.get()));
        }
        let is_v1 = version == BLOCKTYPE_SUPERBLOCK_V1;
        if !is_v1 && version != BLOCKTYPE_SUPERBLOCK_V2 {
            return Err(damaged("block type", "3 or 4", version));
        }
        let incompat = if is_v1 { 0 } else { raw.s_feature_incompat.get() };
        let compat = if is_v1 { 0 } else { raw.s_feature_compat.get() };
        if !is_v1 {
            check_features(incompat, raw.s_feature_ro_compat.get())?;
        }
        let checksums = checksums(&raw, compat, incompat)?;
        let end = log_end(&raw, incompat, block_size, blocks_count)?;
        Ok(Self {
            raw,
            incompat,
            checksums,
            end,
        })
    }

    /// The first block of the log, counted from the journal's start.
    pub(crate) fn first(&self) -> u32 {
        self.raw.s_first.get()
    }

    /// The block behind the log's last, from which it goes on at [`Self::first`].
    pub(crate) fn end(&self) -> u32 {
        self.end
    }

    /// The blocks of the log.
    pub(crate) fn log_len(&self) -> u32 {
        self.end.saturating_sub(self.first())
    }

    /// Where the oldest transaction begins; `None` if there is nothing to replay.
    pub(crate) fn start(&self) -> Option<u32> {
        let start = self.raw.s_start.get();
        (start != 0).then_some(start)
    }

    /// The number of the oldest transaction.
    pub(crate) fn sequence(&self) -> u32 {
        self.raw.s_sequence.get()
    }

    /// The error with which the kernel gave the journal up, or zero.
    pub(crate) fn errno(&self) -> u32 {
        self.raw.s_errno.get()
    }

    /// How the log is protected.
    pub(crate) fn checksums(&self) -> LogChecksums {
        self.checksums
    }

    pub(crate) fn has_64bit(&self) -> bool {
        self.incompat & INCOMPAT_64BIT != 0
    }

    /// The first block of fast commits, if there can be any: the kernel leaves one block behind the log free.
    pub(crate) fn fast_commit_start(&self) -> Option<u32> {
        let start = self.end.saturating_add(1);
        (self.incompat & INCOMPAT_FAST_COMMIT != 0 && start < self.raw.s_maxlen.get()).then_some(start)
    }

    /// The bytes of the superblock of an empty log, whose next transaction is number `sequence`.
    pub(crate) fn encode_empty(&self, sequence: u32) -> [u8; LEN] {
        let mut raw = self.raw.clone();
        raw.s_start.set(0);
        raw.s_sequence.set(sequence);
        if self.checksums.seed().is_some() {
            let checksum = crc32c_of_superblock(&raw);
            raw.s_checksum.set(checksum);
        }
        zerocopy::transmute!(raw)
    }
}

/// Refuses what a log may hold that is not known here.
fn check_features(incompat: u32, ro_compat: u32) -> Result<(), ExtError> {
    let mut names = Vec::new();
    let unknown = incompat & !INCOMPAT_KNOWN;
    if unknown != 0 {
        names.push(format!("unknown incompat bits {unknown:#x}"));
    }
    if ro_compat != 0 {
        names.push(format!("unknown ro_compat bits {ro_compat:#x}"));
    }
    if names.is_empty() {
        Ok(())
    } else {
        Err(JournalError::Unsupported { names }.into())
    }
}

/// The kind of checksums; with CRC-32C, the superblock is held against its own.
fn checksums(raw: &RawJournalSuperblock, compat: u32, incompat: u32) -> Result<LogChecksums, ExtError> {
    let has_v2 = incompat & INCOMPAT_CSUM_V2 != 0;
    let has_v3 = incompat & INCOMPAT_CSUM_V3 != 0;
    let has_v1 = compat & COMPAT_CHECKSUM != 0;
    if (has_v2 && has_v3) || (has_v1 && (has_v2 || has_v3)) {
        return Err(damaged(
            "features",
            "one kind of checksums",
            format_args!("{compat:#x}, {incompat:#x}"),
        ));
    }
    if !has_v2 && !has_v3 {
        return Ok(if has_v1 {
            LogChecksums::V1
        } else {
            LogChecksums::None
        });
    }
    if raw.s_checksum_type != CHECKSUM_TYPE_CRC32C {
        return Err(damaged(
            "checksum type",
            CHECKSUM_TYPE_CRC32C,
            raw.s_checksum_type,
        ));
    }
    let (expected, found) = (crc32c_of_superblock(raw), raw.s_checksum.get());
    if expected != found {
        return Err(ExtError::checksum(Place::Journal(0), expected, found));
    }
    let seed = LogChecksums::seed_of(&raw.s_uuid);
    Ok(if has_v2 {
        LogChecksums::V2(seed)
    } else {
        LogChecksums::V3(seed)
    })
}

/// Where the log ends, after all its bounds were checked.
fn log_end(
    raw: &RawJournalSuperblock,
    incompat: u32,
    block_size: BlockSize,
    blocks_count: u32,
) -> Result<u32, ExtError> {
    if raw.s_blocksize.get() != block_size.bytes() {
        return Err(damaged("block size", block_size.bytes(), raw.s_blocksize.get()));
    }
    let len = raw.s_maxlen.get();
    if len > blocks_count {
        return Err(damaged(
            "length in blocks",
            format_args!("at most {blocks_count}"),
            len,
        ));
    }
    let fast_commit_blocks = match (incompat & INCOMPAT_FAST_COMMIT, raw.s_num_fc_blocks.get()) {
        (0, _) => 0,
        (_, 0) => DEFAULT_FAST_COMMIT_BLOCKS,
        (_, count) => count,
    };
    let end = len.saturating_sub(fast_commit_blocks);
    let first = raw.s_first.get();
    if first == 0 || first >= end {
        return Err(damaged(
            "first block of the log",
            format_args!("1 to {end}"),
            first,
        ));
    }
    let start = raw.s_start.get();
    if start != 0 && !(first..end).contains(&start) {
        return Err(damaged(
            "start of the log",
            format_args!("{first} to {end}"),
            start,
        ));
    }
    Ok(end)
}

fn damaged(what: &'static str, expected: impl std::fmt::Display, found: impl std::fmt::Display) -> ExtError {
    ExtError::corrupt(Place::Journal(0), what, expected, found)
}
