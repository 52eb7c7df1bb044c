//! Inodes: the bytes of one, its checksum, and what they mean
//! (<https://docs.kernel.org/filesystems/ext4/inodes.html>). Which blocks belong to one is told in `map`.

use zerocopy::FromBytes as _;

use super::checksum::{ChecksumKind, crc32c_raw};
use super::error::{ExtError, Place};
use super::inode_field::{decode_device, decode_time, encode_device, encode_time};
use super::raw::{RawInode, RawInodeExtra};
use super::types::{FsBlock, InodeNo, index, join16, join32, split32, split64};
use crate::base::{FileKind, Timestamp};

/// The part of an inode that every revision has, in bytes.
pub(crate) const OLD_LEN: usize = 128;
/// The directory has a hash tree.
pub(crate) const FLAG_INDEX: u32 = 0x1000;
/// Names are compared without regard to case.
pub(crate) const FLAG_CASEFOLD: u32 = 0x4000_0000;
/// The inode holds a long value of an attribute.
pub(crate) const FLAG_EA_INODE: u32 = 0x20_0000;
/// The content lies in the inode itself.
pub(crate) const FLAG_INLINE_DATA: u32 = 0x1000_0000;
/// `i_blocks` counts blocks of the file system, not of 512 bytes.
pub(crate) const FLAG_HUGE_FILE: u32 = 0x4_0000;
/// The content is mapped by extents.
pub(crate) const FLAG_EXTENTS: u32 = 0x8_0000;

const PLACE_CHECKSUM_LO: usize = 0x7C;
const PLACE_CHECKSUM_HI: usize = 0x82;

/// What is known about a file, directory, link or other node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inode {
    /// Its number.
    pub number: InodeNo,
    /// What it is.
    pub kind: FileKind,
    /// The twelve permission bits.
    pub mode: u16,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// How many directory entries name it.
    pub links_count: u16,
    /// The length of its content in bytes.
    pub size_in_bytes: u64,
    /// The space that it takes, in units of 512 bytes.
    pub sectors_count: u64,
    /// When it was last read.
    pub atime: Timestamp,
    /// When the inode last changed.
    pub ctime: Timestamp,
    /// When the content last changed.
    pub mtime: Timestamp,
    /// When it was made, where the inode has room for that.
    pub crtime: Option<Timestamp>,
    /// The `i_flags` word.
    pub flags: u32,
    /// The major and minor number of a device node.
    pub device: Option<(u32, u32)>,
}

/// The bytes of one inode as they lie on disk, at least 128.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    number: InodeNo,
    bytes: Vec<u8>,
}

/// Which of the times of an inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeField {
    Access,
    Change,
    Modification,
    Creation,
}

impl Node {
    /// The inode `number` in `bytes`, which are a whole inode of at least 128 bytes.
    pub(crate) fn new(number: InodeNo, mut bytes: Vec<u8>) -> Self {
        if bytes.len() < OLD_LEN {
            bytes.resize(OLD_LEN, 0);
        }
        Self { number, bytes }
    }

    pub(crate) fn number(&self) -> InodeNo {
        self.number
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn raw(&self) -> &RawInode {
        let (raw, _) = RawInode::ref_from_prefix(&self.bytes).expect("a node holds at least 128 bytes");
        raw
    }

    pub(crate) fn raw_mut(&mut self) -> &mut RawInode {
        let (raw, _) = RawInode::mut_from_prefix(&mut self.bytes).expect("a node holds at least 128 bytes");
        raw
    }

    /// What follows the first 128 bytes, if the inode is large enough for any of it.
    fn extra(&self) -> Option<&RawInodeExtra> {
        RawInodeExtra::ref_from_prefix(self.bytes.get(OLD_LEN..)?)
            .ok()
            .map(|(extra, _)| extra)
    }

    pub(crate) fn extra_mut(&mut self) -> Option<&mut RawInodeExtra> {
        RawInodeExtra::mut_from_prefix(self.bytes.get_mut(OLD_LEN..)?)
            .ok()
            .map(|(extra, _)| extra)
    }

    /// How many bytes after the first 128 hold fields; what follows them holds attributes.
    pub(crate) fn extra_len(&self) -> usize {
        let room = self.bytes.len().saturating_sub(OLD_LEN);
        self.extra()
            .map_or(0, |extra| index(extra.i_extra_isize.get()))
            .min(room)
    }

    /// The bytes in which attributes may lie.
    pub(crate) fn xattr_area(&self) -> &[u8] {
        let start = OLD_LEN.saturating_add(self.extra_len());
        self.bytes
            .get(start..)
            .filter(|_| self.extra_len() >= 4)
            .unwrap_or_default()
    }

    pub(crate) fn xattr_area_mut(&mut self) -> &mut [u8] {
        let start = OLD_LEN.saturating_add(self.extra_len());
        if self.extra_len() < 4 {
            return &mut [];
        }
        self.bytes.get_mut(start..).unwrap_or_default()
    }

    /// What it is; `None` for an inode that is not in use or has no valid kind.
    pub(crate) fn kind(&self) -> Option<FileKind> {
        FileKind::from_mode(self.raw().i_mode.get())
    }

    pub(crate) fn is_directory(&self) -> bool {
        self.kind() == Some(FileKind::Directory)
    }

    pub(crate) fn flags(&self) -> u32 {
        self.raw().i_flags.get()
    }

    pub(crate) fn has_flag(&self, flag: u32) -> bool {
        self.flags() & flag != 0
    }

    pub(crate) fn set_flag(&mut self, flag: u32, value: bool) {
        let flags = self.flags();
        self.raw_mut()
            .i_flags
            .set(if value { flags | flag } else { flags & !flag });
    }

    pub(crate) fn size_in_bytes(&self) -> u64 {
        let raw = self.raw();
        let has_high = matches!(self.kind(), Some(FileKind::Regular | FileKind::Directory));
        join32(
            raw.i_size_lo.get(),
            if has_high { raw.i_size_high.get() } else { 0 },
        )
    }

    pub(crate) fn set_size_in_bytes(&mut self, len_bytes: u64) {
        let (low, high) = split64(len_bytes);
        let raw = self.raw_mut();
        raw.i_size_lo.set(low);
        raw.i_size_high.set(high);
    }

    /// The space taken, in the unit that the inode's flags name.
    pub(crate) fn blocks_field(&self) -> u64 {
        join32(
            self.raw().i_blocks_lo.get(),
            self.raw().l_i_blocks_high.get().into(),
        )
    }

    /// Sets the space taken, in the unit that the inode's flags name.
    pub(crate) fn set_blocks_field(&mut self, count: u64) {
        let (low, high) = split64(count);
        let raw = self.raw_mut();
        raw.i_blocks_lo.set(low);
        raw.l_i_blocks_high.set(u16::try_from(high).unwrap_or(u16::MAX));
    }

    /// The block of extended attributes.
    pub(crate) fn file_acl(&self) -> Option<FsBlock> {
        let raw = self.raw();
        let block = join32(raw.i_file_acl_lo.get(), raw.l_i_file_acl_high.get().into());
        (block != 0).then_some(FsBlock(block))
    }

    pub(crate) fn set_file_acl(&mut self, block: Option<FsBlock>) {
        let (low, high) = split64(block.map_or(0, |block| block.0));
        let raw = self.raw_mut();
        raw.i_file_acl_lo.set(low);
        raw.l_i_file_acl_high.set(u16::try_from(high).unwrap_or(u16::MAX));
    }

    pub(crate) fn links_count(&self) -> u16 {
        self.raw().i_links_count.get()
    }

    pub(crate) fn generation(&self) -> u32 {
        self.raw().i_generation.get()
    }

    /// Sets the kind and the twelve permission bits.
    pub(crate) fn set_mode(&mut self, kind: FileKind, mode: u16) {
        self.raw_mut().i_mode.set(kind.mode_bits() | (mode & 0o7777));
    }

    pub(crate) fn set_owner(&mut self, uid: u32, gid: u32) {
        let ((uid_low, uid_high), (gid_low, gid_high)) = (split32(uid), split32(gid));
        let raw = self.raw_mut();
        raw.i_uid.set(uid_low);
        raw.l_i_uid_high.set(uid_high);
        raw.i_gid.set(gid_low);
        raw.l_i_gid_high.set(gid_high);
    }

    /// The project that it belongs to, where the inode has room for one.
    pub(crate) fn project(&self) -> Option<u32> {
        self.extra()
            .filter(|_| self.extra_len() >= size_of::<RawInodeExtra>())
            .map(|extra| extra.i_projid.get())
    }

    /// Makes it belong to a project, where the inode has room for one.
    pub(crate) fn set_project(&mut self, project: u32) {
        let has_room = self.extra_len() >= size_of::<RawInodeExtra>();
        if let Some(extra) = self.extra_mut().filter(|_| has_room) {
            extra.i_projid.set(project);
        }
    }

    /// Gives it the owner and group that `other` has.
    pub(crate) fn copy_owner(&mut self, other: &Self) {
        let from = other.raw();
        let (uid, gid) = (
            join16(from.i_uid.get(), from.l_i_uid_high.get()),
            join16(from.i_gid.get(), from.l_i_gid_high.get()),
        );
        self.set_owner(uid, gid);
    }

    pub(crate) fn time(&self, field: TimeField) -> Option<Timestamp> {
        let raw = self.raw();
        let extra = self.extra();
        let part =
            |end: usize, read: fn(&RawInodeExtra) -> u32| extra.filter(|_| self.extra_len() >= end).map(read);
        let (seconds, high) = match field {
            TimeField::Access => (raw.i_atime.get(), part(16, |extra| extra.i_atime_extra.get())),
            TimeField::Change => (raw.i_ctime.get(), part(8, |extra| extra.i_ctime_extra.get())),
            TimeField::Modification => (raw.i_mtime.get(), part(12, |extra| extra.i_mtime_extra.get())),
            TimeField::Creation => (
                part(20, |extra| extra.i_crtime.get())?,
                part(24, |extra| extra.i_crtime_extra.get()),
            ),
        };
        Some(decode_time(seconds, high.unwrap_or(0)))
    }

    /// Sets a time as precisely as the inode has room for.
    pub(crate) fn set_time(&mut self, field: TimeField, time: Timestamp) {
        let room = self.extra_len();
        let end = match field {
            TimeField::Change => 8,
            TimeField::Modification => 12,
            TimeField::Access => 16,
            TimeField::Creation => 24,
        };
        let (seconds, high) = encode_time(time, room >= end);
        let raw = self.raw_mut();
        match field {
            TimeField::Access => raw.i_atime.set(seconds),
            TimeField::Change => raw.i_ctime.set(seconds),
            TimeField::Modification => raw.i_mtime.set(seconds),
            TimeField::Creation => {}
        }
        if let Some(extra) = self.extra_mut().filter(|_| room >= end) {
            match field {
                TimeField::Access => extra.i_atime_extra.set(high),
                TimeField::Change => extra.i_ctime_extra.set(high),
                TimeField::Modification => extra.i_mtime_extra.set(high),
                TimeField::Creation => {
                    extra.i_crtime.set(seconds);
                    extra.i_crtime_extra.set(high);
                }
            }
        }
    }

    /// Decodes the inode.
    pub(crate) fn decode(&self, block_bytes: u32) -> Result<Inode, ExtError> {
        let raw = self.raw();
        if raw.i_mode.get() == 0 || raw.i_links_count.get() == 0 {
            return Err(ExtError::NotInUse { inode: self.number });
        }
        let place = Place::Inode(self.number);
        let Some(kind) = self.kind() else {
            let found = format_args!("{:#o}", raw.i_mode.get()).to_string();
            return Err(ExtError::corrupt(place, "mode", "a kind of file", found));
        };
        let unit = if self.has_flag(FLAG_HUGE_FILE) {
            u64::from(block_bytes.wrapping_shr(9))
        } else {
            1
        };
        let time = |field| self.time(field).unwrap_or_default();
        Ok(Inode {
            number: self.number,
            kind,
            mode: raw.i_mode.get() & 0o7777,
            uid: join16(raw.i_uid.get(), raw.l_i_uid_high.get()),
            gid: join16(raw.i_gid.get(), raw.l_i_gid_high.get()),
            links_count: raw.i_links_count.get(),
            size_in_bytes: self.size_in_bytes(),
            sectors_count: self.blocks_field().saturating_mul(unit),
            atime: time(TimeField::Access),
            ctime: time(TimeField::Change),
            mtime: time(TimeField::Modification),
            crtime: self.time(TimeField::Creation),
            flags: self.flags(),
            device: self.device(kind),
        })
    }

    /// Computes the checksum of the inode.
    pub(crate) fn seal(&mut self, checksums: ChecksumKind) {
        let Some(checksum) = self.checksum(checksums) else {
            return;
        };
        let (low, high) = split32(checksum);
        let has_high = self.extra_len() >= 4;
        self.raw_mut().l_i_checksum_lo.set(low);
        if let Some(extra) = self.extra_mut().filter(|_| has_high) {
            extra.i_checksum_hi.set(high);
        }
    }

    /// Holds the inode against its checksum; an inode of zeros has none.
    pub(crate) fn verify(&self, checksums: ChecksumKind) -> Result<(), ExtError> {
        let Some(checksum) = self.checksum(checksums) else {
            return Ok(());
        };
        let has_high = self.extra_len() >= 4;
        let high = self
            .extra()
            .filter(|_| has_high)
            .map_or(0, |extra| extra.i_checksum_hi.get());
        let found = join16(self.raw().l_i_checksum_lo.get(), high);
        let expected = if has_high { checksum } else { checksum & 0xFFFF };
        if expected != found && self.bytes.iter().any(|byte| *byte != 0) {
            return Err(ExtError::checksum(Place::Inode(self.number), expected, found));
        }
        Ok(())
    }

    fn checksum(&self, checksums: ChecksumKind) -> Option<u32> {
        let seed = checksums.inode_seed(self.number, self.generation())?;
        let mut covered = self.bytes.clone();
        let mut places = vec![PLACE_CHECKSUM_LO];
        if self.extra_len() >= 4 {
            places.push(PLACE_CHECKSUM_HI);
        }
        for place in places {
            covered.get_mut(place..place.saturating_add(2))?.fill(0);
        }
        Some(crc32c_raw(seed, &covered))
    }

    fn device(&self, kind: FileKind) -> Option<(u32, u32)> {
        matches!(kind, FileKind::CharDevice | FileKind::BlockDevice)
            .then(|| decode_device(&self.raw().i_block))
    }

    /// Stores the numbers of a device node.
    pub(crate) fn set_device(&mut self, major: u32, minor: u32) {
        encode_device(major, minor, &mut self.raw_mut().i_block);
    }
}
