//! The checksums of a log: none, one CRC-32 over a whole transaction (version 1), or a CRC-32C for each block
//! (versions 2 and 3; <https://docs.kernel.org/filesystems/ext4/journal.html>).

use zerocopy::IntoBytes as _;

use super::raw::RawJournalSuperblock;
use crate::ext::checksum::{START, crc32c_raw};

/// The CRC-32 of version 1: most significant bit first, begun with ones, not inverted at the end.
const TRANSACTION: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_MPEG_2);

/// How a log is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogChecksums {
    /// Not at all.
    None,
    /// The commit block has one CRC-32 of the transaction's descriptors and data.
    V1,
    /// Each block has a CRC-32C from this seed on, cut to 16 bits for data.
    V2(u32),
    /// Each block has a CRC-32C from this seed on.
    V3(u32),
}

impl LogChecksums {
    /// The seed that versions 2 and 3 make of the journal's UUID.
    pub(crate) fn seed_of(uuid: &[u8; 16]) -> u32 {
        crc32c_raw(START, uuid)
    }

    /// The seed of versions 2 and 3.
    pub(crate) fn seed(self) -> Option<u32> {
        match self {
            Self::V2(seed) | Self::V3(seed) => Some(seed),
            Self::None | Self::V1 => None,
        }
    }

    /// Whether `block`, a descriptor or a revocation, has the checksum that it must have in its last four bytes.
    pub(crate) fn verify_tail(self, block: &[u8]) -> bool {
        let Some(seed) = self.seed() else {
            return true;
        };
        let Some((covered, tail)) = block.split_last_chunk::<4>() else {
            return false;
        };
        crc32c_raw(crc32c_raw(seed, covered), &[0; 4]) == u32::from_be_bytes(*tail)
    }

    /// Whether `block`, a commit, has its own checksum.
    pub(crate) fn verify_commit(self, block: &[u8]) -> bool {
        let Some(seed) = self.seed() else {
            return true;
        };
        let Some((before, rest)) = block.split_at_checked(0x10) else {
            return false;
        };
        let Some((found, after)) = rest.split_first_chunk::<4>() else {
            return false;
        };
        let expected = [before, &[0; 4], after].into_iter().fold(seed, crc32c_raw);
        expected == u32::from_be_bytes(*found)
    }

    /// Whether `block`, data of transaction `sequence` as it lies in the log, has the checksum that its tag names.
    pub(crate) fn verify_data(self, sequence: u32, block: &[u8], found: u32) -> bool {
        let checksum = |seed| crc32c_raw(crc32c_raw(seed, &sequence.to_be_bytes()), block);
        match self {
            Self::None | Self::V1 => true,
            Self::V2(seed) => checksum(seed) & 0xFFFF == found,
            Self::V3(seed) => checksum(seed) == found,
        }
    }
}

/// The checksum of the journal's superblock, its own field taken as zero.
pub(crate) fn crc32c_of_superblock(raw: &RawJournalSuperblock) -> u32 {
    let mut raw = raw.clone();
    raw.s_checksum.set(0);
    crc32c_raw(START, raw.as_bytes())
}

/// A CRC-32 of version 1 that grows with the blocks of a transaction.
pub(crate) struct TransactionSum(crc::Digest<'static, u32>);

impl TransactionSum {
    pub(crate) fn new() -> Self {
        static CRC: crc::Crc<u32> = TRANSACTION;
        Self(CRC.digest())
    }

    pub(crate) fn add(&mut self, block: &[u8]) {
        self.0.update(block);
    }

    pub(crate) fn finish(self) -> u32 {
        self.0.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_one_sums_are_not_inverted() {
        let mut sum = TransactionSum::new();
        sum.add(b"1234");
        sum.add(b"56789");
        assert_eq!(sum.finish(), 0x0376_E6E7);
    }

    #[test]
    fn a_changed_bit_is_noticed_in_every_kind_of_block() {
        let checksums = LogChecksums::V3(LogChecksums::seed_of(&[7; 16]));
        let seed = checksums.seed().unwrap();
        let mut block = vec![5; 1024];
        block[1020..].fill(0);
        let sum = crc32c_raw(seed, &block);
        block[1020..].copy_from_slice(&sum.to_be_bytes());
        assert!(checksums.verify_tail(&block));
        block[3] ^= 1;
        assert!(!checksums.verify_tail(&block));
        block[0x10..0x14].fill(0);
        let sum = crc32c_raw(seed, &block);
        block[0x10..0x14].copy_from_slice(&sum.to_be_bytes());
        assert!(checksums.verify_commit(&block));
        block[1023] ^= 0x80;
        assert!(!checksums.verify_commit(&block));
        let sum = crc32c_raw(crc32c_raw(seed, &9_u32.to_be_bytes()), &block);
        assert!(checksums.verify_data(9, &block, sum));
        assert!(!checksums.verify_data(10, &block, sum));
        assert!(LogChecksums::V2(seed).verify_data(9, &block, sum & 0xFFFF));
    }
}
