//! Makes a small empty file system without any outside program: what the embedded skeleton is filled into.
//!
//! ```text
//!   options --Layout::plan--> numbers of group 0 --write--> device --Fs::resize--> the other groups
//! ```
//!
//! Only group 0 is written here, after the layout in
//! <https://docs.kernel.org/filesystems/ext4/blockgroup.html>; further groups are added by [`resize`](super::resize),
//! so that there is one place that knows how a group is made. The features are those that mke2fs gives each kind.

mod inodes;
mod layout;
mod options;
mod superblock;
mod write;

pub use layout::FormatError;
pub use options::{ExtKind, FormatOptions};

use std::sync::Arc;

use self::layout::Layout;
use super::error::ExtError;
use super::fs::Fs;
use crate::block::BlockDevice;

/// Makes a file system on the whole of `device`, which has to read as zero.
///
/// # Errors
/// Options that no file system has, a device that is too short, or one that fails.
pub fn format(device: &Arc<dyn BlockDevice>, options: &FormatOptions) -> Result<(), FormatError> {
    let len_bytes = device.len_bytes();
    let layout = Layout::plan(len_bytes, options)?;
    write::write(&**device, &layout, options)?;
    let mut fs = Fs::open_for_edit(Arc::clone(device), options.now)?;
    let blocks = len_bytes.checked_div(fs.block_size().bytes().into());
    fs.resize(blocks.unwrap_or(0))?;
    device.set_len_bytes(len_bytes).map_err(ExtError::from)?;
    fs.commit()?;
    Ok(())
}
