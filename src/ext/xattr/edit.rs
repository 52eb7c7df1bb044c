//! Changing extended attributes, and giving back the blocks that hold them.

use zerocopy::FromBytes as _;

use super::BLOCK_HEADER_LEN;
use super::parse::{Attribute, encode};
use super::{MAGIC, inode_attributes, split_name};
use crate::ext::error::{ExtError, Place};
use crate::ext::feature;
use crate::ext::fs::Fs;
use crate::ext::inode::Node;
use crate::ext::raw::RawXattrHeader;
use crate::ext::types::{FsBlock, InodeNo};

impl Fs {
    /// Sets an extended attribute of `inode`; the value of one that is there is replaced.
    ///
    /// # Errors
    /// [`ExtError::NoXattrRoom`] if it fits neither into the inode nor into one block; [`ExtError::InvalidName`] for a
    /// name with an unknown beginning.
    pub fn set_xattr(&mut self, inode: InodeNo, name: &[u8], value: &[u8]) -> Result<(), ExtError> {
        let (index, rest) = split_name(name)?;
        let new = Attribute {
            index,
            name: rest.to_vec(),
            value: value.to_vec(),
            value_inode: None,
        };
        self.change_xattrs(inode, name, Some(new))
    }

    /// Removes an extended attribute of `inode`, if it is there.
    ///
    /// # Errors
    /// [`ExtError::InvalidName`] for a name with an unknown beginning.
    pub fn remove_xattr(&mut self, inode: InodeNo, name: &[u8]) -> Result<(), ExtError> {
        split_name(name)?;
        self.change_xattrs(inode, name, None)
    }

    /// Puts `new` in the place of the attribute `name`: where it was, or in the inode, or in the block.
    fn change_xattrs(&mut self, inode: InodeNo, name: &[u8], new: Option<Attribute>) -> Result<(), ExtError> {
        let mut node = self.used_node(inode)?;
        let mut in_inode = inode_attributes(&node)?;
        let mut in_block = self.block_attributes(&node)?;
        let before = (in_inode.clone(), in_block.clone());
        for list in [&mut in_inode, &mut in_block] {
            list.retain(|attribute| attribute.full_name() != name);
        }
        if let Some(new) = new {
            in_inode.push(new.clone());
            if !store_in_inode(&mut node.clone(), &in_inode) {
                in_inode.pop();
                in_block.push(new);
            }
        }
        let no_room = || ExtError::NoXattrRoom {
            inode,
            name: String::from_utf8_lossy(name).into_owned(),
        };
        if in_inode != before.0 && !store_in_inode(&mut node, &in_inode) {
            return Err(no_room());
        }
        if in_block != before.1 && !self.store_in_block(&mut node, in_block)? {
            return Err(no_room());
        }
        self.superblock_has_xattrs()?;
        self.store_changed(node)
    }

    /// Stores the attributes of the block; answers whether they fit.
    fn store_in_block(&mut self, node: &mut Node, mut attributes: Vec<Attribute>) -> Result<bool, ExtError> {
        if attributes.is_empty() {
            self.drop_xattr_block(node)?;
            return Ok(true);
        }
        // The kernel looks attributes of a block up in this order.
        attributes.sort_by(|one, other| {
            (one.index, one.name.len(), &one.name).cmp(&(other.index, other.name.len(), &other.name))
        });
        let mut bytes = vec![0; self.block_size().buffer_len()].into_boxed_slice();
        let Some(hash) = encode(&attributes, &mut bytes, BLOCK_HEADER_LEN, 0) else {
            return Ok(false);
        };
        self.drop_xattr_block(node)?;
        let block = self.allocate_block(self.inode_goal(node.number()))?;
        if let Ok((header, _)) = RawXattrHeader::mut_from_prefix(&mut bytes) {
            header.h_magic.set(MAGIC);
            header.h_refcount.set(1);
            header.h_blocks.set(1);
            header.h_hash.set(hash);
        }
        self.put_xattr_block(block, bytes);
        node.set_file_acl(Some(block));
        self.count_blocks(node, 0, 1)?;
        Ok(true)
    }

    fn put_xattr_block(&mut self, block: FsBlock, mut bytes: Box<[u8]>) {
        let checksum = self.xattr_checksum(block, &bytes);
        if let (Some(checksum), Ok((header, _))) = (checksum, RawXattrHeader::mut_from_prefix(&mut bytes)) {
            header.h_checksum.set(checksum);
        }
        self.put_block(block, bytes);
    }

    /// Takes the attribute block from `node`; it is freed unless other inodes share it.
    pub(crate) fn drop_xattr_block(&mut self, node: &mut Node) -> Result<(), ExtError> {
        let Some(block) = node.file_acl() else {
            return Ok(());
        };
        let mut bytes = self.read_xattr_block(node, block)?;
        let place = Place::Block(node.number(), block);
        let Ok((header, _)) = RawXattrHeader::mut_from_prefix(&mut bytes) else {
            return Err(ExtError::corrupt(place, "attribute block", "a header", "none"));
        };
        let users = header.h_refcount.get();
        if users > 1 {
            header.h_refcount.set(users.saturating_sub(1));
            self.put_xattr_block(block, bytes);
        } else {
            self.free_blocks(block, 1)?;
        }
        node.set_file_acl(None);
        self.count_blocks(node, 1, 0)
    }

    /// Marks the file system as one with extended attributes.
    fn superblock_has_xattrs(&mut self) -> Result<(), ExtError> {
        if !self.superblock.features().has(feature::EXT_ATTR) {
            self.superblock.edit(|raw| {
                raw.s_feature_compat
                    .set(raw.s_feature_compat.get() | feature::EXT_ATTR.bit());
            })?;
            self.are_backups_stale = true;
        }
        Ok(())
    }
}

/// Stores the attributes of the inode itself; answers whether they fit.
fn store_in_inode(node: &mut Node, attributes: &[Attribute]) -> bool {
    let area = node.xattr_area_mut();
    if area.len() < 8 {
        return attributes.is_empty();
    }
    let mut bytes = vec![0; area.len()];
    if !attributes.is_empty() {
        if encode(attributes, &mut bytes, 4, 4).is_none() {
            return false;
        }
        if let Some(magic) = bytes.first_chunk_mut() {
            *magic = MAGIC.to_le_bytes();
        }
    }
    area.copy_from_slice(&bytes);
    true
}
