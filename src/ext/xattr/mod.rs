//! Extended attributes: the names and values that an inode carries, in its own spare bytes and in one block
//! (<https://docs.kernel.org/filesystems/ext4/attributes.html>).
//!
//! Values are as they lie on disk; access control lists (`system.posix_acl_*`) therefore have ext4's own short form,
//! not that of the system calls.

mod edit;
mod inside;
mod parse;
mod renumber;
mod value;

use zerocopy::FromBytes as _;

use super::error::{ExtError, Place};
use super::fs::Fs;
use super::inode::Node;
use super::raw::RawXattrHeader;
use super::types::{FsBlock, InodeNo};

pub(crate) use inside::{data, data_room, set_data};
pub(crate) use value::value_users;

use parse::{Attribute, Value, split_name};

/// Begins the attributes in an inode and in a block.
const MAGIC: u32 = 0xEA02_0000;
/// The header of an attribute block, in bytes.
const BLOCK_HEADER_LEN: usize = 32;

/// An extended attribute.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Xattr {
    /// The whole name, such as `security.capability`.
    pub name: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
}

impl Fs {
    /// The extended attributes of `inode`, sorted by name.
    ///
    /// # Errors
    /// [`ExtError::NotInUse`]; [`ExtError::Corrupt`].
    pub fn xattrs(&self, inode: InodeNo) -> Result<Vec<Xattr>, ExtError> {
        let node = self.used_node(inode)?;
        let mut attributes = inode_attributes(&node)?;
        attributes.extend(self.block_attributes(&node)?);
        let mut found = Vec::with_capacity(attributes.len());
        for attribute in attributes.into_iter().filter(|attribute| !attribute.is_data()) {
            let name = attribute.full_name();
            let value = match attribute.value {
                Value::Inode { inode, .. } => self.read_file(inode, 0x1_0000)?,
                Value::Bytes(bytes) => bytes,
            };
            found.push(Xattr { name, value });
        }
        found.sort();
        Ok(found)
    }

    /// The attributes in the inode's attribute block.
    pub(crate) fn block_attributes(&self, node: &Node) -> Result<Vec<Attribute>, ExtError> {
        let Some(block) = node.file_acl() else {
            return Ok(Vec::new());
        };
        let bytes = self.read_xattr_block(node, block)?;
        let area = bytes.get(BLOCK_HEADER_LEN..).unwrap_or_default();
        parse::attributes(area, &bytes, Place::Block(node.number(), block))
    }

    /// The attribute block of `node`, held against its magic and its checksum.
    pub(crate) fn read_xattr_block(&self, node: &Node, block: FsBlock) -> Result<Box<[u8]>, ExtError> {
        self.check_block(node.number(), block)?;
        let place = Place::Block(node.number(), block);
        let bytes = self.read_block(block)?;
        let (magic, found) = RawXattrHeader::ref_from_prefix(&bytes).map_or((0, 0), |(header, _)| {
            (header.h_magic.get(), header.h_checksum.get())
        });
        if magic != MAGIC {
            let shown = format_args!("{magic:#x}").to_string();
            return Err(ExtError::corrupt(
                place,
                "magic of an attribute block",
                "0xea020000",
                shown,
            ));
        }
        if let Some(expected) = self.xattr_checksum(block, &bytes)
            && expected != found
        {
            return Err(ExtError::checksum(place, expected, found));
        }
        Ok(bytes)
    }

    fn xattr_checksum(&self, block: FsBlock, bytes: &[u8]) -> Option<u32> {
        let (before, rest) = bytes.split_at_checked(0x10)?;
        self.superblock
            .checksums()
            .xattr_block(block, before, rest.get(4..)?)
    }
}

/// The attributes in the inode itself.
pub(crate) fn inode_attributes(node: &Node) -> Result<Vec<Attribute>, ExtError> {
    match node.xattr_area().split_first_chunk::<4>() {
        Some((magic, area)) if u32::from_le_bytes(*magic) == MAGIC => {
            parse::attributes(area, area, Place::Inode(node.number()))
        }
        _ => Ok(Vec::new()),
    }
}
