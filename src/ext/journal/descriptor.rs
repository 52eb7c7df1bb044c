//! What a descriptor block says about the data that follows it, and what a revocation block takes back
//! (<https://docs.kernel.org/filesystems/ext4/journal.html#descriptor-block>).

use zerocopy::{FromBytes as _, big_endian};

use super::checksum::LogChecksums;
use super::raw::{RawHeader, RawRevokeHeader, RawTag, RawTag3};
use crate::ext::types::{FsBlock, index, join32};

const FLAG_ESCAPED: u32 = 0x1;
const FLAG_SAME_UUID: u32 = 0x2;
const FLAG_LAST: u32 = 0x8;
const UUID_LEN: usize = 16;
const TAIL_LEN: usize = 4;

/// How the log's blocks are laid out, which its features decide.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogFormat {
    pub(crate) checksums: LogChecksums,
    pub(crate) has_64bit: bool,
}

/// One data block of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tag {
    /// Where the data belongs.
    pub(crate) target: FsBlock,
    /// Whether its first four bytes were the journal's magic number.
    pub(crate) is_escaped: bool,
    /// The checksum of the data; zero where the log has none.
    pub(crate) checksum: u32,
}

impl LogFormat {
    /// The tags of the descriptor `block`; `None` if they reach beyond it.
    pub(crate) fn tags(self, block: &[u8]) -> Option<Vec<Tag>> {
        let mut rest = self.payload(block)?.get(size_of::<RawHeader>()..)?;
        let mut tags = Vec::new();
        loop {
            let (bytes, behind) = rest.split_at_checked(self.tag_len())?;
            let (tag, flags) = self.tag(bytes)?;
            tags.push(tag);
            rest = behind;
            if flags & FLAG_SAME_UUID == 0 {
                rest = rest.get(UUID_LEN..).unwrap_or_default();
            }
            // A descriptor that is full need not have a last tag.
            if flags & FLAG_LAST != 0 || rest.len() < self.tag_len() {
                return Some(tags);
            }
        }
    }

    /// The blocks that the revocation `block` names; `None` if they reach beyond it.
    pub(crate) fn revoked(self, block: &[u8]) -> Option<Vec<FsBlock>> {
        let (header, _) = RawRevokeHeader::ref_from_prefix(block).ok()?;
        let payload = self.payload(block)?;
        let numbers = payload.get(size_of::<RawRevokeHeader>()..index(header.r_count.get()))?;
        Some(if self.has_64bit {
            let numbers = numbers.chunks_exact(8).filter_map(<[u8]>::first_chunk::<8>);
            numbers.map(|bytes| FsBlock(u64::from_be_bytes(*bytes))).collect()
        } else {
            let numbers = numbers.chunks_exact(4).filter_map(<[u8]>::first_chunk::<4>);
            numbers
                .map(|bytes| FsBlock(u32::from_be_bytes(*bytes).into()))
                .collect()
        })
    }

    /// The block without the checksum at its end.
    fn payload(self, block: &[u8]) -> Option<&[u8]> {
        let tail_len = if self.checksums.seed().is_some() {
            TAIL_LEN
        } else {
            0
        };
        block.get(..block.len().checked_sub(tail_len)?)
    }

    /// The length of a tag, less the UUID that may follow. Tags of version 2 end with two bytes that mean nothing.
    fn tag_len(self) -> usize {
        match (self.checksums, self.has_64bit) {
            (LogChecksums::V3(_), _) => 16,
            (LogChecksums::V2(_), true) => 14,
            (LogChecksums::V2(_), false) => 10,
            (_, true) => 12,
            (_, false) => 8,
        }
    }

    fn tag(self, bytes: &[u8]) -> Option<(Tag, u32)> {
        let (low, high, flags, checksum) = if let LogChecksums::V3(_) = self.checksums {
            let (raw, _) = RawTag3::ref_from_prefix(bytes).ok()?;
            let high = raw.t_blocknr_high.get();
            (raw.t_blocknr.get(), high, raw.t_flags.get(), raw.t_checksum.get())
        } else {
            let (raw, rest) = RawTag::ref_from_prefix(bytes).ok()?;
            let high = big_endian::U32::ref_from_prefix(rest).map_or(0, |(high, _)| high.get());
            let checksum = u32::from(raw.t_checksum.get());
            (raw.t_blocknr.get(), high, u32::from(raw.t_flags.get()), checksum)
        };
        let tag = Tag {
            target: FsBlock(join32(low, if self.has_64bit { high } else { 0 })),
            is_escaped: flags & FLAG_ESCAPED != 0,
            checksum,
        };
        Some((tag, flags))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(checksums: LogChecksums, has_64bit: bool) -> LogFormat {
        LogFormat { checksums, has_64bit }
    }

    /// A descriptor with an escaped tag with a UUID, and a last one.
    fn descriptor(tag_len: usize, put: impl Fn(&mut [u8], u32, u32)) -> Vec<u8> {
        let mut block = vec![0; 1024];
        put(&mut block[12..], 77, FLAG_ESCAPED);
        put(&mut block[12 + tag_len + 16..], 78, FLAG_SAME_UUID | FLAG_LAST);
        block
    }

    fn targets(tags: &[Tag]) -> Vec<(u64, bool)> {
        tags.iter().map(|tag| (tag.target.0, tag.is_escaped)).collect()
    }

    #[test]
    fn tags_have_the_length_that_the_features_give_them() {
        let small = |bytes: &mut [u8], block: u32, flags: u32| {
            bytes[..4].copy_from_slice(&block.to_be_bytes());
            bytes[6..8].copy_from_slice(&(flags as u16).to_be_bytes());
        };
        let large = |bytes: &mut [u8], block: u32, flags: u32| {
            bytes[..4].copy_from_slice(&block.to_be_bytes());
            bytes[4..8].copy_from_slice(&flags.to_be_bytes());
        };
        for (checksums, has_64bit, len) in [
            (LogChecksums::None, false, 8),
            (LogChecksums::V1, true, 12),
            (LogChecksums::V2(1), false, 10),
            (LogChecksums::V2(1), true, 14),
        ] {
            let tags = format(checksums, has_64bit)
                .tags(&descriptor(len, small))
                .unwrap();
            assert_eq!(
                targets(&tags),
                [(77, true), (78, false)],
                "{checksums:?} {has_64bit}"
            );
        }
        let tags = format(LogChecksums::V3(1), false)
            .tags(&descriptor(16, large))
            .unwrap();
        assert_eq!(targets(&tags), [(77, true), (78, false)]);
    }

    #[test]
    fn a_full_descriptor_ends_without_a_last_tag() {
        let mut block = vec![0; 1024];
        for slot in block[12..].chunks_exact_mut(8) {
            slot[7] = FLAG_SAME_UUID as u8;
        }
        let tags = format(LogChecksums::None, false).tags(&block).unwrap();
        assert_eq!(tags.len(), (1024 - 12) / 8);
    }

    #[test]
    fn revocations_are_counted_in_bytes_with_their_header() {
        let mut block = vec![0; 1024];
        block[12..16].copy_from_slice(&32_u32.to_be_bytes());
        block[23] = 9;
        block[31] = 10;
        let revoked = format(LogChecksums::None, true).revoked(&block).unwrap();
        assert_eq!(revoked, [FsBlock(9), FsBlock(10)]);
        let revoked = format(LogChecksums::None, false).revoked(&block).unwrap();
        assert_eq!(revoked.len(), 4);
        block[12..16].copy_from_slice(&1024_u32.to_be_bytes());
        assert!(format(LogChecksums::V2(1), true).revoked(&block).is_none());
        block[12..16].copy_from_slice(&15_u32.to_be_bytes());
        assert!(format(LogChecksums::None, true).revoked(&block).is_none());
    }
}
