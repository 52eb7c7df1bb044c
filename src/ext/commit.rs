//! Writing what was changed: each changed block once, in ascending order, the superblock last.

use std::collections::BTreeMap;

use super::error::ExtError;
use super::fs::Fs;
use super::group::{BLOCK_UNINIT, INODE_UNINIT, copied_descriptors, has_superblock, table_block};
use super::superblock::OFFSET_BYTES;
use super::types::{FsBlock, GroupNo, index, wide};

/// The longest run of neighbouring blocks that is written at once, in bytes.
const RUN_BYTES: usize = 1 << 17;

impl Fs {
    /// Writes all changed metadata with its checksums; does nothing if there is none.
    ///
    /// The copies of superblock and descriptors are written only when what they are for has changed: the layout or
    /// the feature bits. Free counts in copies are stale by nature. The device is not synced.
    ///
    /// # Errors
    /// [`ExtError::ReadOnly`]; [`ExtError::HalfDone`] if an earlier edit failed half-way: nothing is written then;
    /// [`ExtError::NoSpace`], which is told before anything is written; what the device answers.
    pub fn commit(&mut self) -> Result<(), ExtError> {
        if self.is_torn {
            return Err(ExtError::HalfDone);
        }
        let result = self.commit_all();
        // Whatever was written by then, trying again would not write the whole.
        self.is_torn |= result.is_err();
        result
    }

    fn commit_all(&mut self) -> Result<(), ExtError> {
        let now = self.edit_time()?;
        self.flush_directories()?;
        self.seal_bitmaps()?;
        let dirty_groups = self.groups.dirty_groups();
        if self.blocks.is_empty() && dirty_groups.is_empty() && !self.are_backups_stale {
            return Ok(());
        }
        for group in &dirty_groups {
            self.groups.seal(&self.superblock, *group)?;
        }
        self.superblock.set_wtime(now);
        let mut writes = std::mem::take(&mut self.blocks);
        self.collect_bitmaps(&mut writes)?;
        self.collect_descriptors(&dirty_groups, &mut writes);
        if self.are_backups_stale {
            self.collect_backups(&mut writes);
        }
        self.write_runs(writes)?;
        self.device
            .write_at(OFFSET_BYTES, &self.superblock.encode(GroupNo(0)))?;
        self.groups.set_clean();
        self.are_backups_stale = false;
        Ok(())
    }

    /// Brings the checksums and flags of changed bitmaps into the descriptors.
    fn seal_bitmaps(&mut self) -> Result<(), ExtError> {
        let geometry = *self.superblock.geometry();
        let mut sums = Vec::new();
        for (bitmaps, flag, bits) in [
            (&self.block_bitmaps, BLOCK_UNINIT, geometry.blocks_per_group),
            (&self.inode_bitmaps, INODE_UNINIT, geometry.inodes_per_group),
        ] {
            for (group, bitmap) in bitmaps.iter().filter(|(_, bitmap)| bitmap.is_dirty()) {
                let covered = bitmap
                    .bytes()
                    .get(..index(bits.div_ceil(8)))
                    .unwrap_or(bitmap.bytes());
                sums.push((*group, flag, self.bitmap_checksum(covered)));
            }
        }
        for (group, flag, checksum) in sums {
            self.groups.update(group, |descriptor| {
                descriptor.flags &= !flag;
                match (flag, checksum) {
                    (_, None) => {}
                    (BLOCK_UNINIT, Some(checksum)) => descriptor.block_bitmap_checksum = checksum,
                    (_, Some(checksum)) => descriptor.inode_bitmap_checksum = checksum,
                }
            })?;
        }
        Ok(())
    }

    fn collect_bitmaps(&mut self, writes: &mut BTreeMap<FsBlock, Box<[u8]>>) -> Result<(), ExtError> {
        for (group, bitmap) in self
            .block_bitmaps
            .iter_mut()
            .filter(|(_, bitmap)| bitmap.is_dirty())
        {
            writes.insert(self.groups.get(*group)?.block_bitmap, bitmap.bytes().into());
            bitmap.set_clean();
        }
        for (group, bitmap) in self
            .inode_bitmaps
            .iter_mut()
            .filter(|(_, bitmap)| bitmap.is_dirty())
        {
            writes.insert(self.groups.get(*group)?.inode_bitmap, bitmap.bytes().into());
            bitmap.set_clean();
        }
        Ok(())
    }

    fn collect_descriptors(&self, dirty: &[GroupNo], writes: &mut BTreeMap<FsBlock, Box<[u8]>>) {
        for group in dirty {
            let number = self.groups.block_of(&self.superblock, *group);
            if let Some(bytes) = self.groups.block(&self.superblock, number) {
                // What else was stored there was a reserved block before the file system grew over it.
                writes.insert(table_block(&self.superblock, number), bytes.into());
            }
        }
    }

    /// Adds every copy of superblock and descriptors, but the first superblock.
    fn collect_backups(&self, writes: &mut BTreeMap<FsBlock, Box<[u8]>>) {
        let geometry = self.superblock.geometry();
        for group in geometry.groups().skip(1) {
            let mut place = geometry.group_start(group);
            if has_superblock(&self.superblock, group) {
                let mut copy = self.superblock.encode(group).to_vec();
                copy.resize(geometry.block_size.buffer_len(), 0);
                writes.insert(place, copy.into());
                place = place.plus(1);
            }
            for number in copied_descriptors(&self.superblock, group) {
                if let Some(bytes) = self.groups.block(&self.superblock, number) {
                    writes.insert(place, bytes.into());
                }
                place = place.plus(1);
            }
        }
    }

    /// Writes blocks in ascending order, neighbours together.
    fn write_runs(&self, writes: BTreeMap<FsBlock, Box<[u8]>>) -> Result<(), ExtError> {
        let block_size = self.block_size();
        let mut start = 0_u64;
        let mut run: Vec<u8> = Vec::new();
        for (block, bytes) in writes {
            let offset = block.byte_offset(block_size);
            if run.len() >= RUN_BYTES || start.saturating_add(wide(run.len())) != offset {
                if !run.is_empty() {
                    self.device.write_at(start, &run)?;
                }
                run.clear();
                start = offset;
            }
            run.extend_from_slice(&bytes);
        }
        if !run.is_empty() {
            self.device.write_at(start, &run)?;
        }
        Ok(())
    }
}
