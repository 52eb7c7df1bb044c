//! The file system as one value: what was parsed from the device, and what was changed but is not written yet.
//!
//! ```text
//!   reads ---> directories --> blocks --> device         (first hit answers)
//!   edits ---> directories, blocks, bitmaps, groups, superblock      in memory, until `commit`
//!         \--> device                                                content of files, at once
//! ```

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use super::bitmap::Bitmap;
use super::dir::Directories;
use super::error::{ExtError, Place};
use super::group::{BLOCK_UNINIT, GroupDescriptor, GroupTable, INODE_UNINIT};
use super::inode::{Inode, Node};
use super::layout::{BlockRange, fixed_metadata};
use super::superblock::Superblock;
use super::types::{BlockSize, FsBlock, GroupNo, InodeNo, index, wide};
use crate::base::Timestamp;
use crate::block::BlockDevice;

/// An ext2, ext3 or ext4 file system on a block device.
///
/// Reading takes `&self` and may be done from many threads. Edits take `&mut self`; their metadata stays in memory
/// until [`Fs::commit`], while the content of files goes to the device at once. An edit that is refused changes
/// nothing. One that fails half-way (no space, damage, the device) has left half its changes behind: from then on
/// [`Fs::commit`] refuses, and the device's overlay is to be dropped.
#[derive(Debug)]
pub struct Fs {
    pub(crate) device: Arc<dyn BlockDevice>,
    /// The time that edits set; `None` if opened for reading only.
    pub(crate) now: Option<Timestamp>,
    pub(crate) superblock: Superblock,
    pub(crate) groups: GroupTable,
    /// Changed blocks of metadata other than bitmaps and descriptors.
    pub(crate) blocks: BTreeMap<FsBlock, Box<[u8]>>,
    pub(crate) block_bitmaps: BTreeMap<GroupNo, Bitmap>,
    pub(crate) inode_bitmaps: BTreeMap<GroupNo, Bitmap>,
    /// Directories that are being edited.
    pub(crate) directories: Directories,
    /// How often anything was changed; tells whether a failed edit had begun to.
    pub(crate) changes: u64,
    /// Whether an edit failed after it had begun to change things.
    pub(crate) is_torn: bool,
    /// Whether the copies of superblock and descriptors must be written too.
    pub(crate) are_backups_stale: bool,
    /// Blocks that bitmaps and inode tables take, sorted; computed when first needed.
    pub(crate) fixed: OnceLock<Arc<[BlockRange]>>,
}

impl Fs {
    /// Opens the file system on `device` for reading.
    ///
    /// # Errors
    /// [`ExtError::NotExt`], [`ExtError::Truncated`], [`ExtError::Unsupported`] for features that cannot be read,
    /// [`ExtError::Corrupt`] where superblock or descriptors contradict themselves.
    pub fn open(device: Arc<dyn BlockDevice>) -> Result<Self, ExtError> {
        let superblock = Superblock::read(&*device)?;
        let groups = GroupTable::read(&*device, &superblock)?;
        Ok(Self::from_parts(device, superblock, groups))
    }

    /// The file system on `device` whose superblock and descriptors these are, for reading.
    pub(crate) fn from_parts(
        device: Arc<dyn BlockDevice>,
        superblock: Superblock,
        groups: GroupTable,
    ) -> Self {
        Self {
            device,
            now: None,
            superblock,
            groups,
            blocks: BTreeMap::new(),
            block_bitmaps: BTreeMap::new(),
            inode_bitmaps: BTreeMap::new(),
            directories: Directories::new(),
            changes: 0,
            is_torn: false,
            are_backups_stale: false,
            fixed: OnceLock::new(),
        }
    }

    /// Opens the file system on `device` for edits, which set every time that they touch to `now`.
    ///
    /// # Errors
    /// As [`Fs::open`]; further [`ExtError::NeedsCheck`] for a file system that was not unmounted cleanly,
    /// [`ExtError::InUse`] for one that says who has it mounted, and [`ExtError::Unsupported`] for features that can
    /// only be read.
    pub fn open_for_edit(device: Arc<dyn BlockDevice>, now: Timestamp) -> Result<Self, ExtError> {
        let mut fs = Self::open(device)?;
        fs.superblock.check_editable()?;
        fs.check_not_in_use()?;
        fs.now = Some(now);
        Ok(fs)
    }

    /// The same file system on `device`, which must hold the same bytes: an overlay over the device that was parsed.
    ///
    /// Changes that were not committed do not come along.
    #[must_use]
    pub fn with_device(&self, device: Arc<dyn BlockDevice>) -> Self {
        // Found out here, for all that are made so.
        self.fixed_metadata();
        Self {
            device,
            now: self.now,
            superblock: self.superblock.clone(),
            groups: self.groups.clone(),
            blocks: BTreeMap::new(),
            block_bitmaps: BTreeMap::new(),
            inode_bitmaps: BTreeMap::new(),
            directories: Directories::new(),
            changes: 0,
            is_torn: false,
            are_backups_stale: false,
            fixed: self.fixed.clone(),
        }
    }

    /// The superblock.
    pub fn superblock(&self) -> &Superblock {
        &self.superblock
    }

    /// The size of a block.
    pub fn block_size(&self) -> BlockSize {
        self.superblock.geometry().block_size
    }

    /// The descriptor of `group`.
    ///
    /// # Errors
    /// [`ExtError::Corrupt`] if there is no such group.
    pub fn group(&self, group: GroupNo) -> Result<GroupDescriptor, ExtError> {
        self.groups.get(group)
    }

    /// What is known about `inode`.
    ///
    /// # Errors
    /// [`ExtError::NotInUse`], or [`ExtError::Corrupt`].
    pub fn inode(&self, inode: InodeNo) -> Result<Inode, ExtError> {
        self.node(inode)?.decode(self.block_size().bytes())
    }

    /// The time of edits; an error if the file system was opened for reading only.
    pub(crate) fn edit_time(&self) -> Result<Timestamp, ExtError> {
        self.now.ok_or(ExtError::ReadOnly)
    }

    /// The block as it is now, changes included.
    pub(crate) fn read_block(&self, block: FsBlock) -> Result<Box<[u8]>, ExtError> {
        if let Some(bytes) = self.blocks.get(&block) {
            return Ok(bytes.clone());
        }
        let mut bytes = vec![0; self.block_size().buffer_len()].into_boxed_slice();
        self.device
            .read_at(block.byte_offset(self.block_size()), &mut bytes)?;
        Ok(bytes)
    }

    /// Tells the device that `blocks` will be read soon.
    pub(crate) fn will_read(&self, mut blocks: Vec<FsBlock>) {
        blocks.sort_unstable();
        for run in blocks.chunk_by(|one, next| next.0.saturating_sub(one.0) <= 1) {
            if let (Some(first), Some(last)) = (run.first(), run.last()) {
                let start = first.byte_offset(self.block_size());
                let end = last.plus(1).byte_offset(self.block_size());
                self.device.will_read(start, end.saturating_sub(start));
            }
        }
    }

    /// Does one edit whole. If it fails after it has begun to change things, nothing will be committed any more.
    pub(crate) fn edit<T>(
        &mut self,
        step: impl FnOnce(&mut Self) -> Result<T, ExtError>,
    ) -> Result<T, ExtError> {
        let before = self.changes;
        let result = step(self);
        self.is_torn |= result.is_err() && self.changes != before;
        result
    }

    /// Notes that something is about to be changed.
    pub(crate) fn note_change(&mut self) {
        self.changes = self.changes.wrapping_add(1);
    }

    /// The block's bytes to change; they are written by `commit`.
    pub(crate) fn block_mut(&mut self, block: FsBlock) -> Result<&mut Box<[u8]>, ExtError> {
        self.note_change();
        let bytes = if self.blocks.contains_key(&block) {
            Box::default()
        } else {
            self.read_block(block)?
        };
        Ok(self.blocks.entry(block).or_insert(bytes))
    }

    /// Replaces the whole block; it is written by `commit`.
    pub(crate) fn put_block(&mut self, block: FsBlock, bytes: Box<[u8]>) {
        self.note_change();
        self.blocks.insert(block, bytes);
    }

    /// Refuses a block that lies outside the file system, on behalf of `inode`.
    pub(crate) fn check_block(&self, inode: InodeNo, block: FsBlock) -> Result<(), ExtError> {
        let geometry = self.superblock.geometry();
        if block.0 <= geometry.first_data_block.into() || block.0 >= geometry.blocks_count {
            let expected = "a block of the file system";
            return Err(ExtError::corrupt(
                Place::Inode(inode),
                "block number",
                expected,
                block,
            ));
        }
        Ok(())
    }

    /// The bytes of `inode`, which must lie in the part of its table that was ever used.
    pub(crate) fn node(&self, inode: InodeNo) -> Result<Node, ExtError> {
        let (group, place) = self.group_of_inode(inode)?;
        let descriptor = self.groups.get(group)?;
        let per_group = self.superblock.geometry().inodes_per_group;
        if self.superblock.features().has_group_checksums()
            && (descriptor.flags & INODE_UNINIT != 0
                || place >= per_group.saturating_sub(descriptor.itable_unused))
        {
            return Err(ExtError::NotInUse { inode });
        }
        let (block, start) = self.inode_place(inode)?;
        let len = self.superblock.geometry().inode_len();
        let range = start..start.saturating_add(len);
        let bytes = if let Some(bytes) = self.blocks.get(&block) {
            bytes.get(range).unwrap_or_default().to_vec()
        } else {
            let mut bytes = vec![0; len];
            let offset = block.byte_offset(self.block_size()).saturating_add(wide(start));
            self.device.read_at(offset, &mut bytes)?;
            bytes
        };
        let node = Node::new(inode, bytes);
        node.verify(self.superblock.checksums())?;
        Ok(node)
    }

    /// Stores `node` with its checksum.
    pub(crate) fn store_node(&mut self, mut node: Node) -> Result<(), ExtError> {
        node.seal(self.superblock.checksums());
        let (block, start) = self.inode_place(node.number())?;
        let bytes = self.block_mut(block)?;
        if let Some(slot) = bytes.get_mut(start..start.saturating_add(node.bytes().len())) {
            slot.copy_from_slice(node.bytes());
        }
        Ok(())
    }

    pub(crate) fn group_of_inode(&self, inode: InodeNo) -> Result<(GroupNo, u32), ExtError> {
        let geometry = self.superblock.geometry();
        geometry.group_of_inode(inode).ok_or_else(|| {
            let expected = format_args!("at most {}", geometry.inodes_count).to_string();
            ExtError::corrupt(Place::Inode(inode), "inode number", expected, inode)
        })
    }

    /// The block in which `inode` lies, and where in it.
    pub(crate) fn inode_place(&self, inode: InodeNo) -> Result<(FsBlock, usize), ExtError> {
        let (group, place) = self.group_of_inode(inode)?;
        let table = self.groups.get(group)?.inode_table;
        let geometry = self.superblock.geometry();
        let offset = u64::from(place).saturating_mul(geometry.inode_size.into());
        let block_bytes = u64::from(geometry.block_size.bytes());
        let block = table.plus(offset.checked_div(block_bytes).unwrap_or(0));
        Ok((block, index(offset.checked_rem(block_bytes).unwrap_or(0))))
    }

    /// The block bitmap of `group` as it is now.
    pub(crate) fn load_block_bitmap(&self, group: GroupNo) -> Result<Bitmap, ExtError> {
        if let Some(bitmap) = self.block_bitmaps.get(&group) {
            return Ok(bitmap.clone());
        }
        let descriptor = self.groups.get(group)?;
        let bits = self.superblock.geometry().group_blocks(group);
        if descriptor.flags & BLOCK_UNINIT != 0 && self.superblock.features().has_group_checksums() {
            return Ok(self.initial_block_bitmap(group));
        }
        let bytes = self.read_block(descriptor.block_bitmap)?;
        let covered = self.superblock.geometry().blocks_per_group;
        self.verify_bitmap(group, &bytes, covered, descriptor.block_bitmap_checksum)?;
        Ok(Bitmap::from_bytes(bytes, bits))
    }

    /// The inode bitmap of `group` as it is now.
    pub(crate) fn load_inode_bitmap(&self, group: GroupNo) -> Result<Bitmap, ExtError> {
        if let Some(bitmap) = self.inode_bitmaps.get(&group) {
            return Ok(bitmap.clone());
        }
        let descriptor = self.groups.get(group)?;
        let bits = self.superblock.geometry().inodes_per_group;
        if descriptor.flags & INODE_UNINIT != 0 && self.superblock.features().has_group_checksums() {
            return Ok(Bitmap::empty(self.block_size().buffer_len(), bits));
        }
        let bytes = self.read_block(descriptor.inode_bitmap)?;
        self.verify_bitmap(group, &bytes, bits, descriptor.inode_bitmap_checksum)?;
        Ok(Bitmap::from_bytes(bytes, bits))
    }

    /// Blocks that bitmaps, inode tables and copies of the descriptors take, sorted.
    pub(crate) fn fixed_metadata(&self) -> &[BlockRange] {
        self.fixed
            .get_or_init(|| fixed_metadata(&self.superblock, &self.groups).into())
    }

    /// The block bitmap of a group that was never used: only metadata is marked.
    pub(crate) fn initial_block_bitmap(&self, group: GroupNo) -> Bitmap {
        let geometry = self.superblock.geometry();
        let start = geometry.group_start(group);
        let bits = geometry.group_blocks(group);
        let end = start.plus(bits.into());
        let mut bitmap = Bitmap::empty(self.block_size().buffer_len(), bits);
        let ranges = self.fixed_metadata();
        let first = ranges.partition_point(|range| range.end <= start);
        for range in ranges.iter().skip(first).take_while(|range| range.start < end) {
            let place = |block: FsBlock| {
                u32::try_from(block.clamp(start, end).0.saturating_sub(start.0)).unwrap_or(bits)
            };
            bitmap.put(place(range.start)..place(range.end), true);
        }
        bitmap.set_clean();
        bitmap
    }

    fn verify_bitmap(&self, group: GroupNo, bytes: &[u8], bits: u32, found: u32) -> Result<(), ExtError> {
        let covered = bytes.get(..index(bits.div_ceil(8))).unwrap_or(bytes);
        let Some(expected) = self.bitmap_checksum(covered) else {
            return Ok(());
        };
        if expected != found {
            return Err(ExtError::checksum(Place::Group(group), expected, found));
        }
        Ok(())
    }

    /// The checksum of a bitmap, cut to what the descriptors of this file system store.
    pub(crate) fn bitmap_checksum(&self, covered: &[u8]) -> Option<u32> {
        let checksum = self.superblock.checksums().bitmap(covered)?;
        let has_high = self.superblock.geometry().descriptor_size >= 64;
        Some(if has_high { checksum } else { checksum & 0xFFFF })
    }
}
