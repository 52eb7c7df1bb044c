//! Removing names, and inodes that have lost their last one.

use super::not_found;
use crate::base::FileKind;
use crate::ext::dir::check_name;
use crate::ext::error::ExtError;
use crate::ext::fs::Fs;
use crate::ext::inode::{FLAG_INLINE_DATA, Node, TimeField};
use crate::ext::types::InodeNo;

impl Fs {
    /// Removes the name of a file, and with its last name the file.
    ///
    /// # Errors
    /// [`ExtError::NotFound`]; [`ExtError::WrongKind`] for a directory.
    pub fn unlink(&mut self, directory: InodeNo, name: &[u8]) -> Result<(), ExtError> {
        self.edit(|fs| {
            let inode = fs.target(directory, name)?;
            let mut node = fs.used_node(inode)?;
            if node.is_directory() {
                return Err(ExtError::WrongKind {
                    inode,
                    expected: "a file",
                });
            }
            fs.remove_entry(directory, name)?;
            let links = node.links_count().saturating_sub(1);
            if links == 0 {
                return fs.delete_node(node);
            }
            node.raw_mut().i_links_count.set(links);
            node.set_time(TimeField::Change, fs.edit_time()?);
            fs.store_node(node)
        })
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// [`ExtError::NotFound`]; [`ExtError::NotEmpty`]; [`ExtError::WrongKind`] for anything but a directory.
    pub fn rmdir(&mut self, directory: InodeNo, name: &[u8]) -> Result<(), ExtError> {
        self.edit(|fs| {
            let inode = fs.target(directory, name)?;
            let node = fs.directory_node(inode)?;
            if !fs.directory_mut(inode)?.is_empty() {
                return Err(ExtError::NotEmpty { inode });
            }
            fs.remove_entry(directory, name)?;
            fs.drop_parent_link(directory)?;
            fs.delete_node(node)
        })
    }

    /// Removes a file, or a directory with everything below it.
    ///
    /// # Errors
    /// [`ExtError::NotFound`]; [`ExtError::Corrupt`].
    pub fn remove_tree(&mut self, directory: InodeNo, name: &[u8]) -> Result<(), ExtError> {
        self.edit(|fs| {
            let mut pending = vec![(directory, name.to_vec())];
            let mut steps = 0_u64;
            while let Some((parent, name)) = pending.pop() {
                // A damaged directory may hold itself: a sound tree has no more steps than two for each inode's names.
                steps = steps.saturating_add(1);
                if steps > u64::from(fs.superblock.geometry().inodes_count).saturating_mul(4) {
                    let place = crate::ext::error::Place::Inode(parent);
                    return Err(ExtError::corrupt(place, "directory tree", "an end", "a loop"));
                }
                let inode = fs.target(parent, &name)?;
                if fs.inode(inode)?.kind != FileKind::Directory {
                    fs.unlink(parent, &name)?;
                    continue;
                }
                let below: Vec<_> = fs
                    .directory_mut(inode)?
                    .names()
                    .map(|(name, _)| name.to_vec())
                    .collect();
                if below.is_empty() {
                    fs.rmdir(parent, &name)?;
                } else {
                    pending.push((parent, name));
                    pending.extend(below.into_iter().map(|name| (inode, name)));
                }
            }
            Ok(())
        })
    }

    /// The inode that `name` stands for.
    pub(super) fn target(&mut self, directory: InodeNo, name: &[u8]) -> Result<InodeNo, ExtError> {
        check_name(name)?;
        self.check_names(directory)?;
        let target = self.find_target(directory, name)?;
        target
            .map(|(inode, _)| inode)
            .ok_or_else(|| not_found(directory, name))
    }

    /// Whether the content of `node` lies in blocks, rather than in the inode or nowhere.
    pub(crate) fn has_content_blocks(&self, node: &Node) -> bool {
        match node.kind() {
            _ if node.has_flag(FLAG_INLINE_DATA) => false,
            Some(FileKind::Symlink) => !self.is_fast_link(node),
            Some(FileKind::Regular | FileKind::Directory) => true,
            _ => false,
        }
    }

    /// Gives back everything that an inode without names holds, and the inode.
    pub(crate) fn delete_node(&mut self, mut node: Node) -> Result<(), ExtError> {
        let is_directory = node.is_directory();
        self.directories.remove(&node.number());
        if self.has_content_blocks(&node) {
            self.cut_content(&mut node, 0)?;
        }
        self.drop_xattrs(&mut node)?;
        self.free_inode(node.number(), is_directory)
    }
}
