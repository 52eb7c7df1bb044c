//! Changing mode, owner and times.

use crate::base::Timestamp;
use crate::ext::error::{ExtError, Place};
use crate::ext::fs::Fs;
use crate::ext::inode::{Node, TimeField};
use crate::ext::types::{InodeNo, split64};

impl Fs {
    /// Sets the twelve permission bits of `inode`.
    ///
    /// # Errors
    /// [`ExtError::NotInUse`].
    pub fn set_mode(&mut self, inode: InodeNo, mode: u16) -> Result<(), ExtError> {
        self.edit(|fs| {
            let mut node = fs.used_node(inode)?;
            let kind = node
                .kind()
                .ok_or_else(|| ExtError::corrupt(Place::Inode(inode), "mode", "a kind", "none"))?;
            node.set_mode(kind, mode);
            fs.store_changed(node)
        })
    }

    /// Sets the owner and the group of `inode`.
    ///
    /// # Errors
    /// [`ExtError::NotInUse`].
    pub fn set_owner(&mut self, inode: InodeNo, uid: u32, gid: u32) -> Result<(), ExtError> {
        self.edit(|fs| {
            let mut node = fs.used_node(inode)?;
            node.set_owner(uid, gid);
            fs.store_changed(node)
        })
    }

    /// Sets the times of the last reading and the last change of content of `inode`. An inode without room for them
    /// drops the nanoseconds, and keeps times beyond 2038 as the latest it can hold.
    ///
    /// # Errors
    /// [`ExtError::NotInUse`].
    pub fn set_times(&mut self, inode: InodeNo, atime: Timestamp, mtime: Timestamp) -> Result<(), ExtError> {
        self.edit(|fs| {
            let mut node = fs.used_node(inode)?;
            node.set_time(TimeField::Access, atime);
            node.set_time(TimeField::Modification, mtime);
            fs.store_changed(node)
        })
    }

    /// Sets all four times of `inode` to `time`, as if nothing had happened to it since.
    ///
    /// # Errors
    /// [`ExtError::NotInUse`].
    pub fn set_all_times(&mut self, inode: InodeNo, time: Timestamp) -> Result<(), ExtError> {
        let mut node = self.used_node(inode)?;
        for field in [
            TimeField::Access,
            TimeField::Change,
            TimeField::Modification,
            TimeField::Creation,
        ] {
            node.set_time(field, time);
        }
        self.store_node(node)
    }

    /// Says that the file system was made, checked and last written at `time`, which further edits get, too.
    ///
    /// # Errors
    /// [`ExtError::ReadOnly`] if the file system was opened for reading only.
    pub fn settle(&mut self, time: Timestamp) -> Result<(), ExtError> {
        self.edit_time()?;
        self.now = Some(time);
        let (low, high) = split64(time.seconds.max(0).unsigned_abs());
        let high = u8::try_from(high).unwrap_or(u8::MAX);
        self.superblock.edit(|raw| {
            raw.s_mkfs_time.set(low);
            raw.s_mkfs_time_hi = high;
            raw.s_lastcheck.set(low);
            raw.s_lastcheck_hi = high;
        })?;
        self.are_backups_stale = true;
        Ok(())
    }

    /// Stores a changed inode with the time of the change.
    pub(crate) fn store_changed(&mut self, mut node: Node) -> Result<(), ExtError> {
        node.set_time(TimeField::Change, self.edit_time()?);
        self.store_node(node)
    }
}
