//! The edits: nodes made and removed, links, renames, attributes. Each is what the system call of its name does, less
//! permissions: there is no user to ask for.

mod attributes;
mod create;
mod remove;
mod rename;

use super::error::ExtError;
use super::feature;
use super::fs::Fs;
use super::inode::Node;
use super::obstacle::Touch;
use super::types::InodeNo;

/// The mode and owner of a new node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NewNode {
    /// The twelve permission bits.
    pub mode: u16,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

/// The kinds of node that [`Fs::mknod`] makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpecialFile {
    /// A character device with its major and minor number.
    CharDevice(u32, u32),
    /// A block device with its major and minor number.
    BlockDevice(u32, u32),
    /// A named pipe.
    Fifo,
    /// A Unix socket.
    Socket,
}

/// The most links where directories may have more than can be counted.
const MOST_LINKS: u16 = 65_000;
/// The most links elsewhere.
const MOST_LINKS_OLD: u16 = 32_000;

impl Fs {
    /// Counts one more link to `node`. A directory with more subdirectories than can be counted has a count of 1.
    fn add_link(&self, node: &mut Node) -> Result<(), ExtError> {
        let has_dir_nlink = self.superblock.features().has(feature::DIR_NLINK);
        let most = if has_dir_nlink { MOST_LINKS } else { MOST_LINKS_OLD };
        let count = node.links_count();
        let is_uncounted = node.is_directory() && has_dir_nlink;
        let count = match count {
            1 if is_uncounted => 1,
            count if count < most => count.saturating_add(1),
            _ if is_uncounted => 1,
            _ => {
                return Err(ExtError::TooManyLinks { inode: node.number() });
            }
        };
        node.raw_mut().i_links_count.set(count);
        Ok(())
    }

    /// Refuses a directory whose names the engine cannot change.
    fn check_names(&self, directory: InodeNo) -> Result<(), ExtError> {
        self.check_touch(&self.directory_node(directory)?, Touch::ChangeNames)
    }

    /// Counts one link less to the directory `inode`, which lost a subdirectory.
    fn drop_parent_link(&mut self, inode: InodeNo) -> Result<(), ExtError> {
        let mut node = self.node(inode)?;
        let count = node.links_count();
        if count > 2 {
            node.raw_mut().i_links_count.set(count.saturating_sub(1));
        }
        self.store_node(node)
    }

    /// Counts one link more to the directory `inode`, which got a subdirectory.
    fn add_parent_link(&mut self, inode: InodeNo) -> Result<(), ExtError> {
        let mut node = self.node(inode)?;
        self.add_link(&mut node)?;
        self.store_node(node)
    }
}

fn not_found(directory: InodeNo, name: &[u8]) -> ExtError {
    ExtError::NotFound {
        directory,
        name: String::from_utf8_lossy(name).into_owned(),
    }
}
