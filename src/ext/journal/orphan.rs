//! Orphans: inodes that lost their last name while they were in use, or that were about to be cut to a new length
//! (<https://docs.kernel.org/filesystems/ext4/orphan.html>). The kernel notes them in a list through the inodes, or
//! in a file of inode numbers; whoever comes after a crash finishes what was begun.
//!
//! ```text
//!   s_last_orphan --> inode --i_dtime--> inode --i_dtime--> 0          the list
//!   s_orphan_file_inum --> | number | 0 | number | .. | magic | checksum |   each block of the file
//! ```

use std::collections::BTreeSet;

use crate::ext::checksum::crc32c_raw;
use crate::ext::error::{ExtError, Place};
use crate::ext::feature;
use crate::ext::fs::Fs;
use crate::ext::inode::Node;
use crate::ext::superblock::STATE_ORPHANS;
use crate::ext::types::{FsBlock, InodeNo};

const BLOCK_MAGIC: u32 = 0x0B10_CA04;
/// The magic number and the checksum at the end of each block of the orphan file.
const TAIL_LEN: usize = 8;
/// The bytes of an inode number.
const ENTRY_LEN: usize = 4;

impl Fs {
    /// Frees all orphans that have no name, cuts the others to their length, and forgets them. Says how many there
    /// were. The changes are not committed.
    pub(super) fn release_orphans(&mut self) -> Result<u64, ExtError> {
        let mut released = 0_u64;
        for inode in self.orphan_list()? {
            self.release_orphan(inode)?;
            released = released.saturating_add(1);
        }
        if self.superblock.features().has(feature::ORPHAN_PRESENT) {
            for inode in self.take_orphan_file()? {
                self.release_orphan(inode)?;
                released = released.saturating_add(1);
            }
        }
        self.superblock.edit(|raw| {
            raw.s_last_orphan.set(0);
            raw.s_state.set(raw.s_state.get() & !STATE_ORPHANS);
            let ro_compat = feature::ORPHAN_PRESENT.cleared(raw.s_feature_ro_compat.get());
            raw.s_feature_ro_compat.set(ro_compat);
        })?;
        Ok(released)
    }

    /// The inodes of the list, which must end.
    fn orphan_list(&self) -> Result<BTreeSet<InodeNo>, ExtError> {
        let mut found = BTreeSet::new();
        let mut next = InodeNo::new(self.superblock.raw().s_last_orphan.get());
        while let Some(inode) = next {
            self.check_orphan(inode)?;
            if !found.insert(inode) {
                let what = "next orphan";
                return Err(ExtError::corrupt(
                    Place::Inode(inode),
                    what,
                    "the list's end",
                    "a loop",
                ));
            }
            next = InodeNo::new(self.node(inode)?.raw().i_dtime.get());
        }
        Ok(found)
    }

    /// The inodes of the orphan file, whose entries are cleared.
    fn take_orphan_file(&mut self) -> Result<BTreeSet<InodeNo>, ExtError> {
        let number = self.superblock.raw().s_orphan_file_inum.get();
        let inode = InodeNo::new(number)
            .ok_or_else(|| ExtError::corrupt(Place::Superblock, "orphan file", "an inode", number))?;
        let node = self.node(inode)?;
        let map = self.file_map(&node)?;
        let blocks = map
            .runs()
            .iter()
            .flat_map(|run| (0..u64::from(run.count)).map(|number| run.start.plus(number)));
        let mut found = BTreeSet::new();
        for block in blocks {
            let entries = self.orphan_entries(&node, block)?;
            if !entries.is_empty() {
                found.extend(entries);
                self.clear_orphan_block(&node, block)?;
            }
        }
        for inode in &found {
            self.check_orphan(*inode)?;
        }
        Ok(found)
    }

    /// Computes the checksums of the orphan file anew, which depend on its inode's number and its blocks' places.
    pub(crate) fn seal_orphan_file(&mut self, inode: InodeNo) -> Result<(), ExtError> {
        let node = self.node(inode)?;
        let map = self.file_map(&node)?;
        let runs = map.runs().iter();
        let blocks = runs.flat_map(|run| (0..u64::from(run.count)).map(|number| run.start.plus(number)));
        for block in blocks {
            let mut bytes = self.read_block(block)?;
            if let Some(checksum) = self.orphan_checksum(&node, block, split_tail(&bytes).0)
                && let Some(slot) = bytes.last_chunk_mut::<4>()
            {
                *slot = checksum.to_le_bytes();
                self.put_block(block, bytes);
            }
        }
        Ok(())
    }

    /// The inodes that a block of the orphan file names.
    fn orphan_entries(&self, node: &Node, block: FsBlock) -> Result<Vec<InodeNo>, ExtError> {
        let bytes = self.read_block(block)?;
        let place = Place::Block(node.number(), block);
        let (entries, tail) = split_tail(&bytes);
        let (magic, checksum) = tail.split_at_checked(ENTRY_LEN).unwrap_or_default();
        if word(magic) != BLOCK_MAGIC {
            let found = format!("{:#x}", word(magic));
            return Err(ExtError::corrupt(
                place,
                "magic number",
                format_args!("{BLOCK_MAGIC:#x}"),
                found,
            ));
        }
        if let Some(expected) = self.orphan_checksum(node, block, entries)
            && expected != word(checksum)
        {
            return Err(ExtError::checksum(place, expected, word(checksum)));
        }
        Ok(entries
            .chunks_exact(ENTRY_LEN)
            .filter_map(|entry| InodeNo::new(word(entry)))
            .collect())
    }

    fn clear_orphan_block(&mut self, node: &Node, block: FsBlock) -> Result<(), ExtError> {
        let mut bytes = self.read_block(block)?;
        let len = bytes.len().saturating_sub(TAIL_LEN);
        bytes.get_mut(..len).unwrap_or_default().fill(0);
        if let Some(checksum) = self.orphan_checksum(node, block, split_tail(&bytes).0)
            && let Some(slot) = bytes.last_chunk_mut::<4>()
        {
            *slot = checksum.to_le_bytes();
        }
        self.put_block(block, bytes);
        Ok(())
    }

    fn orphan_checksum(&self, node: &Node, block: FsBlock, entries: &[u8]) -> Option<u32> {
        let seed = self
            .superblock
            .checksums()
            .inode_seed(node.number(), node.generation())?;
        Some(crc32c_raw(crc32c_raw(seed, &block.0.to_le_bytes()), entries))
    }

    /// Refuses an inode that the kernel would not let go.
    fn check_orphan(&self, inode: InodeNo) -> Result<(), ExtError> {
        let geometry = self.superblock.geometry();
        if inode.get() < geometry.first_inode || inode.get() > geometry.inodes_count {
            let expected = format!("{} to {}", geometry.first_inode, geometry.inodes_count);
            return Err(ExtError::corrupt(
                Place::Superblock,
                "orphan's inode number",
                expected,
                inode,
            ));
        }
        Ok(())
    }

    fn release_orphan(&mut self, inode: InodeNo) -> Result<(), ExtError> {
        let mut node = self.node(inode)?;
        if node.links_count() == 0 {
            return self.delete_node(node);
        }
        if self.has_content_blocks(&node) {
            let len_bytes = node.size_in_bytes();
            self.cut_content(&mut node, len_bytes)?;
            let map = self.file_map(&node)?;
            self.zero_tail(&map, len_bytes)?;
        }
        node.raw_mut().i_dtime.set(0);
        self.store_node(node)
    }
}

fn split_tail(bytes: &[u8]) -> (&[u8], &[u8]) {
    bytes
        .split_at_checked(bytes.len().saturating_sub(TAIL_LEN))
        .unwrap_or_default()
}

/// The little-endian number in the first four of `bytes`.
fn word(bytes: &[u8]) -> u32 {
    bytes
        .first_chunk::<4>()
        .map_or(0, |bytes| u32::from_le_bytes(*bytes))
}
