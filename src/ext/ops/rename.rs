//! Giving a file or directory another name, in another directory too.

use crate::base::FileKind;
use crate::ext::dir::check_name;
use crate::ext::error::{ExtError, Place};
use crate::ext::fs::Fs;
use crate::ext::inode::TimeField;
use crate::ext::types::InodeNo;

impl Fs {
    /// Gives what is `from` (a directory and a name in it) the name `to`. A file there is replaced by a file, an empty
    /// directory by a directory; if both names are the same file, nothing happens.
    ///
    /// # Errors
    /// [`ExtError::NotFound`]; [`ExtError::NotEmpty`], [`ExtError::WrongKind`] where the new name cannot be replaced;
    /// [`ExtError::IntoItself`] for a directory that would become its own parent.
    pub fn rename(&mut self, from: (InodeNo, &[u8]), to: (InodeNo, &[u8])) -> Result<(), ExtError> {
        self.edit(|fs| {
            let (from_directory, from_name) = from;
            let (to_directory, to_name) = to;
            check_name(to_name)?;
            fs.check_names(to_directory)?;
            let inode = fs.target(from_directory, from_name)?;
            let kind = fs.inode(inode)?.kind;
            let is_directory = kind == FileKind::Directory;
            let replaced = fs.find_target(to_directory, to_name)?.map(|(inode, _)| inode);
            if replaced == Some(inode) {
                return Ok(());
            }
            if is_directory {
                fs.check_not_below(inode, to_directory)?;
            }
            if is_directory && from_directory != to_directory {
                // The entry for its parent is one of its names.
                fs.check_names(inode)?;
            }
            if let Some(replaced) = replaced {
                fs.make_way(to_directory, to_name, replaced, is_directory)?;
            }
            let moves_up = is_directory && from_directory != to_directory;
            if moves_up {
                fs.add_parent_link(to_directory)?;
            }
            fs.remove_entry(from_directory, from_name)?;
            fs.add_entry(to_directory, to_name, inode, kind)?;
            if moves_up {
                fs.directory_mut(inode)?.set_parent(to_directory);
                fs.drop_parent_link(from_directory)?;
            }
            let mut node = fs.node(inode)?;
            node.set_time(TimeField::Change, fs.edit_time()?);
            fs.store_node(node)
        })
    }

    /// Removes what stands at the new name.
    fn make_way(
        &mut self,
        directory: InodeNo,
        name: &[u8],
        replaced: InodeNo,
        by_directory: bool,
    ) -> Result<(), ExtError> {
        match (self.inode(replaced)?.kind == FileKind::Directory, by_directory) {
            (true, true) => self.rmdir(directory, name),
            (false, false) => self.unlink(directory, name),
            (true, false) => Err(ExtError::WrongKind {
                inode: replaced,
                expected: "a file",
            }),
            (false, true) => Err(ExtError::WrongKind {
                inode: replaced,
                expected: "a directory",
            }),
        }
    }

    /// Refuses a `place` that is the directory `moved` or lies below it.
    fn check_not_below(&mut self, moved: InodeNo, place: InodeNo) -> Result<(), ExtError> {
        let mut place = place;
        for _ in 0..self.superblock.geometry().inodes_count {
            if place == moved {
                return Err(ExtError::IntoItself { inode: moved });
            }
            if place == InodeNo::ROOT {
                return Ok(());
            }
            place = self.directory_mut(place)?.parent();
        }
        Err(ExtError::corrupt(
            Place::Inode(place),
            "parents of a directory",
            "the root at last",
            "a loop",
        ))
    }
}
