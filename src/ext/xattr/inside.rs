//! The attributes in the inode's own spare bytes, and the one among them that holds content (`inline`).

use super::parse::{Attribute, Hashes, Value, encode, encoded_len};
use super::{MAGIC, inode_attributes};
use crate::ext::error::ExtError;
use crate::ext::inode::Node;

/// The number that stands for `system.`.
const SYSTEM: u8 = 7;
/// The rest of the name of the attribute that holds content.
const DATA: &[u8] = b"data";
/// The magic before the attributes.
const HEAD_LEN: usize = 4;

impl Attribute {
    /// Whether it holds content of the inode, and so is none that users see.
    pub(super) fn is_data(&self) -> bool {
        self.index == SYSTEM && self.name == DATA
    }
}

/// The content in the attributes of `node`; `None` if it has no attribute for it.
pub(crate) fn data(node: &Node) -> Result<Option<Vec<u8>>, ExtError> {
    let found = inode_attributes(node)?.into_iter().find(Attribute::is_data);
    Ok(found.and_then(|attribute| match attribute.value {
        Value::Bytes(bytes) => Some(bytes),
        Value::Inode { .. } => None,
    }))
}

/// How many bytes of content there is room for in the attributes of `node`.
pub(crate) fn data_room(node: &Node) -> Result<usize, ExtError> {
    let mut attributes = inode_attributes(node)?;
    attributes.retain(|attribute| !attribute.is_data());
    attributes.push(data_attribute(&[]));
    let used = encoded_len(&attributes).saturating_add(HEAD_LEN);
    Ok((node.xattr_area().len() & !3).saturating_sub(used))
}

/// Makes `content` that of the attributes of `node`, or takes the attribute away; answers whether there was room.
pub(crate) fn set_data(node: &mut Node, content: Option<&[u8]>) -> Result<bool, ExtError> {
    let mut attributes = inode_attributes(node)?;
    attributes.retain(|attribute| !attribute.is_data());
    if let Some(content) = content {
        attributes.insert(0, data_attribute(content));
    }
    Ok(store_in_inode(node, &attributes))
}

fn data_attribute(content: &[u8]) -> Attribute {
    Attribute {
        index: SYSTEM,
        name: DATA.to_vec(),
        value: Value::Bytes(content.to_vec()),
    }
}

/// Stores the attributes of the inode itself; answers whether they fit.
pub(super) fn store_in_inode(node: &mut Node, attributes: &[Attribute]) -> bool {
    let area = node.xattr_area_mut();
    if area.len() < 8 {
        return attributes.is_empty();
    }
    let mut bytes = vec![0; area.len()];
    if !attributes.is_empty() {
        if encode(attributes, &mut bytes, HEAD_LEN, HEAD_LEN, Hashes::Without).is_none() {
            return false;
        }
        if let Some(magic) = bytes.first_chunk_mut() {
            *magic = MAGIC.to_le_bytes();
        }
    }
    area.copy_from_slice(&bytes);
    true
}
