//! The checksums of ext4 metadata (<https://docs.kernel.org/filesystems/ext4/checksums.html>).
//!
//! `metadata_csum` uses the CRC-32C register as it stands, without the final inversion; most chains begin with a seed
//! made from the file system's UUID. The older `uninit_bg` covers group descriptors alone, with a CRC-16.

use super::types::{FsBlock, GroupNo, InodeNo};

/// The CRC-32C register after `bytes`, from `seed` on.
pub(crate) fn crc32c_raw(seed: u32, bytes: &[u8]) -> u32 {
    !crc32c::crc32c_append(!seed, bytes)
}

/// The register that chains which have no other seed begin with.
pub(crate) const START: u32 = !0;

/// The kind of checksums that a file system has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChecksumKind {
    /// None.
    None,
    /// CRC-16 of group descriptors, begun with the UUID.
    Descriptors([u8; 16]),
    /// CRC-32C of all metadata, with this seed.
    Metadata(u32),
}

impl ChecksumKind {
    /// The seed of CRC-32C chains; `None` where metadata has no such checksums.
    pub(crate) fn seed(self) -> Option<u32> {
        match self {
            Self::Metadata(seed) => Some(seed),
            Self::None | Self::Descriptors(_) => None,
        }
    }

    /// The seed of what belongs to one inode: the inode itself, its directory, extent and index blocks.
    pub(crate) fn inode_seed(self, inode: InodeNo, generation: u32) -> Option<u32> {
        let seed = crc32c_raw(self.seed()?, &inode.get().to_le_bytes());
        Some(crc32c_raw(seed, &generation.to_le_bytes()))
    }

    /// The checksum of a bitmap's bytes.
    pub(crate) fn bitmap(self, bytes: &[u8]) -> Option<u32> {
        Some(crc32c_raw(self.seed()?, bytes))
    }

    /// The checksum of a group descriptor in two parts: before and after its checksum field.
    pub(crate) fn descriptor(self, group: GroupNo, before: &[u8], after: &[u8]) -> Option<u16> {
        let number = group.0.to_le_bytes();
        match self {
            Self::None => None,
            Self::Descriptors(uuid) => {
                let crc = crc::Crc::<u16>::new(&crc::CRC_16_MODBUS);
                let mut digest = crc.digest();
                for part in [&uuid[..], &number, before, after] {
                    digest.update(part);
                }
                Some(digest.finalize())
            }
            Self::Metadata(seed) => {
                let register = [&number[..], before, &[0; 2], after]
                    .into_iter()
                    .fold(seed, crc32c_raw);
                u16::try_from(register & 0xFFFF).ok()
            }
        }
    }

    /// The checksum of an attribute block in two parts: before and after its checksum field.
    pub(crate) fn xattr_block(self, block: FsBlock, before: &[u8], after: &[u8]) -> Option<u32> {
        let seed = crc32c_raw(self.seed()?, &block.0.to_le_bytes());
        Some([before, &[0; 4], after].into_iter().fold(seed, crc32c_raw))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_register_is_kept_without_inversion() {
        assert_eq!(crc32c_raw(START, b"123456789"), !0xE306_9283);
    }
}
