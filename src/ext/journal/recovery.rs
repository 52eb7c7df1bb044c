//! Putting the committed blocks of the log in their places.
//!
//! Everything is checked before the first byte is written: which block goes where, the checksums of what will be
//! written, and the superblock that the log brings, if it brings one.

use std::collections::BTreeMap;

use super::blocks::JournalBlocks;
use super::error::JournalError;
use super::scan::{Committed, Log, LoggedBlock};
use super::superblock::{JournalSuperblock, MAGIC};
use crate::block::BlockDevice;
use crate::ext::error::{ExtError, Place};
use crate::ext::superblock::{LEN, OFFSET_BYTES, Superblock};
use crate::ext::types::{BlockSize, FsBlock, index};

/// What a replay did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Replayed {
    pub(crate) transactions: u32,
    pub(crate) blocks: u64,
    pub(crate) revoked: u64,
}

/// Replays the journal in `blocks` of the file system that `superblock` describes, and empties it.
pub(crate) fn replay(
    device: &dyn BlockDevice,
    superblock: &Superblock,
    blocks: &JournalBlocks,
) -> Result<Replayed, ExtError> {
    let block_size = superblock.geometry().block_size;
    let journal = open(device, block_size, blocks)?;
    let Some(start) = journal.start() else {
        return Ok(Replayed::default());
    };
    let log = Log {
        device,
        block_size,
        blocks,
        superblock: &journal,
    };
    let committed = log.scan(start)?;
    let replayed = put_in_place(&log, superblock, &committed)?;
    // One number is left out, so that blocks of a transaction that was never committed are not taken for new ones.
    let empty = journal.encode_empty(committed.end_sequence.wrapping_add(1));
    device.write_at(blocks.get(0)?.byte_offset(block_size), &empty)?;
    Ok(replayed)
}

/// Empties the journal in `blocks` of a file system that says that it needs no replay: what the log holds is older
/// than what is in place.
pub(crate) fn discard(
    device: &dyn BlockDevice,
    block_size: BlockSize,
    blocks: &JournalBlocks,
) -> Result<(), ExtError> {
    let journal = open(device, block_size, blocks)?;
    if journal.start().is_some() {
        // No log holds more transactions than blocks.
        let skipped = journal.log_len().saturating_add(1);
        let empty = journal.encode_empty(journal.sequence().wrapping_add(skipped));
        device.write_at(blocks.get(0)?.byte_offset(block_size), &empty)?;
    }
    Ok(())
}

fn open(
    device: &dyn BlockDevice,
    block_size: BlockSize,
    blocks: &JournalBlocks,
) -> Result<JournalSuperblock, ExtError> {
    let mut first = vec![0; block_size.buffer_len()];
    blocks.read(device, block_size, 0, &mut first)?;
    let journal = JournalSuperblock::decode(&first, block_size, blocks.count())?;
    match journal.errno() {
        0 => Ok(journal),
        errno => Err(JournalError::Aborted { errno }.into()),
    }
}

fn put_in_place(log: &Log<'_>, superblock: &Superblock, committed: &Committed) -> Result<Replayed, ExtError> {
    let mut last = BTreeMap::new();
    let mut revoked = 0_u64;
    for block in &committed.logged {
        if committed.is_revoked(block) {
            revoked = revoked.saturating_add(1);
        } else {
            last.insert(block.tag.target, *block);
        }
    }
    verify(log, superblock, &last)?;
    let mut blocks = 0_u64;
    for (target, block) in &last {
        let content = content(log, block)?;
        log.device
            .write_at(target.byte_offset(log.block_size), &content)?;
        blocks = blocks.saturating_add(1);
    }
    Ok(Replayed {
        transactions: committed.transactions,
        blocks,
        revoked,
    })
}

/// Checks where all blocks go, and what they hold.
fn verify(
    log: &Log<'_>,
    superblock: &Superblock,
    last: &BTreeMap<FsBlock, LoggedBlock>,
) -> Result<(), ExtError> {
    let blocks_count = blocks_count(log, superblock, last)?;
    for (target, block) in last {
        let place = Place::Journal(block.number);
        if target.0 >= blocks_count {
            let expected = format_args!("below {blocks_count}");
            return Err(ExtError::corrupt(place, "target block", expected, target));
        }
        if log.blocks.contains(*target) {
            return Err(ExtError::corrupt(
                place,
                "target block",
                "a block outside the journal",
                target,
            ));
        }
        let checksums = log.superblock.checksums();
        if checksums.seed().is_some() {
            let bytes = log.read(block.number)?;
            if !checksums.verify_data(block.sequence, &bytes, block.tag.checksum) {
                let found = format_args!("{:#x}", block.tag.checksum);
                return Err(ExtError::corrupt(place, "checksum of the data", "a match", found));
            }
        }
    }
    Ok(())
}

/// The file system's length in blocks, which a log may raise: the kernel can grow a file system in use.
fn blocks_count(
    log: &Log<'_>,
    superblock: &Superblock,
    last: &BTreeMap<FsBlock, LoggedBlock>,
) -> Result<u64, ExtError> {
    let old = superblock.geometry().blocks_count;
    let block_bytes = u64::from(log.block_size.bytes());
    let place = FsBlock(OFFSET_BYTES.checked_div(block_bytes).unwrap_or(0));
    let Some(block) = last.get(&place) else {
        return Ok(old);
    };
    let start = index(OFFSET_BYTES.checked_rem(block_bytes).unwrap_or(0));
    let content = content(log, block)?;
    let bytes = content.get(start..start.saturating_add(LEN)).unwrap_or_default();
    let logged = Superblock::decode(bytes)?;
    let geometry = logged.geometry();
    if geometry.block_size != log.block_size || logged.len_bytes() > log.device.len_bytes() {
        let expected = format_args!("a superblock of this image ({old} blocks)");
        return Err(ExtError::corrupt(
            Place::Journal(block.number),
            "content",
            expected,
            format_args!("{} blocks", geometry.blocks_count),
        ));
    }
    Ok(geometry.blocks_count.max(old))
}

/// What goes to the block's place: its own first bytes again, where they looked like a block of the log.
fn content(log: &Log<'_>, block: &LoggedBlock) -> Result<Vec<u8>, ExtError> {
    let mut bytes = log.read(block.number)?;
    if block.tag.is_escaped
        && let Some(word) = bytes.first_chunk_mut::<4>()
    {
        *word = MAGIC.to_be_bytes();
    }
    Ok(bytes)
}
