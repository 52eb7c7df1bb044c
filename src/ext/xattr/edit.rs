//! Changing extended attributes, and giving back the blocks that hold them.

use zerocopy::FromBytes as _;

use super::BLOCK_HEADER_LEN;
use super::inside::store_in_inode;
use super::parse::{Attribute, Hashes, Value, encode};
use super::{MAGIC, inode_attributes, split_name};
use crate::base::FileKind;
use crate::ext::error::ExtError;
use crate::ext::feature;
use crate::ext::fs::Fs;
use crate::ext::inode::Node;
use crate::ext::raw::RawXattrHeader;
use crate::ext::types::{BlockSize, FsBlock, InodeNo};

impl Fs {
    /// Sets an extended attribute of `inode`; the value of one that is there is replaced.
    ///
    /// # Errors
    /// [`ExtError::NoXattrRoom`] if it fits neither into the inode nor into one block, nor can have an inode of its own;
    /// [`ExtError::InvalidName`] for a name with an unknown beginning.
    pub fn set_xattr(&mut self, inode: InodeNo, name: &[u8], value: &[u8]) -> Result<(), ExtError> {
        self.edit(|fs| {
            let (index, rest) = split_name(name)?;
            let new = Attribute {
                index,
                name: rest.to_vec(),
                value: Value::Bytes(value.to_vec()),
            };
            fs.change_xattrs(inode, name, Some(new))
        })
    }

    /// Removes an extended attribute of `inode`, if it is there.
    ///
    /// # Errors
    /// [`ExtError::InvalidName`] for a name with an unknown beginning.
    pub fn remove_xattr(&mut self, inode: InodeNo, name: &[u8]) -> Result<(), ExtError> {
        self.edit(|fs| {
            split_name(name)?;
            fs.change_xattrs(inode, name, None)
        })
    }

    /// Gives the attribute `name` another value: where it was, or in the inode, or in the block, or in an inode of its
    /// own.
    fn change_xattrs(&mut self, inode: InodeNo, name: &[u8], new: Option<Attribute>) -> Result<(), ExtError> {
        let mut node = self.used_node(inode)?;
        let before = Lists {
            inside: inode_attributes(&node)?,
            block: self.block_attributes(&node)?,
        };
        if new.as_ref().is_some_and(|new| before.has(new)) {
            return Ok(());
        }
        let mut kept = before.clone();
        for list in [&mut kept.inside, &mut kept.block] {
            list.retain(|attribute| attribute.full_name() != name || attribute.is_data());
        }
        let after = match new {
            None => kept,
            Some(new) => match kept.clone().with(&node, self.block_size(), new.clone()) {
                Some(after) => after,
                None => self.with_own_inode(&node, kept, &new)?,
            },
        };
        if after == before {
            return Ok(());
        }
        let has_own_block = self.xattr_block_users(&node)? == 1;
        if after.inside != before.inside && !store_in_inode(&mut node, &after.inside) {
            return Err(no_room(inode, name));
        }
        let held = self.value_blocks(&[&before.inside[..], &before.block].concat())?;
        self.count_values(&before.inside, &after.inside)?;
        if after.block != before.block {
            // What others share stays theirs, and what it uses too.
            let mine = if has_own_block { &before.block[..] } else { &[] };
            self.count_values(mine, &after.block)?;
            self.store_in_block(&mut node, &after.block)?;
        }
        let holds = self.value_blocks(&[after.inside, after.block].concat())?;
        self.count_blocks(&mut node, held, holds)?;
        self.superblock_has_xattrs()?;
        self.store_changed(node)
    }

    /// The lists with `new`, whose value gets an inode of its own.
    fn with_own_inode(&mut self, node: &Node, kept: Lists, new: &Attribute) -> Result<Lists, ExtError> {
        let no_room = || no_room(node.number(), &new.full_name());
        let Value::Bytes(bytes) = &new.value else {
            return Err(no_room());
        };
        // A short link that seems to take blocks would be read as a long one.
        if node.kind() == Some(FileKind::Symlink) {
            return Err(no_room());
        }
        // Before the inode is made, a stand-in of the same length tells whether its entry has room.
        let stand_in = Attribute {
            value: Value::Bytes(Vec::new()),
            ..new.clone()
        };
        if kept.clone().with(node, self.block_size(), stand_in).is_none() {
            return Err(no_room());
        }
        let made = self.make_value(node, new.index, &new.name, bytes)?;
        let made = made.ok_or_else(no_room)?;
        kept.with(node, self.block_size(), made).ok_or_else(no_room)
    }

    /// Stores the attributes of the block, which fit.
    fn store_in_block(&mut self, node: &mut Node, attributes: &[Attribute]) -> Result<(), ExtError> {
        let encoded = encode_block(attributes, self.block_size());
        self.leave_xattr_block(node)?;
        let Some(bytes) = encoded.filter(|_| !attributes.is_empty()) else {
            return Ok(());
        };
        let block = self.allocate_block(self.inode_goal(node))?;
        self.put_xattr_block(block, bytes);
        node.set_file_acl(Some(block));
        self.count_blocks(node, 0, 1)
    }

    pub(crate) fn put_xattr_block(&mut self, block: FsBlock, mut bytes: Box<[u8]>) {
        let checksum = self.xattr_checksum(block, &bytes);
        if let (Some(checksum), Ok((header, _))) = (checksum, RawXattrHeader::mut_from_prefix(&mut bytes)) {
            header.h_checksum.set(checksum);
        }
        self.put_block(block, bytes);
    }

    /// Lets go of all attributes of `node`, which is about to go itself.
    pub(crate) fn drop_xattrs(&mut self, node: &mut Node) -> Result<(), ExtError> {
        let mut gone = inode_attributes(node)?;
        if self.xattr_block_users(node)? == 1 {
            gone.extend(self.block_attributes(node)?);
        }
        self.leave_xattr_block(node)?;
        self.count_values(&gone, &[])
    }

    /// How many inodes share the attribute block of `node`; 0 if it has none.
    fn xattr_block_users(&self, node: &Node) -> Result<u32, ExtError> {
        let Some(block) = node.file_acl() else {
            return Ok(0);
        };
        let bytes = self.read_xattr_block(node, block)?;
        let users = RawXattrHeader::ref_from_prefix(&bytes).map_or(0, |(header, _)| header.h_refcount.get());
        Ok(users.max(1))
    }

    /// Takes the attribute block from `node`; it is freed unless other inodes share it.
    fn leave_xattr_block(&mut self, node: &mut Node) -> Result<(), ExtError> {
        let Some(block) = node.file_acl() else {
            return Ok(());
        };
        let users = self.xattr_block_users(node)?;
        if users > 1 {
            let mut bytes = self.read_xattr_block(node, block)?;
            if let Ok((header, _)) = RawXattrHeader::mut_from_prefix(&mut bytes) {
                header.h_refcount.set(users.saturating_sub(1));
            }
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

/// The attributes of an inode by where they lie.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Lists {
    inside: Vec<Attribute>,
    block: Vec<Attribute>,
}

impl Lists {
    /// Whether the attribute is there with just this value.
    fn has(&self, attribute: &Attribute) -> bool {
        self.inside.contains(attribute) || self.block.contains(attribute)
    }

    /// The lists with one attribute more, in the inode if it fits there, else in the block; `None` if it fits nowhere.
    fn with(mut self, node: &Node, block_size: BlockSize, new: Attribute) -> Option<Self> {
        self.inside.push(new);
        if store_in_inode(&mut node.clone(), &self.inside) {
            return Some(self);
        }
        self.block.extend(self.inside.pop());
        encode_block(&self.block, block_size).map(|_| self)
    }
}

/// A block of attributes, but for its checksum; `None` if they do not fit.
fn encode_block(attributes: &[Attribute], block_size: BlockSize) -> Option<Box<[u8]>> {
    // The kernel looks attributes of a block up in this order.
    let mut sorted = attributes.to_vec();
    sorted.sort_by(|one, other| {
        (one.index, one.name.len(), &one.name).cmp(&(other.index, other.name.len(), &other.name))
    });
    let mut bytes = vec![0; block_size.buffer_len()].into_boxed_slice();
    let hash = encode(&sorted, &mut bytes, BLOCK_HEADER_LEN, 0, Hashes::With)?;
    if let Ok((header, _)) = RawXattrHeader::mut_from_prefix(&mut bytes) {
        header.h_magic.set(MAGIC);
        header.h_refcount.set(1);
        header.h_blocks.set(1);
        header.h_hash.set(hash);
    }
    Some(bytes)
}

fn no_room(inode: InodeNo, name: &[u8]) -> ExtError {
    ExtError::NoXattrRoom {
        inode,
        name: String::from_utf8_lossy(name).into_owned(),
    }
}
