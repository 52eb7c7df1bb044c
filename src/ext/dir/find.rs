//! Finding one name: by the hash tree where there is one, else by looking at all entries.

use super::hash::NameHash;
use super::index::{self, Root};
use super::{Fs, InodeNo, entries};
use crate::ext::error::{ExtError, Place};
use crate::ext::feature;
use crate::ext::inode::{FLAG_CASEFOLD, FLAG_INDEX, Node};
use crate::ext::map::FileMap;
use crate::ext::types::FileBlock;

/// What a hash tree knows of a name.
enum Found {
    /// The one leaf that can have the name was looked at.
    Answer(Option<InodeNo>),
    /// The tree makes no sense, or names with the same hash lie in several leaves.
    Unsure,
}

impl Fs {
    /// The inode that `name` names in the directory `inode`.
    ///
    /// # Errors
    /// As [`Fs::read_dir`].
    pub fn find_entry(&self, inode: InodeNo, name: &[u8]) -> Result<Option<InodeNo>, ExtError> {
        if let Some(directory) = self.directories.get(&inode) {
            return Ok(directory.get(name).map(|(target, _)| target));
        }
        let node = self.directory_node(inode)?;
        let has_index = self.superblock.features().has(feature::DIR_INDEX) && node.has_flag(FLAG_INDEX);
        if has_index && !node.has_flag(FLAG_CASEFOLD) && name != b"." && name != b".." {
            let map = self.file_map(&node)?;
            if let Found::Answer(found) = self.find_by_hash(&node, &map, name)? {
                return Ok(found);
            }
        }
        let mut found = None;
        self.walk_entries(inode, |candidate, entry, _| {
            if candidate == name {
                found = Some(entry);
            }
            found.is_none()
        })?;
        Ok(found)
    }

    /// Follows the hash of `name` down the tree.
    fn find_by_hash(&self, node: &Node, map: &FileMap, name: &[u8]) -> Result<Found, ExtError> {
        let blocks = self.directory_blocks(node, map)?;
        let bytes = self.read_directory_block(node, map, 0)?;
        let Some(root) = Root::read(&self.superblock, &bytes) else {
            return Ok(Found::Unsure);
        };
        let Some(hash) = NameHash::new(&self.superblock, root.hash_version) else {
            return Ok(Found::Unsure);
        };
        let (hash, _) = hash.of(name);
        let mut border = None;
        let mut entries = Some(root.entries);
        for level in 0..=root.indirect_levels {
            let Some((block, next)) = entries
                .as_deref()
                .and_then(|entries| index::choose(entries, hash))
            else {
                return Ok(Found::Unsure);
            };
            border = next.or(border);
            if block >= blocks {
                return Ok(Found::Unsure);
            }
            let bytes = self.read_directory_block(node, map, block)?;
            if level < root.indirect_levels {
                entries = index::node_entries(&bytes, index::NODE_ENTRIES);
                continue;
            }
            let found = self.find_in_leaf(node, block, &bytes, name)?;
            // A border with the lowest bit set has names of its hash on both sides.
            let is_continued = border.is_some_and(|border| border == hash | 1);
            if found.is_some() || !is_continued {
                return Ok(Found::Answer(found));
            }
        }
        Ok(Found::Unsure)
    }

    fn find_in_leaf(
        &self,
        node: &Node,
        block: u32,
        bytes: &[u8],
        name: &[u8],
    ) -> Result<Option<InodeNo>, ExtError> {
        let has_filetype = self.superblock.features().has(feature::FILETYPE);
        let place = Place::Directory(node.number(), FileBlock(block));
        for entry in entries(bytes, has_filetype, place) {
            let entry = entry?;
            if entry.inode.is_some() && entry.name == name {
                return Ok(entry.inode);
            }
        }
        Ok(None)
    }
}
