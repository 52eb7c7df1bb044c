//! Times that do not tell when a template was built: mke2fs copies from the tree those that no program can set.

use std::sync::Arc;

use crate::base::Timestamp;
use crate::block::BlockDevice;
use crate::ext::{ExtError, Fs, InodeNo};

/// The first inode that a file can have, the root directory aside.
const FIRST_FILE: u32 = 11;

/// Says of every file in the file system on `device` that it was last read when its content last changed, and that its
/// inode last changed at `now`.
pub(super) fn settle_times(device: Arc<dyn BlockDevice>, now: Timestamp) -> Result<(), ExtError> {
    let mut fs = Fs::open_for_edit(device, now)?;
    let files = FIRST_FILE..=fs.superblock().geometry().inodes_count;
    for inode in files.filter_map(InodeNo::new).chain([InodeNo::ROOT]) {
        match fs.inode(inode) {
            Ok(file) => fs.set_times(inode, file.mtime, file.mtime)?,
            Err(ExtError::NotInUse { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    fs.commit()
}
