//! The groups of a grown file system: the last one completed, new ones with their own tables.

use super::target::{last_group, tables_len};
use crate::ext::bitmap::Bitmap;
use crate::ext::error::ExtError;
use crate::ext::fs::Fs;
use crate::ext::geometry::Geometry;
use crate::ext::group::{BLOCK_UNINIT, INODE_UNINIT, INODE_ZEROED};
use crate::ext::layout::copies_len;
use crate::ext::types::{GroupNo, split64};

impl Fs {
    /// The block bitmap of the last group, before the file system grows.
    pub(super) fn last_group_bitmap(&self) -> Result<Bitmap, ExtError> {
        self.load_block_bitmap(last_group(self.superblock.geometry()))
    }

    /// Adds the blocks that the last group of `old`, with `bitmap`, did not have.
    pub(super) fn complete_last_group(&mut self, old: &Geometry, bitmap: &Bitmap) -> Result<(), ExtError> {
        let group = last_group(old);
        let old_bits = old.group_blocks(group);
        let bits = self.superblock.geometry().group_blocks(group);
        if bits == old_bits {
            return Ok(());
        }
        let mut bitmap = Bitmap::from_bytes(bitmap.bytes().into(), bits);
        bitmap.put(old_bits..bits, false);
        self.block_bitmaps.insert(group, bitmap);
        self.groups.update(group, |descriptor| {
            let added = bits.saturating_sub(old_bits);
            descriptor.free_blocks_count = descriptor.free_blocks_count.saturating_add(added);
        })
    }

    /// Makes the groups that `old` does not have.
    ///
    /// Where descriptors have checksums, they may say that a bitmap was not written yet; but the last group's block
    /// bitmap always is, for the sake of the bits beyond the end.
    pub(super) fn add_groups(&mut self, old: &Geometry) -> Result<(), ExtError> {
        let new = *self.superblock.geometry();
        let may_be_uninit = self.superblock.features().has_group_checksums();
        let last = last_group(&new);
        for group in new.groups().skip_while(|group| group.0 < old.groups_count) {
            let tables = tables_len(&self.superblock, group);
            let free = u64::from(new.group_blocks(group)).saturating_sub(tables);
            let bitmaps = new.group_start(group).plus(copies_len(&self.superblock, group));
            let mut flags = if may_be_uninit {
                INODE_UNINIT | INODE_ZEROED
            } else {
                0
            };
            if may_be_uninit && group != last {
                flags |= BLOCK_UNINIT;
            }
            self.groups.update(group, |descriptor| {
                descriptor.block_bitmap = bitmaps;
                descriptor.inode_bitmap = bitmaps.plus(1);
                descriptor.inode_table = bitmaps.plus(2);
                descriptor.free_blocks_count = split64(free).0;
                descriptor.free_inodes_count = new.inodes_per_group;
                descriptor.flags = flags;
                descriptor.itable_unused = if may_be_uninit { new.inodes_per_group } else { 0 };
            })?;
            self.add_bitmaps(group, flags, split64(tables).0);
        }
        Ok(())
    }

    /// Counts what was added to `old` among the free blocks and inodes.
    pub(super) fn count_added(&mut self, old: &Geometry) {
        let new = *self.superblock.geometry();
        let added = (old.groups_count..new.groups_count).map(GroupNo);
        let tables = added.fold(0, |sum: u64, group| {
            sum.saturating_add(tables_len(&self.superblock, group))
        });
        let blocks = new.blocks_count.saturating_sub(old.blocks_count);
        let free = self.superblock.free_blocks_count();
        self.superblock
            .set_free_blocks_count(free.saturating_add(blocks).saturating_sub(tables));
        let inodes = new.inodes_count.saturating_sub(old.inodes_count);
        let free = self.superblock.free_inodes_count();
        self.superblock.set_free_inodes_count(free.saturating_add(inodes));
    }

    /// Makes the bitmaps of a new group that begins with `tables` blocks of its own, as far as `flags` want them.
    fn add_bitmaps(&mut self, group: GroupNo, flags: u16, tables: u32) {
        let geometry = *self.superblock.geometry();
        let block_len = geometry.block_size.buffer_len();
        if flags & BLOCK_UNINIT == 0 {
            let mut bitmap = Bitmap::empty(block_len, geometry.group_blocks(group));
            bitmap.put(0..tables, true);
            self.block_bitmaps.insert(group, bitmap);
        }
        if flags & INODE_UNINIT == 0 {
            let mut bitmap = Bitmap::empty(block_len, geometry.inodes_per_group);
            // Nothing is set, but the bits beyond the end have to reach the disk.
            bitmap.put(0..0, false);
            self.inode_bitmaps.insert(group, bitmap);
        }
    }
}
