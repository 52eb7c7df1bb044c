//! The superblock, decoded: geometry, features, counts
//! (<https://docs.kernel.org/filesystems/ext4/super.html>). Where copies lie is in `group`.

use zerocopy::{FromBytes as _, IntoBytes as _};

use super::checksum::{ChecksumKind, START, crc32c_raw};
use super::error::{Access, DirtyState, ExtError, Place};
use super::feature::{self, Features};
use super::geometry::Geometry;
use super::raw::RawSuperblock;
use super::types::{FsBlock, GroupNo, InodeNo, join32, split64};
use crate::base::Timestamp;
use crate::block::BlockDevice;

/// Where the first superblock begins on the device, in bytes.
pub(crate) const OFFSET_BYTES: u64 = 1024;
/// How long a superblock is, in bytes.
pub(crate) const LEN: usize = 1024;

const MAGIC: u16 = 0xEF53;
const STATE_VALID: u16 = 0x1;
const STATE_ERROR: u16 = 0x2;
/// Orphans were being let go when the machine stopped.
pub(crate) const STATE_ORPHANS: u16 = 0x4;

/// A superblock whose numbers were checked against each other.
#[derive(Debug, Clone)]
pub struct Superblock {
    raw: RawSuperblock,
    geometry: Geometry,
    features: Features,
    checksums: ChecksumKind,
}

impl Superblock {
    /// Reads the first superblock of `device`.
    pub(crate) fn read(device: &dyn BlockDevice) -> Result<Self, ExtError> {
        let mut bytes = [0; LEN];
        if device.len_bytes() < OFFSET_BYTES.saturating_mul(2) {
            return Err(ExtError::NotExt);
        }
        device.read_at(OFFSET_BYTES, &mut bytes)?;
        let superblock = Self::decode(&bytes)?;
        let expected_bytes = superblock.len_bytes();
        let found_bytes = device.len_bytes();
        if found_bytes < expected_bytes {
            return Err(ExtError::Truncated {
                expected_bytes,
                found_bytes,
            });
        }
        Ok(superblock)
    }

    /// Decodes the 1024 bytes of a superblock.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, ExtError> {
        let (raw, _) = RawSuperblock::read_from_prefix(bytes).map_err(|_| ExtError::NotExt)?;
        if raw.s_magic.get() != MAGIC {
            return Err(ExtError::NotExt);
        }
        let features = Features {
            compat: raw.s_feature_compat.get(),
            incompat: raw.s_feature_incompat.get(),
            ro_compat: raw.s_feature_ro_compat.get(),
        };
        features.check(Access::Read)?;
        let checksums = checksum_kind(&raw, features);
        verify_checksum(&raw, checksums)?;
        let geometry = Geometry::decode(&raw, features)?;
        let first_meta_bg = u64::from(raw.s_first_meta_bg.get());
        if features.has(feature::META_BG) && first_meta_bg > geometry.descriptor_blocks() {
            return Err(ExtError::corrupt(
                Place::Superblock,
                "s_first_meta_bg",
                format_args!("at most {}", geometry.descriptor_blocks()),
                first_meta_bg,
            ));
        }
        Ok(Self {
            raw,
            geometry,
            features,
            checksums,
        })
    }

    /// A superblock of fields that were just made up; its checksum is computed here.
    pub(crate) fn from_raw(mut raw: RawSuperblock) -> Result<Self, ExtError> {
        let features = Features {
            compat: raw.s_feature_compat.get(),
            incompat: raw.s_feature_incompat.get(),
            ro_compat: raw.s_feature_ro_compat.get(),
        };
        let checksums = checksum_kind(&raw, features);
        seal(&mut raw, checksums);
        Self::decode(raw.as_bytes())
    }

    /// Refuses a file system that must be checked first, or that has features which cannot be edited.
    pub(crate) fn check_editable(&self) -> Result<(), ExtError> {
        self.features.check(Access::Edit)?;
        let state = self.raw.s_state.get();
        let dirty = if self.features.has(feature::NEEDS_RECOVERY) {
            DirtyState::Journal
        } else if self.has_errors() {
            DirtyState::Errors
        } else if state & STATE_VALID == 0 {
            DirtyState::NotClean
        } else if self.has_orphans() {
            DirtyState::Orphans
        } else {
            return Ok(());
        };
        Err(ExtError::NeedsCheck { state: dirty })
    }

    /// Whether errors were recorded, which only a full check may forgive.
    pub(crate) fn has_errors(&self) -> bool {
        self.raw.s_state.get() & STATE_ERROR != 0
    }

    /// Whether deleted files still wait for their last user.
    pub(crate) fn has_orphans(&self) -> bool {
        self.raw.s_last_orphan.get() != 0
            || self.raw.s_state.get() & STATE_ORPHANS != 0
            || self.features.has(feature::ORPHAN_PRESENT)
    }

    /// How the file system is laid out.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// The feature bits.
    pub fn features(&self) -> Features {
        self.features
    }

    /// The file system's length in bytes.
    pub fn len_bytes(&self) -> u64 {
        FsBlock(self.geometry.blocks_count).byte_offset(self.geometry.block_size)
    }

    /// The UUID's sixteen bytes.
    pub fn uuid(&self) -> [u8; 16] {
        self.raw.s_uuid
    }

    /// The volume's name, without the zero bytes that pad it.
    pub fn volume_name(&self) -> &[u8] {
        let name = &self.raw.s_volume_name;
        name.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    /// `ext2`, `ext3` or `ext4`: the oldest driver that can mount it.
    pub fn type_name(&self) -> &'static str {
        let old_incompat = 0x2 | 0x4 | 0x10;
        let old_ro_compat = 0x1 | 0x2 | 0x4;
        if self.features.incompat & !old_incompat != 0 || self.features.ro_compat & !old_ro_compat != 0 {
            "ext4"
        } else if self.features.has(feature::HAS_JOURNAL) {
            "ext3"
        } else {
            "ext2"
        }
    }

    /// The free blocks.
    pub fn free_blocks_count(&self) -> u64 {
        join32(
            self.raw.s_free_blocks_count_lo.get(),
            self.high(self.raw.s_free_blocks_count_hi.get()),
        )
    }

    /// The blocks that only root may use.
    pub fn reserved_blocks_count(&self) -> u64 {
        join32(
            self.raw.s_r_blocks_count_lo.get(),
            self.high(self.raw.s_r_blocks_count_hi.get()),
        )
    }

    /// The free inodes.
    pub fn free_inodes_count(&self) -> u32 {
        self.raw.s_free_inodes_count.get()
    }

    /// The blocks reserved behind each copy of the descriptor table.
    pub fn reserved_gdt_blocks(&self) -> u32 {
        u32::from(self.raw.s_reserved_gdt_blocks.get())
    }

    /// The journal's inode, where the journal lies in this file system.
    pub fn journal_inode(&self) -> Option<InodeNo> {
        let number = self.raw.s_journal_inum.get();
        InodeNo::new(number).filter(|_| self.features.has(feature::HAS_JOURNAL))
    }

    pub(crate) fn set_free_blocks_count(&mut self, count: u64) {
        let (low, high) = split64(count);
        self.raw.s_free_blocks_count_lo.set(low);
        if self.features.has(feature::IS_64BIT) {
            self.raw.s_free_blocks_count_hi.set(high);
        }
    }

    pub(crate) fn set_free_inodes_count(&mut self, count: u32) {
        self.raw.s_free_inodes_count.set(count);
    }

    /// When the file system was last written.
    pub fn wtime(&self) -> Timestamp {
        let low = u64::from(self.raw.s_wtime.get());
        let high = u64::from(self.raw.s_wtime_hi).wrapping_shl(32);
        Timestamp::from_seconds(i64::try_from(low | high).unwrap_or(i64::MAX))
    }

    pub(crate) fn set_wtime(&mut self, now: Timestamp) {
        let (low, high) = split64(now.seconds.max(0).unsigned_abs());
        self.raw.s_wtime.set(low);
        self.raw.s_wtime_hi = u8::try_from(high).unwrap_or(u8::MAX);
    }

    pub(crate) fn raw(&self) -> &RawSuperblock {
        &self.raw
    }

    /// Changes raw fields and decodes anew; nothing changes if the result would not be a sound superblock.
    pub(crate) fn edit(&mut self, change: impl FnOnce(&mut RawSuperblock)) -> Result<(), ExtError> {
        let mut raw = self.raw.clone();
        change(&mut raw);
        seal(&mut raw, self.checksums);
        *self = Self::decode(raw.as_bytes())?;
        Ok(())
    }

    pub(crate) fn checksums(&self) -> ChecksumKind {
        self.checksums
    }

    /// The seed of the hash of a long value of an attribute, which is that of checksums, whether there are any or not.
    pub(crate) fn value_seed(&self) -> u32 {
        if self.features.has(feature::CSUM_SEED) {
            self.raw.s_checksum_seed.get()
        } else {
            crc32c_raw(START, &self.raw.s_uuid)
        }
    }

    /// The bytes of the copy that lies in `group`, with their checksum.
    ///
    /// A backup is never marked as cleanly unmounted, so that whoever falls back on it checks the file system.
    pub(crate) fn encode(&self, group: GroupNo) -> [u8; LEN] {
        let mut raw = self.raw.clone();
        raw.s_block_group_nr
            .set(u16::try_from(group.0).unwrap_or(u16::MAX));
        if group.0 != 0 {
            raw.s_state.set(raw.s_state.get() & !STATE_VALID);
        }
        seal(&mut raw, self.checksums);
        zerocopy::transmute!(raw)
    }

    /// The high half of a block count; garbage unless the file system has 64-bit block numbers.
    fn high(&self, half: u32) -> u32 {
        if self.features.has(feature::IS_64BIT) {
            half
        } else {
            0
        }
    }
}

fn checksum_kind(raw: &RawSuperblock, features: Features) -> ChecksumKind {
    if features.has(feature::METADATA_CSUM) {
        ChecksumKind::Metadata(if features.has(feature::CSUM_SEED) {
            raw.s_checksum_seed.get()
        } else {
            crc32c_raw(START, &raw.s_uuid)
        })
    } else if features.has(feature::GDT_CSUM) {
        ChecksumKind::Descriptors(raw.s_uuid)
    } else {
        ChecksumKind::None
    }
}

/// The checksum of all bytes but the last four.
fn checksum_of(raw: &RawSuperblock) -> u32 {
    let covered = raw
        .as_bytes()
        .split_last_chunk::<4>()
        .map_or(&[][..], |(covered, _)| covered);
    crc32c_raw(START, covered)
}

fn seal(raw: &mut RawSuperblock, checksums: ChecksumKind) {
    if checksums.seed().is_some() {
        let checksum = checksum_of(raw);
        raw.s_checksum.set(checksum);
    }
}

fn verify_checksum(raw: &RawSuperblock, checksums: ChecksumKind) -> Result<(), ExtError> {
    let (expected, found) = (checksum_of(raw), raw.s_checksum.get());
    if checksums.seed().is_some() && expected != found {
        return Err(ExtError::checksum(Place::Superblock, expected, found));
    }
    Ok(())
}
