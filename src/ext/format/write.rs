//! Writes group 0: superblock, descriptor, bitmaps, the first inodes, directories and the journal.

use zerocopy::big_endian::U32 as Big32;
use zerocopy::little_endian::U32;
use zerocopy::{FromZeros as _, IntoBytes as _};

use super::inodes::{self, BlockMap};
use super::layout::{Layout, Run};
use super::options::{ExtKind, FormatOptions};
use super::superblock::{EXTRA_LEN, USED_INODES, describe, journal_len_bytes, superblock};
use crate::base::FileKind;
use crate::block::BlockDevice;
use crate::ext::ExtError;
use crate::ext::bitmap::Bitmap;
use crate::ext::checksum::crc32c_raw;
use crate::ext::group::GroupTable;
use crate::ext::inode::{FLAG_EXTENTS, Node, TimeField};
use crate::ext::raw::{RawDirEntry, RawDirTail};
use crate::ext::superblock::{OFFSET_BYTES, Superblock};
use crate::ext::types::{FsBlock, GroupNo, InodeNo, index};

const FILE_TYPE_DIRECTORY: u8 = 2;
const FILE_TYPE_CHECKSUM: u8 = 0xDE;

const ROOT: u32 = 2;
const RESIZE: u32 = 7;
const JOURNAL: u32 = 8;
const LOST_FOUND: u32 = 11;

/// A file of the new file system.
struct NewFile {
    number: u32,
    kind: FileKind,
    mode: u16,
    links_count: u16,
    len_bytes: u64,
    flags: u32,
    map: BlockMap,
}

/// Group 0 being written.
struct Writer<'a> {
    device: &'a dyn BlockDevice,
    layout: &'a Layout,
    options: &'a FormatOptions,
    superblock: Superblock,
}

/// Writes a file system of one group; `device` has to read as zero.
pub(super) fn write(
    device: &dyn BlockDevice,
    layout: &Layout,
    options: &FormatOptions,
) -> Result<(), ExtError> {
    let data_map = |run: Run, map: Run| match options.kind {
        ExtKind::Ext4 => inodes::extent(run),
        ExtKind::Ext2 | ExtKind::Ext3 => inodes::indirect(run, map, layout),
    };
    let journal = (options.kind != ExtKind::Ext2).then(|| data_map(layout.journal, layout.journal_map));
    let writer = Writer {
        device,
        layout,
        options,
        superblock: Superblock::from_raw(superblock(layout, options, journal.as_ref()))?,
    };
    let no_map = Run { first: 0, count: 0 };
    let directory_map = |first| data_map(Run { first, count: 1 }, no_map);
    writer.directory(ROOT, 3, directory_map(layout.root_directory))?;
    writer.directory(LOST_FOUND, 2, directory_map(layout.lost_found))?;
    let root = [(ROOT, &b"."[..]), (ROOT, b".."), (LOST_FOUND, b"lost+found")];
    writer.directory_block(layout.root_directory, ROOT, &root)?;
    let lost_found = [(LOST_FOUND, &b"."[..]), (ROOT, b"..")];
    writer.directory_block(layout.lost_found, LOST_FOUND, &lost_found)?;
    writer.resize_inode()?;
    if let Some(map) = journal {
        writer.journal(map)?;
    }
    writer.group()
}

impl Writer<'_> {
    fn directory(&self, number: u32, links_count: u16, map: BlockMap) -> Result<(), ExtError> {
        let permissions = if number == LOST_FOUND { 0o700 } else { 0o755 };
        self.file(&NewFile {
            number,
            kind: FileKind::Directory,
            mode: permissions,
            links_count,
            len_bytes: self.layout.block_size.bytes().into(),
            flags: self.map_flag(),
            map,
        })
    }

    fn resize_inode(&self) -> Result<(), ExtError> {
        self.file(&NewFile {
            number: RESIZE,
            kind: FileKind::Regular,
            mode: 0o600,
            links_count: 1,
            len_bytes: inodes::reserved_len_bytes(self.layout.block_size),
            flags: 0,
            map: inodes::reserved(self.layout),
        })
    }

    /// The journal's inode and, in its first block, the superblock of an empty journal
    /// (<https://docs.kernel.org/filesystems/ext4/journal.html>).
    fn journal(&self, map: BlockMap) -> Result<(), ExtError> {
        self.file(&NewFile {
            number: JOURNAL,
            kind: FileKind::Regular,
            mode: 0o600,
            links_count: 1,
            len_bytes: journal_len_bytes(self.layout),
            flags: self.map_flag(),
            map,
        })?;
        let start = self.offset_of(self.layout.journal.first);
        let magic_and_kind = [0xC03B_3998_u32, 4, 0].map(Big32::new);
        let geometry = [self.layout.block_size.bytes(), self.layout.journal.count, 1, 1].map(Big32::new);
        self.device.write_at(start, magic_and_kind.as_bytes())?;
        self.device
            .write_at(start.saturating_add(12), geometry.as_bytes())?;
        self.device
            .write_at(start.saturating_add(0x30), &self.options.uuid)?;
        self.device
            .write_at(start.saturating_add(0x40), Big32::new(1).as_bytes())?;
        Ok(())
    }

    fn map_flag(&self) -> u32 {
        if self.options.kind == ExtKind::Ext4 {
            FLAG_EXTENTS
        } else {
            0
        }
    }

    /// Writes an inode and the indirect blocks of its map.
    fn file(&self, file: &NewFile) -> Result<(), ExtError> {
        let len = index(self.options.inode_len_bytes);
        let number = InodeNo::new(file.number).expect("files have fixed numbers, none of them zero");
        let mut node = Node::new(number, vec![0; len]);
        if let Some(extra) = node.extra_mut() {
            extra.i_extra_isize.set(EXTRA_LEN);
        }
        node.set_mode(file.kind, file.mode);
        for field in [
            TimeField::Access,
            TimeField::Change,
            TimeField::Modification,
            TimeField::Creation,
        ] {
            node.set_time(field, self.options.now);
        }
        node.set_size_in_bytes(file.len_bytes);
        let sectors = self.layout.block_size.bytes() / 512;
        node.set_blocks_field(file.map.blocks_count.saturating_mul(sectors).into());
        let raw = node.raw_mut();
        raw.i_links_count.set(file.links_count);
        raw.i_flags.set(file.flags);
        raw.i_block = file.map.i_block;
        node.seal(self.superblock.checksums());
        let place = u64::from(number.index()).saturating_mul(self.options.inode_len_bytes.into());
        let table = self.offset_of(self.layout.inode_table.first);
        self.device.write_at(table.saturating_add(place), node.bytes())?;
        for (block, numbers) in &file.map.blocks {
            let numbers: Vec<U32> = numbers.iter().copied().map(U32::new).collect();
            self.device.write_at(self.offset_of(*block), numbers.as_bytes())?;
        }
        Ok(())
    }

    /// Writes a directory's one block. The last entry reaches to the block's end, or to the checksum there.
    fn directory_block(&self, block: u32, owner: u32, entries: &[(u32, &[u8])]) -> Result<(), ExtError> {
        let len = self.layout.block_size.buffer_len();
        let seed = InodeNo::new(owner).and_then(|owner| self.superblock.checksums().inode_seed(owner, 0));
        let tail_len = if seed.is_some() {
            size_of::<RawDirTail>()
        } else {
            0
        };
        let end = len.saturating_sub(tail_len);
        let mut bytes = Vec::with_capacity(len);
        let (last, others) = entries.split_last().unwrap_or((&(0, b""), &[]));
        let spanned = others
            .iter()
            .map(|entry| (entry, None))
            .chain([(last, Some(end))]);
        for ((inode, name), reach) in spanned {
            let needed = size_of::<RawDirEntry>()
                .saturating_add(name.len())
                .next_multiple_of(4);
            let rec_len = reach.map_or(needed, |reach| reach.saturating_sub(bytes.len()));
            let start = bytes.len();
            let head = RawDirEntry {
                inode: (*inode).into(),
                rec_len: u16::try_from(rec_len).unwrap_or(0).into(),
                name_len: u8::try_from(name.len()).unwrap_or(0),
                file_type: FILE_TYPE_DIRECTORY,
            };
            bytes.extend_from_slice(head.as_bytes());
            bytes.extend_from_slice(name);
            bytes.resize(start.saturating_add(rec_len), 0);
        }
        if let Some(seed) = seed {
            let mut tail = RawDirTail::new_zeroed();
            tail.det_rec_len.set(12);
            tail.det_reserved_ft = FILE_TYPE_CHECKSUM;
            tail.det_checksum.set(crc32c_raw(seed, &bytes));
            bytes.extend_from_slice(tail.as_bytes());
        }
        self.device.write_at(self.offset_of(block), &bytes)?;
        Ok(())
    }

    /// Bitmaps, descriptor and superblock.
    fn group(&self) -> Result<(), ExtError> {
        let layout = self.layout;
        let block_len = layout.block_size.buffer_len();
        let bits = layout.blocks_count.saturating_sub(layout.first_data_block);
        let mut blocks = Bitmap::empty(block_len, bits);
        blocks.put(0..layout.end.saturating_sub(layout.first_data_block), true);
        let mut inodes = Bitmap::empty(block_len, layout.inodes_per_group);
        inodes.put(0..USED_INODES, true);
        self.device
            .write_at(self.offset_of(layout.block_bitmap), blocks.bytes())?;
        self.device
            .write_at(self.offset_of(layout.inode_bitmap), inodes.bytes())?;
        let mut table = GroupTable::zeroed(&self.superblock);
        let covered = inodes
            .bytes()
            .get(..index(layout.inodes_per_group / 8))
            .unwrap_or_default();
        let checksums = self.superblock.checksums();
        table.update(GroupNo(0), |descriptor| {
            describe(descriptor, layout, self.options.kind);
            descriptor.block_bitmap_checksum = checksums.bitmap(blocks.bytes()).unwrap_or(0);
            descriptor.inode_bitmap_checksum = checksums.bitmap(covered).unwrap_or(0);
        })?;
        table.seal(&self.superblock, GroupNo(0))?;
        let place = self.offset_of(layout.first_data_block.saturating_add(1));
        self.device
            .write_at(place, table.block(&self.superblock, 0).unwrap_or_default())?;
        self.device
            .write_at(OFFSET_BYTES, &self.superblock.encode(GroupNo(0)))?;
        Ok(())
    }

    fn offset_of(&self, block: u32) -> u64 {
        FsBlock(block.into()).byte_offset(self.layout.block_size)
    }
}
