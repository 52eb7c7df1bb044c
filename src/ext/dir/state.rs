//! A directory while it is edited: its names in memory, and how they will get to the disk.
//!
//! As long as new names fit into the blocks that there are, only those blocks change. The first name that does not fit
//! makes the whole directory be laid out anew when the file system is committed, however many names follow.

use std::collections::BTreeMap;

use super::block;
use super::build::{Plan, Target};
use super::entry::{entries, needed_len};
use super::hash::NameHash;
use super::index::{HashIndex, NODE_ENTRIES, ROOT_ENTRIES};
use crate::ext::error::{ExtError, Place};
use crate::ext::inline::Inline;
use crate::ext::superblock::Superblock;
use crate::ext::types::{FileBlock, FsBlock, InodeNo, index};

/// A directory's entry for itself and for its parent.
pub(crate) const DOT: &[u8] = b".";
pub(crate) const DOT_DOT: &[u8] = b"..";

/// An edited directory.
#[derive(Debug)]
pub(crate) struct Directory {
    inode: InodeNo,
    parent: InodeNo,
    /// The names but `.` and `..`.
    names: BTreeMap<Vec<u8>, Slot>,
    form: Form,
    has_filetype: bool,
    seed: Option<u32>,
    /// Whether anything differs from what is on the disk.
    is_changed: bool,
}

/// What a name stands for, and in which block it lies.
#[derive(Debug, Clone, Copy)]
struct Slot {
    target: Target,
    block: u32,
}

/// How the names will get to the disk.
#[derive(Debug)]
enum Form {
    /// In the blocks that there are.
    InPlace {
        blocks: Vec<DirectoryBlock>,
        index: Option<HashIndex>,
    },
    /// In the inode, if they still fit.
    Inline,
    /// All blocks are laid out anew.
    Rebuild,
}

#[derive(Debug)]
struct DirectoryBlock {
    bytes: Box<[u8]>,
    place: FsBlock,
    /// The longest entry that fits; 0 for a block of the hash tree.
    room: usize,
    is_dirty: bool,
}

impl Directory {
    /// Reads the directory `inode` from its blocks.
    pub(crate) fn read(
        superblock: &Superblock,
        (inode, seed, has_index): (InodeNo, Option<u32>, bool),
        has_filetype: bool,
        found: Vec<(FsBlock, Box<[u8]>)>,
    ) -> Result<Self, ExtError> {
        let (places, bytes): (Vec<FsBlock>, Vec<Box<[u8]>>) = found.into_iter().unzip();
        let index = if has_index {
            HashIndex::read(superblock, &bytes)
        } else {
            None
        };
        let mut directory = Self {
            inode,
            parent: inode,
            names: BTreeMap::new(),
            form: Form::Rebuild,
            has_filetype,
            seed,
            is_changed: false,
        };
        let mut blocks = Vec::with_capacity(bytes.len());
        for ((number, place), bytes) in (0..).zip(places).zip(bytes) {
            let is_node = index.as_ref().is_some_and(|index| index.is_node(number));
            let room = directory.read_block(number, &bytes, is_node, has_index && index.is_none())?;
            blocks.push(DirectoryBlock {
                bytes,
                place,
                room,
                is_dirty: false,
            });
        }
        if !has_index || index.is_some() {
            directory.form = Form::InPlace { blocks, index };
        }
        Ok(directory)
    }

    /// Reads a directory that lies in its inode.
    pub(crate) fn read_inline(
        inode: InodeNo,
        has_filetype: bool,
        content: &Inline,
    ) -> Result<Self, ExtError> {
        let place = Place::Inode(inode);
        let parent = content
            .parent()
            .ok_or_else(|| ExtError::corrupt(place, "parent directory", "an inode", 0))?;
        let mut directory = Self {
            inode,
            parent,
            names: BTreeMap::new(),
            form: Form::Inline,
            has_filetype,
            seed: None,
            is_changed: false,
        };
        for area in content.areas() {
            directory.read_names(0, area, place)?;
        }
        Ok(directory)
    }

    /// Whether it lies in its inode, as far as it fits.
    pub(crate) fn is_inline(&self) -> bool {
        matches!(self.form, Form::Inline)
    }

    /// Sets what the blocks' checksums begin with, before the directory moves out to blocks.
    pub(crate) fn set_seed(&mut self, seed: Option<u32>) {
        self.seed = seed;
    }

    /// Whether anything differs from what is on the disk.
    pub(crate) fn is_changed(&self) -> bool {
        self.is_changed
    }

    /// The parent directory.
    pub(crate) fn parent(&self) -> InodeNo {
        self.parent
    }

    /// Whether there is no name but `.` and `..`.
    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// What `name` stands for.
    pub(crate) fn get(&self, name: &[u8]) -> Option<Target> {
        self.names.get(name).map(|slot| slot.target)
    }

    /// The names and what they stand for.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&[u8], Target)> + Clone {
        self.names
            .iter()
            .map(|(name, slot)| (name.as_slice(), slot.target))
    }

    /// Adds a name that is not there yet.
    pub(crate) fn insert(&mut self, name: &[u8], target: Target) -> Result<(), ExtError> {
        self.is_changed = true;
        let block = self.insert_in_place(name, target)?;
        if block.is_none() && !self.is_inline() {
            self.form = Form::Rebuild;
        }
        let slot = Slot {
            target,
            block: block.unwrap_or(0),
        };
        self.names.insert(name.to_vec(), slot);
        Ok(())
    }

    /// Takes a name out.
    pub(crate) fn remove(&mut self, name: &[u8]) -> Result<(), ExtError> {
        let Some(slot) = self.names.remove(name) else {
            return Ok(());
        };
        self.is_changed = true;
        let (has_filetype, leaf_len) = (self.has_filetype, self.leaf_len());
        if let Some((place, found)) = self.block_mut(slot.block) {
            let bytes = found
                .bytes
                .get_mut(..leaf_len(found.bytes.len()))
                .unwrap_or_default();
            block::remove(bytes, has_filetype, place, name)?;
            found.room = longest_room(bytes, has_filetype, place)?;
            found.is_dirty = true;
        }
        Ok(())
    }

    /// Makes `..` stand for another directory.
    pub(crate) fn set_parent(&mut self, parent: InodeNo) {
        self.parent = parent;
        self.is_changed = true;
        if let Some((_, found)) = self.block_mut(0) {
            block::set_parent(&mut found.bytes, parent);
            found.is_dirty = true;
        }
    }

    /// The changed blocks with their checksums, if the directory keeps its blocks; `None` if it must be laid out anew.
    pub(crate) fn sealed_blocks(&mut self) -> Option<Vec<(FsBlock, Box<[u8]>)>> {
        let seed = self.seed;
        let Form::InPlace { blocks, index } = &mut self.form else {
            return None;
        };
        let mut changed = Vec::new();
        for (number, found) in (0_u32..).zip(blocks).filter(|(_, block)| block.is_dirty) {
            match index.as_ref().filter(|index| index.is_node(number)) {
                Some(_) if number == 0 => block::seal_index(&mut found.bytes, ROOT_ENTRIES, seed),
                Some(_) => block::seal_index(&mut found.bytes, NODE_ENTRIES, seed),
                None => block::seal_leaf(&mut found.bytes, seed),
            }
            found.is_dirty = false;
            changed.push((found.place, found.bytes.clone()));
        }
        Some(changed)
    }

    /// Reads the names of one block; answers the longest entry that fits into it.
    fn read_block(
        &mut self,
        number: u32,
        bytes: &[u8],
        is_node: bool,
        is_lenient: bool,
    ) -> Result<usize, ExtError> {
        let place = Place::Directory(self.inode, FileBlock(number));
        // A node of the tree, or a block that may be one, has no tail where a leaf has it.
        let leaf_len = if is_node || is_lenient {
            bytes.len()
        } else {
            (self.leaf_len())(bytes.len())
        };
        if leaf_len < bytes.len() {
            self.verify_leaf(bytes, place)?;
        }
        let bytes = bytes.get(..leaf_len).unwrap_or_default();
        self.read_names(number, bytes, place)?;
        if is_node {
            Ok(0)
        } else {
            longest_room(bytes, self.has_filetype, place)
        }
    }

    /// Reads the names among the entries in `bytes`.
    fn read_names(&mut self, number: u32, bytes: &[u8], place: Place) -> Result<(), ExtError> {
        for entry in entries(bytes, self.has_filetype, place) {
            let entry = entry?;
            match (entry.name, entry.inode) {
                (_, None) | (DOT, _) => {}
                (DOT_DOT, Some(parent)) => self.parent = parent,
                (name, Some(inode)) => {
                    let target = (inode, entry.code);
                    let slot = Slot {
                        target,
                        block: number,
                    };
                    if self.names.insert(name.to_vec(), slot).is_some() {
                        let found = String::from_utf8_lossy(name);
                        return Err(ExtError::corrupt(place, "directory entry", "a name once", found));
                    }
                }
            }
        }
        Ok(())
    }

    fn verify_leaf(&self, bytes: &[u8], place: Place) -> Result<(), ExtError> {
        let Some(seed) = self.seed else {
            return Ok(());
        };
        let expected = block::leaf_checksum(bytes, seed);
        match block::stored_leaf_checksum(bytes) {
            Some(found) if found == expected => Ok(()),
            Some(found) => Err(ExtError::checksum(place, expected, found)),
            None => Err(ExtError::corrupt(place, "directory block", "a checksum", "none")),
        }
    }

    /// Puts the name into a block that has room; answers which one.
    fn insert_in_place(&mut self, name: &[u8], target: Target) -> Result<Option<u32>, ExtError> {
        let needed = needed_len(name.len());
        let Form::InPlace { blocks, index } = &self.form else {
            return Ok(None);
        };
        let number = match index {
            Some(index) => index
                .leaf_for(name)
                .filter(|number| has_room(blocks, *number, needed)),
            None => (0..)
                .zip(blocks)
                .find(|(_, block)| block.room >= needed)
                .map(|(number, _)| number),
        };
        let Some(number) = number else {
            return Ok(None);
        };
        let (has_filetype, leaf_len) = (self.has_filetype, self.leaf_len());
        let Some((place, found)) = self.block_mut(number) else {
            return Ok(None);
        };
        let bytes = found
            .bytes
            .get_mut(..leaf_len(found.bytes.len()))
            .unwrap_or_default();
        let is_in = block::insert(bytes, has_filetype, place, name, target)?;
        found.room = longest_room(bytes, has_filetype, place)?;
        found.is_dirty |= is_in;
        Ok(is_in.then_some(number))
    }

    fn block_mut(&mut self, number: u32) -> Option<(Place, &mut DirectoryBlock)> {
        let place = Place::Directory(self.inode, FileBlock(number));
        match &mut self.form {
            Form::InPlace { blocks, .. } => blocks.get_mut(index(number)).map(|block| (place, block)),
            Form::Inline | Form::Rebuild => None,
        }
    }

    /// How far the entries of a leaf of some length may reach.
    fn leaf_len(&self) -> fn(usize) -> usize {
        if self.seed.is_some() {
            |len| len.saturating_sub(block::TAIL_LEN)
        } else {
            |len| len
        }
    }

    /// What a new layout depends on.
    pub(crate) fn plan(&self, block_len: usize, hash: Option<NameHash>, deepest: u8) -> Plan {
        Plan {
            block_len,
            seed: self.seed,
            has_filetype: self.has_filetype,
            hash,
            deepest,
            directory: self.inode,
            parent: self.parent,
        }
    }
}

fn has_room(blocks: &[DirectoryBlock], number: u32, needed: usize) -> bool {
    blocks
        .get(index(number))
        .is_some_and(|block| block.room >= needed)
}

/// The longest entry that fits among `bytes`.
fn longest_room(bytes: &[u8], has_filetype: bool, place: Place) -> Result<usize, ExtError> {
    let mut longest = 0;
    for entry in entries(bytes, has_filetype, place) {
        longest = longest.max(block::room(&entry?));
    }
    Ok(longest)
}
