//! Directories: reading entries, finding names
//! (<https://docs.kernel.org/filesystems/ext4/directory.html>).
//!
//! A directory with a hash tree reads as a plain one too, since the tree's own blocks look like unused entries; so
//! reading goes through the blocks in order, whatever the directory's form.

mod block;
mod build;
mod edit;
mod entry;
mod find;
mod hash;
mod index;
mod inline;
mod renumber;
mod state;

use super::error::{ExtError, Place};
use super::feature;
use super::fs::Fs;
use super::inode::{FLAG_INLINE_DATA, Node};
use super::map::FileMap;
use super::types::{FileBlock, InodeNo};
use crate::base::FileKind;

pub(crate) use edit::{Directories, check_name};
pub(crate) use entry::{EntryView, code_of, entries};
pub(crate) use hash::NameHash;
pub(crate) use inline::put_empty_directory;
pub(crate) use renumber::{renumber_block, renumber_entries};

/// A name in a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirEntry {
    /// The name's bytes.
    pub name: Vec<u8>,
    /// The inode that it names.
    pub inode: InodeNo,
    /// What that is.
    pub kind: FileKind,
}

impl Fs {
    /// The entries of the directory `inode` in the order in which they lie, without `.` and `..`.
    ///
    /// # Errors
    /// [`ExtError::WrongKind`] if it is not a directory; [`ExtError::Corrupt`].
    pub fn read_dir(&self, inode: InodeNo) -> Result<Vec<DirEntry>, ExtError> {
        let mut found = Vec::new();
        self.walk_entries(inode, |name, entry, code| {
            if name != b"." && name != b".." {
                found.push((name.to_vec(), entry, code));
            }
            true
        })?;
        let mut listed = Vec::with_capacity(found.len());
        for (name, inode, code) in found {
            let kind = match entry::kind_of(code) {
                Some(kind) => kind,
                None => self.inode(inode)?.kind,
            };
            listed.push(DirEntry { name, inode, kind });
        }
        Ok(listed)
    }

    /// Shows `visit` each used entry with its inode and type code, until it answers `false`.
    fn walk_entries(
        &self,
        inode: InodeNo,
        mut visit: impl FnMut(&[u8], InodeNo, u8) -> bool,
    ) -> Result<(), ExtError> {
        if let Some(directory) = self.directories.get(&inode) {
            directory
                .names()
                .any(|(name, (target, code))| !visit(name, target, code));
            return Ok(());
        }
        let node = self.directory_node(inode)?;
        let has_filetype = self.superblock.features().has(feature::FILETYPE);
        if node.has_flag(FLAG_INLINE_DATA) {
            for area in node.inline()?.areas() {
                show_entries(area, has_filetype, Place::Inode(inode), &mut visit)?;
            }
            return Ok(());
        }
        let map = self.file_map(&node)?;
        for number in 0..self.directory_blocks(&node, &map)? {
            let bytes = self.read_directory_block(&node, &map, number)?;
            let place = Place::Directory(inode, FileBlock(number));
            if !show_entries(&bytes, has_filetype, place, &mut visit)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The inode's bytes, if it is a directory.
    pub(crate) fn directory_node(&self, inode: InodeNo) -> Result<Node, ExtError> {
        let node = self.used_node(inode)?;
        if !node.is_directory() {
            return Err(ExtError::WrongKind {
                inode,
                expected: "a directory",
            });
        }
        Ok(node)
    }

    /// How many blocks a directory has; all of them must be mapped.
    pub(crate) fn directory_blocks(&self, node: &Node, map: &FileMap) -> Result<u32, ExtError> {
        let len_bytes = node.size_in_bytes();
        let count = self.block_size().blocks_for(len_bytes);
        let is_whole = count.saturating_mul(self.block_size().bytes().into()) == len_bytes;
        match u32::try_from(count) {
            Ok(blocks) if is_whole && blocks > 0 && count <= map.content_blocks() => Ok(blocks),
            _ => {
                let expected = format_args!("whole blocks, at most {}", map.content_blocks()).to_string();
                Err(ExtError::corrupt(
                    Place::Inode(node.number()),
                    "length of a directory",
                    expected,
                    len_bytes,
                ))
            }
        }
    }

    /// Block `number` of a directory.
    pub(crate) fn read_directory_block(
        &self,
        node: &Node,
        map: &FileMap,
        number: u32,
    ) -> Result<Box<[u8]>, ExtError> {
        match map.find(number) {
            Some(run) if !run.is_unwritten => self.read_block(run.start),
            _ => {
                let place = Place::Directory(node.number(), FileBlock(number));
                Err(ExtError::corrupt(
                    place,
                    "block of a directory",
                    "a written block",
                    "a hole",
                ))
            }
        }
    }
}

/// Shows `visit` each used entry of `bytes`; answers whether it wants more.
fn show_entries(
    bytes: &[u8],
    has_filetype: bool,
    place: Place,
    visit: &mut impl FnMut(&[u8], InodeNo, u8) -> bool,
) -> Result<bool, ExtError> {
    for entry in entries(bytes, has_filetype, place) {
        let entry = entry?;
        if let Some(target) = entry.inode
            && !visit(entry.name, target, entry.code)
        {
            return Ok(false);
        }
    }
    Ok(true)
}
