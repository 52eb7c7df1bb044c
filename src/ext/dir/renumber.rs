//! Directory blocks after inodes got other numbers.

use super::block::{seal_index, seal_leaf, set_inode, stored_leaf_checksum};
use super::entry::entries;
use super::index::{NODE_ENTRIES, ROOT_ENTRIES};
use crate::ext::error::{ExtError, Place};
use crate::ext::types::InodeNo;

/// Makes the entries of a directory's block name inodes as `change` says, and closes it with its checksum; answers
/// whether any entry changed.
///
/// A node of a hash tree looks like unused entries, but for the root, which has those for `.` and `..`.
pub(crate) fn renumber_block(
    bytes: &mut [u8],
    (number, place): (u32, Place),
    has_filetype: bool,
    seed: Option<u32>,
    change: impl Fn(InodeNo) -> Option<InodeNo>,
) -> Result<bool, ExtError> {
    let is_changed = renumber_entries(bytes, place, has_filetype, change)?;
    if stored_leaf_checksum(bytes).is_some() {
        seal_leaf(bytes, seed);
    } else if number == 0 {
        seal_index(bytes, ROOT_ENTRIES, seed);
    } else {
        seal_index(bytes, NODE_ENTRIES, seed);
    }
    Ok(is_changed)
}

/// Makes `entries` name inodes as `change` says; answers whether any changed.
pub(crate) fn renumber_entries(
    bytes: &mut [u8],
    place: Place,
    has_filetype: bool,
    change: impl Fn(InodeNo) -> Option<InodeNo>,
) -> Result<bool, ExtError> {
    let mut changes = Vec::new();
    for entry in entries(bytes, has_filetype, place) {
        let entry = entry?;
        if let Some(inode) = entry.inode.and_then(&change) {
            changes.push((entry.start, inode));
        }
    }
    let is_changed = !changes.is_empty();
    for (start, inode) in changes {
        set_inode(bytes, start, Some(inode));
    }
    Ok(is_changed)
}
