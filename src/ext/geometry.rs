//! How a file system is laid out: its sizes and counts, and which group holds what
//! (<https://docs.kernel.org/filesystems/ext4/overview.html>, section "Layout").

use super::error::{ExtError, Place};
use super::feature::{self, Features};
use super::raw::RawSuperblock;
use super::types::{BlockSize, FsBlock, GroupNo, InodeNo, index, join32};

/// How the file system is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// The size of a block.
    pub block_size: BlockSize,
    /// All blocks.
    pub blocks_count: u64,
    /// The block with which group 0 begins: 1 for blocks of 1024 bytes, else 0.
    pub first_data_block: u32,
    /// The blocks of every group but the last.
    pub blocks_per_group: u32,
    /// The block groups.
    pub groups_count: u32,
    /// All inodes.
    pub inodes_count: u32,
    /// The inodes of every group.
    pub inodes_per_group: u32,
    /// The bytes of an inode.
    pub inode_size: u16,
    /// The first inode that is not reserved.
    pub first_inode: u32,
    /// The bytes of a group descriptor.
    pub descriptor_size: u16,
}

fn wrong(what: &'static str, expected: &str, found: impl std::fmt::Display) -> ExtError {
    ExtError::corrupt(Place::Superblock, what, expected, found)
}

impl Geometry {
    /// Decodes the layout and holds its numbers against each other.
    pub(crate) fn decode(raw: &RawSuperblock, features: Features) -> Result<Self, ExtError> {
        let log = raw.s_log_block_size.get();
        let Some(block_size) = BlockSize::from_log(log) else {
            return Err(wrong("s_log_block_size", "at most 6", log));
        };
        let has_64bit = features.has(feature::IS_64BIT);
        let blocks_high = if has_64bit { raw.s_blocks_count_hi.get() } else { 0 };
        let is_dynamic = raw.s_rev_level.get() >= 1;
        let mut geometry = Self {
            block_size,
            blocks_count: join32(raw.s_blocks_count_lo.get(), blocks_high),
            first_data_block: raw.s_first_data_block.get(),
            blocks_per_group: raw.s_blocks_per_group.get(),
            groups_count: 0,
            inodes_count: raw.s_inodes_count.get(),
            inodes_per_group: raw.s_inodes_per_group.get(),
            inode_size: if is_dynamic { raw.s_inode_size.get() } else { 128 },
            first_inode: if is_dynamic { raw.s_first_ino.get() } else { 11 },
            descriptor_size: if has_64bit { raw.s_desc_size.get() } else { 32 },
        };
        let cluster_log = raw.s_log_cluster_size.get().saturating_sub(log).min(20);
        let cluster_log = if features.has(feature::BIGALLOC) {
            cluster_log
        } else {
            0
        };
        geometry.check_sizes(block_size.bits().saturating_mul(1_u32.wrapping_shl(cluster_log)))?;
        // With clusters of blocks, the group of block 0 holds block 0 too, whatever the block size.
        let first = u32::from(block_size.bytes() == 1024 && !features.has(feature::BIGALLOC));
        if geometry.first_data_block != first {
            return Err(wrong(
                "s_first_data_block",
                &first.to_string(),
                geometry.first_data_block,
            ));
        }
        geometry.count_groups()?;
        Ok(geometry)
    }

    /// Holds the sizes against their bounds; `most_blocks` is what the bits of one bitmap can stand for.
    fn check_sizes(&self, most_blocks: u32) -> Result<(), ExtError> {
        let block_bytes = self.block_size.bytes();
        let fits = "a multiple of 8 that fits a bitmap";
        let is_bitmap = |bits: u32, most: u32| bits > 0 && bits <= most && bits.trailing_zeros() >= 3;
        if !is_bitmap(self.blocks_per_group, most_blocks) {
            return Err(wrong("s_blocks_per_group", fits, self.blocks_per_group));
        }
        if !is_bitmap(self.inodes_per_group, self.block_size.bits()) {
            return Err(wrong("s_inodes_per_group", fits, self.inodes_per_group));
        }
        let is_size = |size: u16, least: u16, most: u32| {
            size.is_power_of_two() && size >= least && u32::from(size) <= most
        };
        if !is_size(self.inode_size, 128, block_bytes) {
            return Err(wrong(
                "s_inode_size",
                "a power of two from 128 to the block size",
                self.inode_size,
            ));
        }
        if !is_size(self.descriptor_size, 32, 1024) {
            return Err(wrong(
                "s_desc_size",
                "a power of two from 32 to 1024",
                self.descriptor_size,
            ));
        }
        Ok(())
    }

    /// Counts the groups and holds the counts against each other.
    fn count_groups(&mut self) -> Result<(), ExtError> {
        let data_blocks = self.blocks_count.saturating_sub(self.first_data_block.into());
        let groups = data_blocks.div_ceil(self.blocks_per_group.into());
        self.groups_count = match u32::try_from(groups) {
            Ok(count) if count > 0 && self.blocks_count < 1_u64.wrapping_shl(48) => count,
            _ => return Err(wrong("s_blocks_count", "at least one group", self.blocks_count)),
        };
        if self.groups_count.checked_mul(self.inodes_per_group) != Some(self.inodes_count) {
            let expected = "the groups times s_inodes_per_group";
            return Err(wrong("s_inodes_count", expected, self.inodes_count));
        }
        if !(11..=self.inodes_count).contains(&self.first_inode) {
            return Err(wrong(
                "s_first_ino",
                "from 11 to the last inode",
                self.first_inode,
            ));
        }
        Ok(())
    }

    /// The first block of `group`.
    pub fn group_start(&self, group: GroupNo) -> FsBlock {
        let before = u64::from(group.0).saturating_mul(self.blocks_per_group.into());
        FsBlock(before.saturating_add(self.first_data_block.into()))
    }

    /// How many blocks `group` has; the last one may be shorter.
    pub fn group_blocks(&self, group: GroupNo) -> u32 {
        let rest = self.blocks_count.saturating_sub(self.group_start(group).0);
        u32::try_from(rest.min(self.blocks_per_group.into())).unwrap_or(0)
    }

    /// The group of `block` and the block's place in it; `None` before the first and beyond the last group.
    pub fn group_of_block(&self, block: FsBlock) -> Option<(GroupNo, u32)> {
        let inside = block.0.checked_sub(self.first_data_block.into())?;
        if block.0 >= self.blocks_count {
            return None;
        }
        let per_group = u64::from(self.blocks_per_group);
        let group = u32::try_from(inside.checked_div(per_group)?).ok()?;
        Some((
            GroupNo(group),
            u32::try_from(inside.checked_rem(per_group)?).ok()?,
        ))
    }

    /// The group of `inode` and the inode's place in it; `None` beyond the last inode.
    pub fn group_of_inode(&self, inode: InodeNo) -> Option<(GroupNo, u32)> {
        if inode.get() > self.inodes_count {
            return None;
        }
        let group = inode.index().checked_div(self.inodes_per_group)?;
        Some((GroupNo(group), inode.index().checked_rem(self.inodes_per_group)?))
    }

    /// The groups, from 0.
    pub fn groups(&self) -> impl Iterator<Item = GroupNo> + use<> {
        (0..self.groups_count).map(GroupNo)
    }

    /// All groups, from `home` on and then from 0.
    pub(crate) fn groups_from(&self, home: GroupNo) -> impl Iterator<Item = GroupNo> + use<> {
        (home.0..self.groups_count)
            .chain(0..home.0.min(self.groups_count))
            .map(GroupNo)
    }

    /// The blocks of one group's inode table.
    pub fn inode_table_blocks(&self) -> u64 {
        let len_bytes = u64::from(self.inodes_per_group).saturating_mul(self.inode_size.into());
        self.block_size.blocks_for(len_bytes)
    }

    /// The blocks of the descriptor table.
    pub fn descriptor_blocks(&self) -> u64 {
        let len_bytes = u64::from(self.groups_count).saturating_mul(self.descriptor_size.into());
        self.block_size.blocks_for(len_bytes)
    }

    /// How many descriptors a block of their table holds.
    pub(crate) fn descriptors_per_block(&self) -> u64 {
        let block_bytes = u64::from(self.block_size.bytes());
        block_bytes.checked_div(self.descriptor_size.into()).unwrap_or(1)
    }

    /// How many inodes a block of their table holds.
    pub(crate) fn inodes_per_block(&self) -> u32 {
        let block_bytes = self.block_size.bytes();
        block_bytes.checked_div(self.inode_size.into()).unwrap_or(1)
    }

    /// The bytes of an inode, as the length of a buffer.
    pub(crate) fn inode_len(&self) -> usize {
        index(self.inode_size)
    }
}
