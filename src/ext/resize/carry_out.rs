//! Carries out a plan: content is copied, the new layout takes the place of the old one, inodes are linked to it.
//!
//! ```text
//!   device    copies of content
//!   memory    superblock, descriptors, bitmaps, moved tables --> inodes --> directories, attributes, resize inode
//! ```
//!
//! Tables that move are held in memory until `commit`, so that what is copied may lie where they lay.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::layout::Table;
use super::relocation::{Relinked, Relocation};
use super::space::Space;
use super::target::last_group;
use crate::ext::bitmap::Bitmap;
use crate::ext::error::ExtError;
use crate::ext::feature;
use crate::ext::fs::Fs;
use crate::ext::group::{BLOCK_UNINIT, INODE_UNINIT};
use crate::ext::inode::Node;
use crate::ext::layout::BlockRange;
use crate::ext::map::FileMap;
use crate::ext::types::{FsBlock, GroupNo, InodeNo};

/// How much is copied at once, in bytes.
const PIECE_BYTES: u64 = 1 << 20;

impl Fs {
    /// Carries out `plan`. Nothing may be waiting to be committed.
    pub(super) fn carry_out(&mut self, plan: &Relocation) -> Result<(), ExtError> {
        let old = self.superblock.clone();
        let nodes = plan
            .inodes
            .iter()
            .map(|inode| self.node(inode.inode))
            .collect::<Result<Vec<_>, _>>()?;
        let tables = self.read_moved_tables(plan)?;
        self.load_bitmaps(plan)?;
        self.copy_content(plan)?;
        self.superblock = plan.layout.superblock.clone();
        self.groups.fit(&self.superblock);
        self.fixed = OnceLock::new();
        self.are_backups_stale = true;
        for ((group, table), moved) in &plan.layout.moved {
            self.groups.update(*group, |descriptor| match table {
                Table::Inodes => descriptor.inode_table = moved.to,
                Table::BlockBitmap => descriptor.block_bitmap = moved.to,
                Table::InodeBitmap => descriptor.inode_bitmap = moved.to,
            })?;
        }
        for (block, bytes) in tables {
            self.put_block(block, bytes);
        }
        self.add_groups(old.geometry())?;
        self.settle_bitmaps(&plan.layout.space, plan)?;
        self.settle_free_inodes()?;
        let renumbered = self.relink(plan, nodes)?;
        self.settle_owners(plan, &renumbered)?;
        self.rebuild_resize_inode(plan.resize_map)
    }

    /// The bytes of inode tables that move, by their new places.
    fn read_moved_tables(&self, plan: &Relocation) -> Result<BTreeMap<FsBlock, Box<[u8]>>, ExtError> {
        let mut found = BTreeMap::new();
        let moved = plan.layout.moved.iter();
        for (_, moved) in moved.filter(|((_, table), _)| *table == Table::Inodes) {
            for step in 0..moved.from.len() {
                let bytes = self.read_block(moved.from.start.plus(step))?;
                found.insert(moved.to.plus(step), bytes);
            }
        }
        Ok(found)
    }

    /// Loads, by the old layout, the bitmaps of all groups that stay; those that move are to be written.
    fn load_bitmaps(&mut self, plan: &Relocation) -> Result<(), ExtError> {
        let stays = plan.layout.superblock.geometry().groups_count;
        let stays = stays.min(self.superblock.geometry().groups_count);
        self.block_bitmaps.retain(|group, _| group.0 < stays);
        self.inode_bitmaps.retain(|group, _| group.0 < stays);
        for group in (0..stays).map(GroupNo) {
            let mut bitmap = self.load_block_bitmap(group)?;
            let flags = self.groups.get(group)?.flags;
            let is_moved = |table| plan.layout.moved.contains_key(&(group, table));
            if is_moved(Table::BlockBitmap) && flags & BLOCK_UNINIT == 0 {
                bitmap.put(0..0, true);
            }
            self.block_bitmaps.insert(group, bitmap);
            if is_moved(Table::InodeBitmap) && flags & INODE_UNINIT == 0 {
                let mut bitmap = self.load_inode_bitmap(group)?;
                bitmap.put(0..0, true);
                self.inode_bitmaps.insert(group, bitmap);
            }
        }
        Ok(())
    }

    fn copy_content(&self, plan: &Relocation) -> Result<(), ExtError> {
        let block_size = self.block_size();
        let mut buffer = Vec::new();
        for copy in &plan.copies {
            let mut from = copy.from.byte_offset(block_size);
            let mut to = copy.to.byte_offset(block_size);
            let mut rest = FsBlock(copy.count).byte_offset(block_size);
            while rest > 0 {
                let len = rest.min(PIECE_BYTES);
                buffer.resize(crate::ext::types::index(len), 0);
                self.device.read_at(from, &mut buffer)?;
                self.device.write_at(to, &buffer)?;
                from = from.saturating_add(len);
                to = to.saturating_add(len);
                rest = rest.saturating_sub(len);
            }
        }
        Ok(())
    }

    /// Makes the block bitmaps and the free counts say what `space` says.
    fn settle_bitmaps(&mut self, space: &Space, plan: &Relocation) -> Result<(), ExtError> {
        let geometry = *self.superblock.geometry();
        let last = last_group(&geometry);
        for group in geometry.groups() {
            let (bitmap, free) = group_bitmap(self, space, group);
            let known = match self.block_bitmaps.get(&group) {
                Some(known) => known.clone(),
                None => self.load_block_bitmap(group)?,
            };
            let is_same = known.bytes() == bitmap.bytes() && known.bits() == bitmap.bits();
            let is_last = group == last && plan.layout.superblock.features().has_group_checksums();
            // What was a descriptor and is a file's now looks the same in the bitmap, but the group is no longer blank.
            let is_blank = self.groups.get(group)?.flags & BLOCK_UNINIT == 0
                || self.initial_block_bitmap(group).bytes() == bitmap.bytes();
            if !is_same || is_last || !is_blank || known.is_dirty() {
                self.block_bitmaps.insert(group, bitmap);
            }
            if self.groups.get(group)?.free_blocks_count != free {
                self.groups
                    .update(group, |descriptor| descriptor.free_blocks_count = free)?;
            }
        }
        self.superblock.set_free_blocks_count(space.blocks());
        Ok(())
    }

    fn settle_free_inodes(&mut self) -> Result<(), ExtError> {
        let mut free = 0_u32;
        for group in self.superblock.geometry().groups() {
            free = free.saturating_add(self.groups.get(group)?.free_inodes_count);
        }
        self.superblock.set_free_inodes_count(free);
        Ok(())
    }

    /// Links inodes to their new places; answers the new numbers of those that have one, by the old.
    fn relink(
        &mut self,
        plan: &Relocation,
        nodes: Vec<Node>,
    ) -> Result<BTreeMap<InodeNo, InodeNo>, ExtError> {
        let mut renumbered = BTreeMap::new();
        for (inode, node) in plan.inodes.iter().zip(nodes) {
            let number = self.relink_inode(inode, node)?;
            if inode.is_renumbered {
                renumbered.insert(inode.inode, number);
            }
        }
        Ok(renumbered)
    }

    fn relink_inode(&mut self, inode: &Relinked, mut node: Node) -> Result<InodeNo, ExtError> {
        if inode.is_renumbered {
            let groups = self.superblock.geometry().groups();
            let number = self.allocate_inode_among(groups, node.is_directory())?;
            node = Node::new(number, node.bytes().to_vec());
        }
        if !inode.map.runs().is_empty() {
            let now = inode.map.all_blocks();
            self.count_blocks(&mut node, inode.old_blocks, now)?;
            let runs = inode.map.runs().to_vec();
            let old = FileMap::new(runs.clone(), inode.map.tree().clone());
            self.store_map(&mut node, old, runs)?;
        }
        if inode.attributes.is_some() {
            node.set_file_acl(inode.attributes);
        }
        if self.superblock.journal_inode() == Some(node.number()) {
            self.note_journal(&node)?;
        }
        let number = node.number();
        self.store_node(node)?;
        Ok(number)
    }

    /// Keeps the superblock's copy of the journal's inode, where it has one.
    fn note_journal(&mut self, node: &Node) -> Result<(), ExtError> {
        if self.superblock.raw().s_jnl_backup_type != 1 {
            return Ok(());
        }
        let i_block = node.raw().i_block;
        self.superblock.edit(|raw| {
            let (words, _) = i_block.as_chunks::<4>();
            for (to, from) in raw.s_jnl_blocks.iter_mut().zip(words) {
                to.set(u32::from_le_bytes(*from));
            }
        })
    }

    /// Brings everything in line that names blocks or inodes by number: names, attributes, the orphan file, the
    /// superblock.
    fn settle_owners(
        &mut self,
        plan: &Relocation,
        renumbered: &BTreeMap<InodeNo, InodeNo>,
    ) -> Result<(), ExtError> {
        for to in plan.attributes.values() {
            let bytes = self.read_block(*to)?;
            self.put_xattr_block(*to, bytes);
        }
        if !renumbered.is_empty() {
            self.renumber_names(renumbered)?;
            if self.superblock.features().has(feature::EA_INODE) {
                self.renumber_attributes(renumbered)?;
            }
        }
        if let Some(block) = plan.mount_block {
            self.superblock.edit(|raw| raw.s_mmp_block.set(block.0))?;
            self.fixed = OnceLock::new();
        }
        if !self.superblock.features().has(feature::ORPHAN_FILE) {
            return Ok(());
        }
        let Some(old) = InodeNo::new(self.superblock.raw().s_orphan_file_inum.get()) else {
            return Ok(());
        };
        let new = renumbered.get(&old).copied().unwrap_or(old);
        self.superblock
            .edit(|raw| raw.s_orphan_file_inum.set(new.get()))?;
        if plan.inodes.iter().any(|inode| inode.inode == old) {
            self.seal_orphan_file(new)?;
        }
        Ok(())
    }
}

/// The bitmap of `group` by `space`, and how many blocks are free.
fn group_bitmap(fs: &Fs, space: &Space, group: GroupNo) -> (Bitmap, u32) {
    let geometry = fs.superblock.geometry();
    let bits = geometry.group_blocks(group);
    let start = geometry.group_start(group);
    let mut bitmap = Bitmap::empty(geometry.block_size.buffer_len(), bits);
    bitmap.put(0..bits, true);
    let mut free = 0_u32;
    for range in space.within(BlockRange::new(start, bits.into())) {
        let bit = |block: FsBlock| u32::try_from(block.0.saturating_sub(start.0)).unwrap_or(bits);
        let (from, to) = (bit(range.start), bit(range.end));
        bitmap.put(from..to, false);
        free = free.saturating_add(to.saturating_sub(from));
    }
    (bitmap, free)
}
