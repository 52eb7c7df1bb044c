//! Attributes whose values lie in inodes that got other numbers.

use zerocopy::FromBytes as _;

use super::{BLOCK_HEADER_LEN, MAGIC};
use crate::ext::error::ExtError;
use crate::ext::fs::Fs;
use crate::ext::inode::Node;
use crate::ext::raw::RawXattrEntry;
use crate::ext::types::{FsBlock, InodeNo};

impl Node {
    /// Makes the attributes in the inode name the inodes of their values as `change` says; answers whether any did.
    pub(crate) fn renumber_values(&mut self, change: impl Fn(InodeNo) -> Option<InodeNo>) -> bool {
        match self.xattr_area_mut().split_first_chunk_mut::<4>() {
            Some((magic, entries)) if u32::from_le_bytes(*magic) == MAGIC => renumber(entries, change),
            _ => false,
        }
    }
}

impl Fs {
    /// Makes the attributes in `block` name the inodes of their values as `change` says.
    pub(crate) fn renumber_values(
        &mut self,
        block: FsBlock,
        change: impl Fn(InodeNo) -> Option<InodeNo>,
    ) -> Result<(), ExtError> {
        let mut bytes = self.read_block(block)?;
        let entries = bytes.get_mut(BLOCK_HEADER_LEN..).unwrap_or_default();
        if renumber(entries, change) {
            self.put_xattr_block(block, bytes);
        }
        Ok(())
    }
}

/// Changes the inodes that `entries` name; their hashes depend on the values alone.
fn renumber(entries: &mut [u8], change: impl Fn(InodeNo) -> Option<InodeNo>) -> bool {
    let mut is_changed = false;
    let mut rest = entries;
    // Four zero bytes end the list.
    while rest.first_chunk::<4>().is_some_and(|word| *word != [0; 4]) {
        let Ok((raw, after)) = RawXattrEntry::mut_from_prefix(rest) else {
            return is_changed;
        };
        if let Some(inode) = InodeNo::new(raw.e_value_inum.get()).and_then(&change) {
            raw.e_value_inum.set(inode.get());
            is_changed = true;
        }
        let name_len = usize::from(raw.e_name_len).next_multiple_of(4);
        rest = after.get_mut(name_len..).unwrap_or_default();
    }
    is_changed
}
