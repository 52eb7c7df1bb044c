//! Group descriptors (<https://docs.kernel.org/filesystems/ext4/group_descr.html>, section "Block Group Descriptors").
//! Where the copies of their table lie is told in `copies`.

use std::sync::Arc;

use zerocopy::{FromZeros as _, IntoBytes as _};

use super::error::{ExtError, Place};
use super::raw::RawGroupDescriptor;
use super::superblock::Superblock;
use super::types::{FsBlock, GroupNo, index, join16, join32, split32, split64, wide};
use crate::block::BlockDevice;

pub(crate) use super::copies::{copied_descriptors, has_superblock, table_block};

/// The group's inode bitmap and table were never written.
pub(crate) const INODE_UNINIT: u16 = 0x1;
/// The group's inode table is zero where it is not in use.
pub(crate) const INODE_ZEROED: u16 = 0x4;
/// The group's block bitmap was never written.
pub(crate) const BLOCK_UNINIT: u16 = 0x2;

/// One group, decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupDescriptor {
    /// The block of the block bitmap.
    pub block_bitmap: FsBlock,
    /// The block of the inode bitmap.
    pub inode_bitmap: FsBlock,
    /// The first block of the inode table.
    pub inode_table: FsBlock,
    /// The free blocks.
    pub free_blocks_count: u32,
    /// The free inodes.
    pub free_inodes_count: u32,
    /// The directories among the used inodes.
    pub used_dirs_count: u32,
    /// `INODE_UNINIT` 1, `BLOCK_UNINIT` 2, `INODE_ZEROED` 4.
    pub flags: u16,
    /// The inodes at the table's end that were never used.
    pub itable_unused: u32,
    /// The checksum of the block bitmap.
    pub block_bitmap_checksum: u32,
    /// The checksum of the inode bitmap.
    pub inode_bitmap_checksum: u32,
}

/// The descriptors of all groups, as they lie on disk.
#[derive(Debug, Clone)]
pub(crate) struct GroupTable {
    /// Shared until something changes: the file systems of many overlays have the same base.
    bytes: Arc<Vec<u8>>,
    descriptor_len: usize,
    dirty: Vec<bool>,
}

impl GroupTable {
    /// Reads the first copy of the table and checks every descriptor.
    pub(crate) fn read(device: &dyn BlockDevice, superblock: &Superblock) -> Result<Self, ExtError> {
        let table = Self::read_unchecked(device, superblock)?;
        for group in superblock.geometry().groups() {
            table.check(superblock, group)?;
        }
        Ok(table)
    }

    /// Reads the first copy of the table, which a journal that was not replayed may leave in any state.
    pub(crate) fn read_unchecked(
        device: &dyn BlockDevice,
        superblock: &Superblock,
    ) -> Result<Self, ExtError> {
        let geometry = superblock.geometry();
        let block_size = geometry.block_size;
        let mut bytes = vec![0; index(geometry.descriptor_blocks()).saturating_mul(block_size.buffer_len())];
        for (number, chunk) in (0..).zip(bytes.chunks_mut(block_size.buffer_len())) {
            device.read_at(table_block(superblock, number).byte_offset(block_size), chunk)?;
        }
        Ok(Self {
            bytes: Arc::new(bytes),
            descriptor_len: index(geometry.descriptor_size),
            dirty: vec![false; index(geometry.groups_count)],
        })
    }

    /// A table of as many descriptors as `superblock` has groups, all zero.
    pub(crate) fn zeroed(superblock: &Superblock) -> Self {
        let mut table = Self {
            bytes: Arc::default(),
            descriptor_len: index(superblock.geometry().descriptor_size),
            dirty: Vec::new(),
        };
        table.fit(superblock);
        table
    }

    /// Adds descriptors, all zero, for the groups that `superblock` has more, and cuts off those that it has less.
    pub(crate) fn fit(&mut self, superblock: &Superblock) {
        let geometry = superblock.geometry();
        let blocks = index(geometry.descriptor_blocks());
        // The last block may hold descriptors of groups that are, or were earlier, cut off.
        let kept = self.dirty.len().min(index(geometry.groups_count));
        let end = kept.saturating_mul(self.descriptor_len);
        let bytes = Arc::make_mut(&mut self.bytes);
        bytes.get_mut(end..).unwrap_or_default().fill(0);
        bytes.resize(blocks.saturating_mul(geometry.block_size.buffer_len()), 0);
        self.dirty.resize(index(geometry.groups_count), false);
    }

    /// The descriptor of `group`.
    pub(crate) fn get(&self, group: GroupNo) -> Result<GroupDescriptor, ExtError> {
        let raw = self.raw(group)?;
        Ok(GroupDescriptor {
            block_bitmap: FsBlock(join32(raw.bg_block_bitmap_lo.get(), raw.bg_block_bitmap_hi.get())),
            inode_bitmap: FsBlock(join32(raw.bg_inode_bitmap_lo.get(), raw.bg_inode_bitmap_hi.get())),
            inode_table: FsBlock(join32(raw.bg_inode_table_lo.get(), raw.bg_inode_table_hi.get())),
            free_blocks_count: join16(
                raw.bg_free_blocks_count_lo.get(),
                raw.bg_free_blocks_count_hi.get(),
            ),
            free_inodes_count: join16(
                raw.bg_free_inodes_count_lo.get(),
                raw.bg_free_inodes_count_hi.get(),
            ),
            used_dirs_count: join16(raw.bg_used_dirs_count_lo.get(), raw.bg_used_dirs_count_hi.get()),
            flags: raw.bg_flags.get(),
            itable_unused: join16(raw.bg_itable_unused_lo.get(), raw.bg_itable_unused_hi.get()),
            block_bitmap_checksum: join16(
                raw.bg_block_bitmap_csum_lo.get(),
                raw.bg_block_bitmap_csum_hi.get(),
            ),
            inode_bitmap_checksum: join16(
                raw.bg_inode_bitmap_csum_lo.get(),
                raw.bg_inode_bitmap_csum_hi.get(),
            ),
        })
    }

    /// Changes the descriptor of `group`; what the domain type does not name stays as it is.
    pub(crate) fn update(
        &mut self,
        group: GroupNo,
        change: impl FnOnce(&mut GroupDescriptor),
    ) -> Result<(), ExtError> {
        let mut descriptor = self.get(group)?;
        change(&mut descriptor);
        let mut raw = self.raw(group)?;
        encode(&descriptor, &mut raw);
        self.store(group, &raw)
    }

    /// How many groups there are.
    pub(crate) fn count(&self) -> usize {
        self.dirty.len()
    }

    /// The groups whose descriptors changed, lowest first.
    pub(crate) fn dirty_groups(&self) -> Vec<GroupNo> {
        let numbered = (0..).map(GroupNo).zip(&self.dirty);
        numbered
            .filter(|(_, dirty)| **dirty)
            .map(|(group, _)| group)
            .collect()
    }

    /// Computes the checksum of `group`'s descriptor.
    pub(crate) fn seal(&mut self, superblock: &Superblock, group: GroupNo) -> Result<(), ExtError> {
        if let Some(checksum) = self.checksum(superblock, group)? {
            let mut raw = self.raw(group)?;
            raw.bg_checksum.set(checksum);
            self.store(group, &raw)?;
        }
        Ok(())
    }

    /// Block `number` of the table, counted from the table's start.
    pub(crate) fn block(&self, superblock: &Superblock, number: u64) -> Option<&[u8]> {
        self.bytes
            .chunks(superblock.geometry().block_size.buffer_len())
            .nth(index(number))
    }

    /// The table's block that holds the descriptor of `group`, counted from the table's start.
    pub(crate) fn block_of(&self, superblock: &Superblock, group: GroupNo) -> u64 {
        let offset = wide(self.start(group));
        offset
            .checked_div(superblock.geometry().block_size.bytes().into())
            .unwrap_or(0)
    }

    /// Forgets which descriptors changed.
    pub(crate) fn set_clean(&mut self) {
        self.dirty.fill(false);
    }

    fn start(&self, group: GroupNo) -> usize {
        index(group.0).saturating_mul(self.descriptor_len)
    }

    fn slot(&self, group: GroupNo) -> Result<std::ops::Range<usize>, ExtError> {
        if index(group.0) >= self.count() {
            return Err(ExtError::corrupt(
                Place::Group(group),
                "group number",
                self.count(),
                group,
            ));
        }
        let start = self.start(group);
        Ok(start..start.saturating_add(self.descriptor_len))
    }

    /// The descriptor, with zeros for the fields that this file system does not store.
    fn raw(&self, group: GroupNo) -> Result<RawGroupDescriptor, ExtError> {
        let stored = self.bytes.get(self.slot(group)?).unwrap_or_default();
        let mut raw = RawGroupDescriptor::new_zeroed();
        for (to, from) in raw.as_mut_bytes().iter_mut().zip(stored) {
            *to = *from;
        }
        Ok(raw)
    }

    fn store(&mut self, group: GroupNo, raw: &RawGroupDescriptor) -> Result<(), ExtError> {
        let slot = self.slot(group)?;
        for (to, from) in Arc::make_mut(&mut self.bytes)
            .get_mut(slot)
            .unwrap_or_default()
            .iter_mut()
            .zip(raw.as_bytes())
        {
            *to = *from;
        }
        if let Some(dirty) = self.dirty.get_mut(index(group.0)) {
            *dirty = true;
        }
        Ok(())
    }

    fn checksum(&self, superblock: &Superblock, group: GroupNo) -> Result<Option<u16>, ExtError> {
        let stored = self.bytes.get(self.slot(group)?).unwrap_or_default();
        let (before, rest) = stored.split_at_checked(0x1E).unwrap_or_default();
        let after = rest.get(2..).unwrap_or_default();
        Ok(superblock.checksums().descriptor(group, before, after))
    }

    /// Holds the descriptor of `group` against its checksum and its pointers against the file system's end.
    fn check(&self, superblock: &Superblock, group: GroupNo) -> Result<(), ExtError> {
        let found = self.raw(group)?.bg_checksum.get();
        if let Some(expected) = self.checksum(superblock, group)?
            && expected != found
        {
            return Err(ExtError::checksum(
                Place::Group(group),
                expected.into(),
                found.into(),
            ));
        }
        let descriptor = self.get(group)?;
        let geometry = superblock.geometry();
        let table_end = descriptor.inode_table.plus(geometry.inode_table_blocks());
        let first = FsBlock(u64::from(geometry.first_data_block).saturating_add(1));
        let is_inside = |block: FsBlock| block >= first && block.0 < geometry.blocks_count;
        for (what, block) in [
            ("block bitmap", descriptor.block_bitmap),
            ("inode bitmap", descriptor.inode_bitmap),
            ("inode table", descriptor.inode_table),
            ("end of the inode table", FsBlock(table_end.0.saturating_sub(1))),
        ] {
            if !is_inside(block) {
                return Err(ExtError::corrupt(
                    Place::Group(group),
                    what,
                    "a block of the file system",
                    block,
                ));
            }
        }
        if descriptor.itable_unused > geometry.inodes_per_group {
            let found = descriptor.itable_unused;
            return Err(ExtError::corrupt(
                Place::Group(group),
                "unused inodes",
                geometry.inodes_per_group,
                found,
            ));
        }
        Ok(())
    }
}

fn encode(descriptor: &GroupDescriptor, raw: &mut RawGroupDescriptor) {
    let (low, high) = split64(descriptor.block_bitmap.0);
    raw.bg_block_bitmap_lo.set(low);
    raw.bg_block_bitmap_hi.set(high);
    let (low, high) = split64(descriptor.inode_bitmap.0);
    raw.bg_inode_bitmap_lo.set(low);
    raw.bg_inode_bitmap_hi.set(high);
    let (low, high) = split64(descriptor.inode_table.0);
    raw.bg_inode_table_lo.set(low);
    raw.bg_inode_table_hi.set(high);
    let (low, high) = split32(descriptor.free_blocks_count);
    raw.bg_free_blocks_count_lo.set(low);
    raw.bg_free_blocks_count_hi.set(high);
    let (low, high) = split32(descriptor.free_inodes_count);
    raw.bg_free_inodes_count_lo.set(low);
    raw.bg_free_inodes_count_hi.set(high);
    let (low, high) = split32(descriptor.used_dirs_count);
    raw.bg_used_dirs_count_lo.set(low);
    raw.bg_used_dirs_count_hi.set(high);
    raw.bg_flags.set(descriptor.flags);
    let (low, high) = split32(descriptor.itable_unused);
    raw.bg_itable_unused_lo.set(low);
    raw.bg_itable_unused_hi.set(high);
    let (low, high) = split32(descriptor.block_bitmap_checksum);
    raw.bg_block_bitmap_csum_lo.set(low);
    raw.bg_block_bitmap_csum_hi.set(high);
    let (low, high) = split32(descriptor.inode_bitmap_checksum);
    raw.bg_inode_bitmap_csum_lo.set(low);
    raw.bg_inode_bitmap_csum_hi.set(high);
}
