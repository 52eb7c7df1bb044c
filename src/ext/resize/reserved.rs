//! The resize inode, which holds the blocks reserved behind every copy of the descriptors.
//!
//! ```text
//!   inode 7 --> double indirect block --> reserved block of group 0 --> the same block of groups 1, 3, 5, ...
//! ```
//!
//! A reserved block of group 0 is thus an indirect block that lists its own copies, until descriptors take its place.
//! Its slot in the double indirect block is its place in the whole table, modulo the slots.

use zerocopy::little_endian::U32;
use zerocopy::{FromBytes as _, IntoBytes as _};

use crate::ext::error::{ExtError, Place};
use crate::ext::feature;
use crate::ext::fs::Fs;
use crate::ext::geometry::Geometry;
use crate::ext::group::has_superblock;
use crate::ext::types::{FsBlock, InodeNo, index, split64, wide};

/// Where the number of the double indirect block lies in an inode's block map.
pub(super) const DOUBLE_INDIRECT: usize = 13;

impl Fs {
    /// Takes the blocks that descriptors fill now out of the resize inode, and adds the copies in new groups.
    pub(super) fn update_resize_inode(&mut self, old: &Geometry) -> Result<(), ExtError> {
        if !self.superblock.features().has(feature::RESIZE_INODE) {
            return Ok(());
        }
        let new = *self.superblock.geometry();
        let map = self.resize_map()?;
        let top = self.read_block(map)?;
        let first = FsBlock(u64::from(new.first_data_block).saturating_add(1));
        let old_used = old.descriptor_blocks();
        let used = new.descriptor_blocks();
        let end = used.saturating_add(self.superblock.reserved_gdt_blocks().into());
        for number in old_used..end {
            let slot = reserved_slot((map, &top), number, first.plus(number))?;
            if number < used {
                self.set_pointer(map, slot, 0)?;
            } else {
                self.add_copies(old, number, first.plus(number))?;
            }
        }
        self.set_resize_blocks(end.saturating_sub(used))
    }

    /// Writes anew what the resize inode holds, after its double indirect block went to `moved`, if it did.
    pub(super) fn rebuild_resize_inode(&mut self, moved: Option<FsBlock>) -> Result<(), ExtError> {
        if !self.superblock.features().has(feature::RESIZE_INODE) {
            return Ok(());
        }
        if let Some(place) = moved {
            let mut node = self.node(InodeNo::RESIZE)?;
            let pointer = split64(place.0).0.to_le_bytes();
            let (slots, _) = node.raw_mut().i_block.as_chunks_mut::<4>();
            if let Some(slot) = slots.get_mut(DOUBLE_INDIRECT) {
                *slot = pointer;
            }
            self.store_node(node)?;
        }
        let map = self.resize_map()?;
        let geometry = *self.superblock.geometry();
        let first = FsBlock(u64::from(geometry.first_data_block).saturating_add(1));
        let used = geometry.descriptor_blocks();
        let reserved = u64::from(self.superblock.reserved_gdt_blocks());
        let block_len = geometry.block_size.buffer_len();
        let mut top = vec![0; block_len];
        for number in used..used.saturating_add(reserved) {
            let place = first.plus(number);
            let (slots, _) = top.as_chunks_mut::<4>();
            let slot = index(number).checked_rem(slots.len()).unwrap_or(0);
            if let Some(slot) = slots.get_mut(slot) {
                *slot = split64(place.0).0.to_le_bytes();
            }
            let mut bytes = self.copies_of(number).as_bytes().to_vec();
            bytes.resize(block_len, 0);
            self.put_if_new(place, bytes)?;
        }
        self.put_if_new(map, top)?;
        self.set_resize_blocks(reserved)
    }

    fn put_if_new(&mut self, block: FsBlock, bytes: Vec<u8>) -> Result<(), ExtError> {
        if *self.read_block(block)? != bytes {
            self.put_block(block, bytes.into());
        }
        Ok(())
    }

    /// The copies of descriptor block `number` in all groups but the first that have one.
    fn copies_of(&self, number: u64) -> Vec<U32> {
        let geometry = self.superblock.geometry();
        geometry
            .groups()
            .skip(1)
            .filter(|group| has_superblock(&self.superblock, *group))
            .map(|group| U32::new(split64(geometry.group_start(group).plus(number).plus(1).0).0))
            .collect()
    }

    /// The double indirect block of the resize inode.
    fn resize_map(&self) -> Result<FsBlock, ExtError> {
        let node = self.node(InodeNo::RESIZE)?;
        let slots = node.raw().i_block.as_chunks::<4>().0;
        let map = slots
            .get(DOUBLE_INDIRECT)
            .map_or(0, |bytes| u32::from_le_bytes(*bytes));
        let map = FsBlock(map.into());
        self.check_block(InodeNo::RESIZE, map)?;
        Ok(map)
    }

    /// Lists, in the reserved block `block` of group 0, its copies in all groups that have them.
    fn add_copies(&mut self, old: &Geometry, number: u64, block: FsBlock) -> Result<(), ExtError> {
        let copies = self.copies_of(number);
        let old_end = u32::try_from(old.blocks_count).unwrap_or(u32::MAX);
        let is_known = copies.iter().filter(|copy| copy.get() < old_end).count();
        if is_known == copies.len() {
            return Ok(());
        }
        let bytes = self.block_mut(block)?;
        let len = bytes.len();
        let Some(slots) = bytes.get_mut(..copies.as_bytes().len()) else {
            let place = Place::Block(InodeNo::RESIZE, block);
            let most = format_args!("at most {len} bytes").to_string();
            return Err(ExtError::corrupt(
                place,
                "copies of descriptors",
                most,
                copies.as_bytes().len(),
            ));
        };
        slots.copy_from_slice(copies.as_bytes());
        Ok(())
    }

    fn set_pointer(&mut self, block: FsBlock, slot: usize, pointer: u32) -> Result<(), ExtError> {
        let bytes = self.block_mut(block)?;
        if let Some(place) = bytes.as_chunks_mut::<4>().0.get_mut(slot) {
            *place = pointer.to_le_bytes();
        }
        Ok(())
    }

    /// Counts the blocks of the resize inode: `reserved` ones in each group with copies, and the double indirect one.
    fn set_resize_blocks(&mut self, reserved: u64) -> Result<(), ExtError> {
        let geometry = *self.superblock.geometry();
        let copies = geometry
            .groups()
            .filter(|group| has_superblock(&self.superblock, *group))
            .count();
        let blocks = wide(copies).saturating_mul(reserved).saturating_add(1);
        let mut node = self.node(InodeNo::RESIZE)?;
        node.set_blocks_field(blocks.saturating_mul(geometry.block_size.bytes().wrapping_shr(9).into()));
        self.store_node(node)
    }
}

fn pointers(bytes: &[u8]) -> &[U32] {
    <[U32]>::ref_from_bytes(bytes).unwrap_or_default()
}

/// The slot of descriptor block `number` in the double indirect block `map`, which must point to `expected`.
fn reserved_slot((map, bytes): (FsBlock, &[u8]), number: u64, expected: FsBlock) -> Result<usize, ExtError> {
    let slots = pointers(bytes);
    let slot = index(number).checked_rem(slots.len()).unwrap_or(0);
    match slots.get(slot) {
        Some(found) if u64::from(found.get()) == expected.0 => Ok(slot),
        found => {
            let found = found.map_or(0, |found| found.get());
            let place = Place::Block(InodeNo::RESIZE, map);
            Err(ExtError::corrupt(
                place,
                "reserved descriptor block",
                expected,
                found,
            ))
        }
    }
}
