//! Changing mode, owner and times.

use crate::base::Timestamp;
use crate::ext::error::{ExtError, Place};
use crate::ext::fs::Fs;
use crate::ext::inode::{Node, TimeField};
use crate::ext::types::InodeNo;

impl Fs {
    /// Sets the twelve permission bits of `inode`.
    ///
    /// # Errors
    /// [`ExtError::NotInUse`].
    pub fn set_mode(&mut self, inode: InodeNo, mode: u16) -> Result<(), ExtError> {
        let mut node = self.used_node(inode)?;
        let kind = node
            .kind()
            .ok_or_else(|| ExtError::corrupt(Place::Inode(inode), "mode", "a kind", "none"))?;
        node.set_mode(kind, mode);
        self.store_changed(node)
    }

    /// Sets the owner and the group of `inode`.
    ///
    /// # Errors
    /// [`ExtError::NotInUse`].
    pub fn set_owner(&mut self, inode: InodeNo, uid: u32, gid: u32) -> Result<(), ExtError> {
        let mut node = self.used_node(inode)?;
        node.set_owner(uid, gid);
        self.store_changed(node)
    }

    /// Sets the times of the last reading and the last change of content of `inode`. An inode without room for them
    /// drops the nanoseconds, and keeps times beyond 2038 as the latest it can hold.
    ///
    /// # Errors
    /// [`ExtError::NotInUse`].
    pub fn set_times(&mut self, inode: InodeNo, atime: Timestamp, mtime: Timestamp) -> Result<(), ExtError> {
        let mut node = self.used_node(inode)?;
        node.set_time(TimeField::Access, atime);
        node.set_time(TimeField::Modification, mtime);
        self.store_changed(node)
    }

    /// Stores a changed inode with the time of the change.
    pub(crate) fn store_changed(&mut self, mut node: Node) -> Result<(), ExtError> {
        node.set_time(TimeField::Change, self.edit_time()?);
        self.store_node(node)
    }
}
