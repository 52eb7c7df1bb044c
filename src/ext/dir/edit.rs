//! Editing directories of a file system: names in and out, and all of it to the disk.

use std::collections::BTreeMap;

use super::build::{Plan, Target};
use super::entry::code_of;
use super::hash::NameHash;
use super::index::deepest;
use super::state::{DOT, DOT_DOT, Directory};
use crate::base::{FileKind, GuestPath};
use crate::ext::error::{ExtError, Place};
use crate::ext::feature;
use crate::ext::fs::Fs;
use crate::ext::inode::{FLAG_INDEX, FLAG_INLINE_DATA, Node};
use crate::ext::map::{FileMap, Run, push};
use crate::ext::types::{FileBlock, FsBlock, InodeNo, index, wide};

impl Fs {
    /// The directory `inode`, to edit.
    pub(crate) fn directory_mut(&mut self, inode: InodeNo) -> Result<&mut Directory, ExtError> {
        self.edit_time()?;
        if !self.directories.contains_key(&inode) {
            let directory = self.load_directory(inode)?;
            self.directories.insert(inode, directory);
        }
        let missing = || ExtError::corrupt(Place::Inode(inode), "directory", "loaded", "missing");
        self.directories.get_mut(&inode).ok_or_else(missing)
    }

    fn load_directory(&self, inode: InodeNo) -> Result<Directory, ExtError> {
        let node = self.directory_node(inode)?;
        let features = self.superblock.features();
        if node.has_flag(FLAG_INLINE_DATA) {
            let content = node.inline()?;
            return Directory::read_inline(inode, features.has(feature::FILETYPE), &content);
        }
        let map = self.file_map(&node)?;
        let mut blocks = Vec::new();
        for number in 0..self.directory_blocks(&node, &map)? {
            let bytes = self.read_directory_block(&node, &map, number)?;
            let place = map.find(number).map_or(FsBlock(0), |run| run.start);
            blocks.push((place, bytes));
        }
        let seed = self.superblock.checksums().inode_seed(inode, node.generation());
        let has_index = node.has_flag(FLAG_INDEX) && features.has(feature::DIR_INDEX);
        Directory::read(
            &self.superblock,
            (inode, seed, has_index),
            features.has(feature::FILETYPE),
            blocks,
        )
    }

    /// What `name` stands for in the directory `inode`.
    pub(crate) fn find_target(&mut self, inode: InodeNo, name: &[u8]) -> Result<Option<Target>, ExtError> {
        Ok(self.directory_mut(inode)?.get(name))
    }

    /// Adds an entry to the directory `inode`.
    pub(crate) fn add_entry(
        &mut self,
        inode: InodeNo,
        name: &[u8],
        target: InodeNo,
        kind: FileKind,
    ) -> Result<(), ExtError> {
        self.note_change();
        self.directory_mut(inode)?.insert(name, (target, code_of(kind)))?;
        self.touch_directory(inode)
    }

    /// Takes an entry out of the directory `inode`.
    pub(crate) fn remove_entry(&mut self, inode: InodeNo, name: &[u8]) -> Result<(), ExtError> {
        self.note_change();
        self.directory_mut(inode)?.remove(name)?;
        self.touch_directory(inode)
    }

    /// Sets the times of a directory whose entries changed.
    pub(crate) fn touch_directory(&mut self, inode: InodeNo) -> Result<(), ExtError> {
        let mut node = self.node(inode)?;
        self.touch_content(&mut node)?;
        self.store_node(node)
    }

    /// The first block of a new directory.
    pub(crate) fn first_directory_block(&self, node: &Node, parent: InodeNo) -> Box<[u8]> {
        let plan = Plan {
            block_len: self.block_size().buffer_len(),
            seed: self
                .superblock
                .checksums()
                .inode_seed(node.number(), node.generation()),
            has_filetype: self.superblock.features().has(feature::FILETYPE),
            hash: None,
            deepest: 0,
            directory: node.number(),
            parent,
        };
        plan.lay_out(std::iter::empty())
            .blocks
            .into_iter()
            .next()
            .unwrap_or_default()
    }

    /// Brings all edited directories into blocks.
    pub(crate) fn flush_directories(&mut self) -> Result<(), ExtError> {
        for (inode, mut directory) in std::mem::take(&mut self.directories) {
            if !directory.is_changed() {
                continue;
            }
            if directory.is_inline() {
                if self.store_inline_directory(inode, &directory)? {
                    continue;
                }
                let mut node = self.node(inode)?;
                self.end_inline(&mut node)?;
                directory.set_seed(self.superblock.checksums().inode_seed(inode, node.generation()));
                self.store_node(node)?;
            }
            match directory.sealed_blocks() {
                Some(changed) => changed
                    .into_iter()
                    .for_each(|(block, bytes)| self.put_block(block, bytes)),
                None => self.rebuild_directory(inode, &directory)?,
            }
        }
        Ok(())
    }

    fn rebuild_directory(&mut self, inode: InodeNo, directory: &Directory) -> Result<(), ExtError> {
        let mut node = self.node(inode)?;
        let features = self.superblock.features();
        let version = self.superblock.raw().s_def_hash_version;
        let hash = NameHash::new(&self.superblock, version).filter(|_| features.has(feature::DIR_INDEX));
        let layout = directory
            .plan(self.block_size().buffer_len(), hash, deepest(features))
            .lay_out(directory.names());
        let map = self.file_map(&node)?;
        let count = u32::try_from(layout.blocks.len()).unwrap_or(u32::MAX);
        let map = self.resize_directory(&mut node, map, count)?;
        for (number, bytes) in (0..).zip(layout.blocks) {
            let run = map.find(number).ok_or_else(|| {
                let place = Place::Directory(inode, FileBlock(number));
                ExtError::corrupt(place, "block", "a mapped one", "a hole")
            })?;
            self.put_block(run.start, bytes);
        }
        let len_bytes = wide(index(count)).saturating_mul(self.block_size().bytes().into());
        node.set_size_in_bytes(len_bytes);
        node.set_flag(FLAG_INDEX, layout.has_index);
        self.store_node(node)
    }

    /// Gives a directory exactly `count` blocks.
    fn resize_directory(&mut self, node: &mut Node, map: FileMap, count: u32) -> Result<FileMap, ExtError> {
        let mut runs: Vec<Run> = Vec::new();
        let end = |runs: &[Run]| {
            runs.last()
                .map_or(0, |run| u32::try_from(run.end()).unwrap_or(u32::MAX))
        };
        for run in map.runs() {
            // Behind a directory's length there may be holes and blocks that were never written.
            let is_next = run.file_block == end(&runs) && !run.is_unwritten;
            let head = run.head_before(count).filter(|_| is_next);
            let kept = head.as_ref().map_or(0, |head| head.count);
            if let Some(tail) = run.tail_from(run.file_block.saturating_add(kept)) {
                self.free_blocks(tail.start, tail.count.into())?;
            }
            if let Some(head) = head {
                push(&mut runs, head);
            }
        }
        while end(&runs) < count {
            let file_block = end(&runs);
            let goal = runs
                .last()
                .map_or_else(|| self.inode_goal(node), |run| run.start.plus(run.count.into()));
            let (start, taken) = self.allocate_blocks(goal, count.saturating_sub(file_block))?;
            push(
                &mut runs,
                Run {
                    file_block,
                    count: taken,
                    start,
                    is_unwritten: false,
                },
            );
        }
        if runs == map.runs() {
            Ok(map)
        } else {
            self.store_map(node, map, runs)
        }
    }
}

/// Refuses what cannot be the name of an entry.
pub(crate) fn check_name(name: &[u8]) -> Result<(), ExtError> {
    let is_name = !name.is_empty()
        && name.len() <= GuestPath::NAME_MAX
        && name != DOT
        && name != DOT_DOT
        && !name.iter().any(|byte| matches!(byte, b'/' | 0));
    if is_name {
        Ok(())
    } else {
        Err(ExtError::InvalidName {
            name: String::from_utf8_lossy(name).into_owned(),
        })
    }
}

/// The directories that are being edited.
pub(crate) type Directories = BTreeMap<InodeNo, Directory>;
