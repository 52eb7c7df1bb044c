//! Names of inodes that got other numbers: in directories, and in the attributes whose values lie in inodes.

use std::collections::{BTreeMap, BTreeSet};

use crate::ext::dir::{renumber_block, renumber_entries};
use crate::ext::error::{ExtError, Place};
use crate::ext::feature;
use crate::ext::fs::Fs;
use crate::ext::inline::Inline;
use crate::ext::inode::{FLAG_INLINE_DATA, Node};
use crate::ext::types::{FileBlock, FsBlock, InodeNo};

impl Fs {
    /// Makes every directory name inodes by their new numbers; the checksums of renumbered directories follow.
    pub(super) fn renumber_names(&mut self, renumbered: &BTreeMap<InodeNo, InodeNo>) -> Result<(), ExtError> {
        let new: BTreeSet<InodeNo> = renumbered.values().copied().collect();
        let mut directories = Vec::new();
        self.each_node(&mut |node| {
            if node.is_directory() {
                directories.push(node);
            }
            Ok(())
        })?;
        for node in directories {
            if node.has_flag(FLAG_INLINE_DATA) {
                self.renumber_inline_directory(node, renumbered)?;
            } else {
                self.renumber_directory(&node, renumbered, new.contains(&node.number()))?;
            }
        }
        Ok(())
    }

    fn renumber_directory(
        &mut self,
        node: &Node,
        renumbered: &BTreeMap<InodeNo, InodeNo>,
        is_new: bool,
    ) -> Result<(), ExtError> {
        let map = self.file_map(node)?;
        let checksums = self.superblock.checksums();
        let seed = checksums.inode_seed(node.number(), node.generation());
        let has_filetype = self.superblock.features().has(feature::FILETYPE);
        for number in 0..self.directory_blocks(node, &map)? {
            let mut bytes = self.read_directory_block(node, &map, number)?;
            let place = Place::Directory(node.number(), FileBlock(number));
            let change = |inode| renumbered.get(&inode).copied();
            let is_changed = renumber_block(&mut bytes, (number, place), has_filetype, seed, change)?;
            if (is_changed || (is_new && seed.is_some()))
                && let Some(run) = map.find(number)
            {
                self.put_block(run.start, bytes);
            }
        }
        Ok(())
    }

    /// The same for a directory that lies in its inode, whose checksum covers it.
    fn renumber_inline_directory(
        &mut self,
        mut node: Node,
        renumbered: &BTreeMap<InodeNo, InodeNo>,
    ) -> Result<(), ExtError> {
        let content = node.inline()?;
        let change = |inode| renumbered.get(&inode).copied();
        let place = Place::Inode(node.number());
        let has_filetype = self.superblock.features().has(feature::FILETYPE);
        let mut areas = content.areas().map(<[u8]>::to_vec);
        for area in &mut areas {
            renumber_entries(area, place, has_filetype, change)?;
        }
        let Some(parent) = content.parent() else {
            return Err(ExtError::corrupt(place, "parent of a directory", "an inode", 0));
        };
        let changed = Inline::directory(change(parent).unwrap_or(parent), areas);
        if changed != content {
            node.put_inline(&changed)?;
            self.store_node(node)?;
        }
        Ok(())
    }

    /// Makes attributes name the inodes that hold their values by their new numbers.
    pub(super) fn renumber_attributes(
        &mut self,
        renumbered: &BTreeMap<InodeNo, InodeNo>,
    ) -> Result<(), ExtError> {
        let mut blocks: BTreeSet<FsBlock> = BTreeSet::new();
        let mut changed = Vec::new();
        let change = |inode| renumbered.get(&inode).copied();
        self.each_node(&mut |mut node| {
            blocks.extend(node.file_acl());
            if node.renumber_values(change) {
                changed.push(node);
            }
            Ok(())
        })?;
        for node in changed {
            self.store_node(node)?;
        }
        for block in blocks {
            self.renumber_values(block, change)?;
        }
        Ok(())
    }
}
