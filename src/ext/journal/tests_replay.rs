//! Logs made by hand, for what debugfs and the kernel do not write on request: the log's end, lies and damage.

use std::sync::Arc;

use zerocopy::{FromZeros as _, IntoBytes as _};

use super::blocks::JournalBlocks;
use super::checksum::{LogChecksums, crc32c_of_superblock};
use super::error::JournalError;
use super::raw::{RawCommit, RawFastCommitHead, RawHeader, RawJournalSuperblock, RawTag, RawTag3};
use super::recovery::{Replayed, replay};
use super::superblock::MAGIC;
use crate::base::Timestamp;
use crate::block::{BlockDevice, MemoryDevice};
use crate::ext::checksum::crc32c_raw;
use crate::ext::error::{ExtError, Place};
use crate::ext::{ExtKind, FormatOptions, Fs, format};

const BLOCK_LEN: usize = 1024;
const JOURNAL_LEN: u32 = 1024;
const FAST_COMMIT_BLOCKS: u32 = 16;
const UUID: [u8; 16] = [9; 16];

/// A journal of a small file system, written one transaction behind the other.
struct TestLog {
    device: Arc<dyn BlockDevice>,
    fs: Fs,
    blocks: JournalBlocks,
    has_checksums: bool,
    next: u32,
    sequence: u32,
    time: u64,
}

impl TestLog {
    /// A log that begins at `start` with transaction `sequence`, with checksums of version 3 or none.
    fn new(has_checksums: bool, start: u32, sequence: u32) -> Self {
        let device: Arc<dyn BlockDevice> = Arc::new(MemoryDevice::from_bytes(vec![0; 4 << 20]));
        let options = FormatOptions {
            kind: ExtKind::Ext3,
            block_size: 1024,
            inode_len_bytes: 128,
            bytes_per_inode: 16384,
            uuid: UUID,
            hash_seed: [1; 16],
            label: String::new(),
            now: Timestamp::from_seconds(1_700_000_000),
            reserved_percent: 0,
            journal_blocks: JOURNAL_LEN,
        };
        format(&device, &options).unwrap();
        let fs = Fs::open(device.clone()).unwrap();
        let blocks = fs
            .journal_blocks(fs.superblock().journal_inode().unwrap())
            .unwrap();
        let log = Self {
            device,
            fs,
            blocks,
            has_checksums,
            next: start,
            sequence,
            time: 1_700_000_000,
        };
        log.put_superblock(if has_checksums { 0x11 } else { 0x1 });
        log
    }

    fn put_superblock(&self, incompat: u32) {
        let mut raw = RawJournalSuperblock::new_zeroed();
        raw.s_header = header(4, 0);
        raw.s_blocksize.set(1024);
        raw.s_maxlen.set(JOURNAL_LEN);
        raw.s_first.set(1);
        raw.s_sequence.set(self.sequence);
        raw.s_start.set(self.next);
        raw.s_feature_incompat.set(incompat);
        raw.s_uuid = UUID;
        raw.s_checksum_type = 4;
        raw.s_num_fc_blocks.set(FAST_COMMIT_BLOCKS);
        let checksum = crc32c_of_superblock(&raw);
        raw.s_checksum.set(checksum);
        self.put_at(0, raw.as_bytes());
    }

    fn put_at(&self, number: u32, bytes: &[u8]) {
        let offset = self.blocks.get(number).unwrap().0 * 1024;
        self.device.write_at(offset, bytes).unwrap();
    }

    /// Puts `bytes` into the next block, with `checksum_place` filled in, and says which block that was.
    fn put(&mut self, bytes: &[u8], checksum_place: Option<usize>) -> u32 {
        let mut block = bytes.to_vec();
        block.resize(BLOCK_LEN, 0);
        if let Some(place) = checksum_place.filter(|_| self.has_checksums) {
            let sum = crc32c_raw(LogChecksums::seed_of(&UUID), &block);
            block[place..place + 4].copy_from_slice(&sum.to_be_bytes());
        }
        let number = self.next;
        self.put_at(number, &block);
        self.next = if number + 1 >= JOURNAL_LEN { 1 } else { number + 1 };
        number
    }

    /// Writes `data`, not yet committed.
    fn data(&mut self, data: &[(u64, &[u8])]) {
        let mut descriptor = header(1, self.sequence).as_bytes().to_vec();
        let seed = crc32c_raw(LogChecksums::seed_of(&UUID), &self.sequence.to_be_bytes());
        for (number, (target, bytes)) in data.iter().enumerate() {
            let mut block = bytes.to_vec();
            block.resize(BLOCK_LEN, 0);
            let flags = if number + 1 == data.len() { 0xA } else { 0x2 };
            if self.has_checksums {
                let mut tag = RawTag3::new_zeroed();
                tag.t_blocknr.set(*target as u32);
                tag.t_flags.set(flags);
                tag.t_checksum.set(crc32c_raw(seed, &block));
                descriptor.extend_from_slice(tag.as_bytes());
            } else {
                let mut tag = RawTag::new_zeroed();
                tag.t_blocknr.set(*target as u32);
                tag.t_flags.set(flags as u16);
                descriptor.extend_from_slice(tag.as_bytes());
            }
        }
        self.put(&descriptor, Some(BLOCK_LEN - 4));
        for (_, bytes) in data {
            self.put(bytes, None);
        }
    }

    fn revoke(&mut self, blocks: &[u32]) {
        let mut bytes = header(5, self.sequence).as_bytes().to_vec();
        bytes.extend_from_slice(&(16 + 4 * blocks.len() as u32).to_be_bytes());
        bytes.extend(blocks.iter().flat_map(|block| block.to_be_bytes()));
        self.put(&bytes, Some(BLOCK_LEN - 4));
    }

    /// Commits, and says in which block.
    fn commit(&mut self) -> u32 {
        let mut raw = RawCommit::new_zeroed();
        raw.h_header = header(2, self.sequence);
        raw.h_commit_sec.set(self.time);
        self.sequence = self.sequence.wrapping_add(1);
        self.time += 1;
        self.put(raw.as_bytes(), Some(0x10))
    }

    /// Turns over one bit of the journal's block `number`.
    fn damage(&self, number: u32, place: u64) {
        let offset = self.blocks.get(number).unwrap().0 * 1024 + place;
        let byte = self.bytes(offset, 1)[0];
        self.device.write_at(offset, &[byte ^ 4]).unwrap();
    }

    fn replay(&self) -> Result<Replayed, ExtError> {
        replay(&*self.device, self.fs.superblock(), &self.blocks)
    }

    /// The start of a block of the file system.
    fn content(&self, block: u64) -> Vec<u8> {
        self.bytes(block * 1024, 5)
    }

    fn bytes(&self, offset_bytes: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.device.read_at(offset_bytes, &mut bytes).unwrap();
        bytes
    }

    /// Replays, which must be refused before anything was written.
    #[track_caller]
    fn refused(&self) -> ExtError {
        let before = self.bytes(0, 4 << 20);
        let error = self.replay().unwrap_err();
        assert!(before == self.bytes(0, 4 << 20), "{error}");
        error
    }

    #[track_caller]
    fn damaged(&self, wanted: &str) {
        let error = self.refused();
        let ExtError::Corrupt { place, .. } = &error else {
            panic!("{error}");
        };
        let is_of_journal = matches!(place, Place::Journal(_));
        assert!(is_of_journal && error.to_string().contains(wanted), "{error}");
    }
}

fn header(kind: u32, sequence: u32) -> RawHeader {
    let mut raw = RawHeader::new_zeroed();
    raw.h_magic.set(MAGIC);
    raw.h_blocktype.set(kind);
    raw.h_sequence.set(sequence);
    raw
}

fn replayed(transactions: u32, blocks: u64, revoked: u64) -> Replayed {
    Replayed {
        transactions,
        blocks,
        revoked,
    }
}

#[test]
fn a_log_goes_on_at_its_first_block_and_its_numbers_at_zero() {
    for has_checksums in [false, true] {
        let mut log = TestLog::new(has_checksums, JOURNAL_LEN - 4, u32::MAX - 1);
        log.data(&[(4000, b"old"), (4001, b"kept")]);
        log.commit();
        log.data(&[(4000, b"newer")]);
        log.commit();
        log.revoke(&[4001, 4002]);
        log.commit();
        log.data(&[(4002, b"after")]);
        log.commit();
        assert_eq!(log.next, 9);
        assert_eq!(log.replay().unwrap(), replayed(4, 2, 1));
        assert_eq!(log.content(4000), b"newer");
        assert_eq!(log.content(4001), [0; 5]);
        assert_eq!(log.content(4002), b"after");
        assert_eq!(log.replay().unwrap(), Replayed::default());
        let first = log.bytes(log.blocks.get(0).unwrap().0 * 1024, 32);
        let word = |place: usize| u32::from_be_bytes(first[place..place + 4].try_into().unwrap());
        assert_eq!((word(0x18), word(0x1C)), (3, 0));
    }
}

#[test]
fn a_revocation_counts_within_its_own_transaction() {
    let mut log = TestLog::new(false, 1, 7);
    log.data(&[(4000, b"gone")]);
    log.revoke(&[4000]);
    log.commit();
    assert_eq!(log.replay().unwrap(), replayed(1, 0, 1));
    assert_eq!(log.content(4000), [0; 5]);
}

#[test]
fn a_torn_last_transaction_never_happened() {
    for place in [3, 0x10, 0x35] {
        let mut log = TestLog::new(true, 1, 7);
        log.data(&[(4000, b"first")]);
        log.commit();
        log.data(&[(4000, b"later")]);
        let commit = log.commit();
        log.damage(commit, place);
        assert_eq!(log.replay().unwrap(), replayed(1, 1, 0));
        assert_eq!(log.content(4000), b"first");
    }
}

#[test]
fn blocks_of_an_earlier_lap_end_the_log() {
    let mut log = TestLog::new(true, 1, 7);
    log.data(&[(4000, b"first")]);
    log.commit();
    log.time -= 1000;
    let old = log.next;
    log.data(&[(4000, b"old")]);
    log.commit();
    log.data(&[(4000, b"older")]);
    log.commit();
    log.damage(old, 100);
    assert_eq!(log.replay().unwrap(), replayed(1, 1, 0));
    assert_eq!(log.content(4000), b"first");
}

#[test]
fn damage_before_the_last_commit_is_refused() {
    let log = |damage: fn(&TestLog)| {
        let mut log = TestLog::new(true, 1, 7);
        log.data(&[(4000, b"first")]);
        log.revoke(&[4001]);
        log.commit();
        log.data(&[(4001, b"later")]);
        log.commit();
        damage(&log);
        log
    };
    log(|log| log.damage(1, 20)).damaged("block 1: checksum of the descriptor");
    log(|log| log.damage(2, 20)).damaged("block 2: checksum of the data");
    log(|log| log.damage(3, 20)).damaged("block 3: checksum of the revocation");
    log(|log| log.damage(4, 20)).damaged("block 4: checksum of a transaction that another follows");
    assert_eq!(log(|_| ()).replay().unwrap(), replayed(2, 2, 0));
}

#[test]
fn blocks_that_no_log_may_touch_are_refused() {
    let inside = TestLog::new(false, 1, 7).blocks.get(500).unwrap().0;
    for (target, wanted) in [
        (4096, "target block: expected below 4096, found 4096"),
        (0xFFFF_FFFF, "target block: expected below 4096"),
        (inside, "a block outside the journal"),
    ] {
        let mut log = TestLog::new(false, 1, 7);
        log.data(&[(4000, b"first"), (target, b"lie")]);
        log.commit();
        log.damaged(wanted);
    }
    let mut log = TestLog::new(false, 1, 7);
    log.data(&[(1, b"no superblock")]);
    log.commit();
    assert!(matches!(log.refused(), ExtError::NotExt));
}

#[test]
fn a_log_of_descriptors_that_never_ends_is_gone_through_once() {
    for kind in [1, 5, 2] {
        let mut log = TestLog::new(false, 1, 7);
        for _ in 1..JOURNAL_LEN {
            let mut block = header(kind, 7).as_bytes().to_vec();
            block.extend_from_slice(&[0, 0, 4, 0]);
            log.put(&block, None);
        }
        let replayed = log.replay().unwrap();
        assert!(replayed.transactions <= 1, "{kind}");
    }
}

#[test]
fn a_revocation_longer_than_its_block_is_refused() {
    let mut log = TestLog::new(false, 1, 7);
    let mut block = header(5, 7).as_bytes().to_vec();
    block.extend_from_slice(&[0xFF; 4]);
    log.put(&block, None);
    log.commit();
    log.damaged("length of the revocation");
}

#[test]
fn unknown_features_and_fast_commits_are_refused_by_name() {
    let log = TestLog::new(false, 1, 7);
    log.put_superblock(0x41);
    let error = log.refused();
    assert_eq!(
        error.to_string(),
        "the journal has features that cannot be replayed: unknown incompat bits 0x40; run `e2fsck -p` on the \
         image first"
    );
    for (tid, is_refused) in [(8, true), (7, false)] {
        let mut log = TestLog::new(false, 1, 7);
        log.put_superblock(0x21);
        log.data(&[(4000, b"first")]);
        log.commit();
        let mut head = RawFastCommitHead::new_zeroed();
        head.fc_tag.set(9);
        head.fc_len.set(8);
        head.fc_tid.set(tid);
        log.put_at(JOURNAL_LEN - FAST_COMMIT_BLOCKS + 1, head.as_bytes());
        if is_refused {
            assert!(matches!(
                log.refused(),
                ExtError::Journal(JournalError::FastCommits)
            ));
        } else {
            assert_eq!(log.replay().unwrap(), replayed(1, 1, 0));
        }
    }
}

#[test]
fn a_superblock_that_contradicts_itself_is_refused() {
    type Change = fn(&mut RawJournalSuperblock);
    let cases: [(Change, &str); 8] = [
        (|raw| raw.s_header.h_magic.set(1), "magic number"),
        (|raw| raw.s_header.h_blocktype.set(5), "block type"),
        (|raw| raw.s_blocksize.set(4096), "block size"),
        (|raw| raw.s_maxlen.set(JOURNAL_LEN + 1), "length in blocks"),
        (|raw| raw.s_first.set(JOURNAL_LEN), "first block of the log"),
        (|raw| raw.s_first.set(0), "first block of the log"),
        (|raw| raw.s_start.set(JOURNAL_LEN), "start of the log"),
        (|raw| raw.s_feature_incompat.set(0x19), "features"),
    ];
    for (change, wanted) in cases {
        let log = TestLog::new(false, 1, 7);
        let mut raw = RawJournalSuperblock::new_zeroed();
        let place = log.blocks.get(0).unwrap().0 * 1024;
        log.device.read_at(place, raw.as_mut_bytes()).unwrap();
        change(&mut raw);
        log.put_at(0, raw.as_bytes());
        log.damaged(wanted);
    }
    let log = TestLog::new(true, 1, 7);
    log.damage(0, 0x60);
    log.damaged("checksum");
}

#[test]
fn a_journal_that_the_kernel_gave_up_is_refused() {
    let log = TestLog::new(false, 1, 7);
    let place = log.blocks.get(0).unwrap().0 * 1024 + 0x20;
    log.device.write_at(place, &[0xFF, 0xFF, 0xFF, 0xFB]).unwrap();
    let errno = 0xFFFF_FFFB;
    assert!(
        matches!(log.refused(), ExtError::Journal(JournalError::Aborted { errno: found }) if found == errno)
    );
}
