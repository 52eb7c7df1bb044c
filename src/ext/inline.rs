//! Content that lies in the inode itself: 60 bytes where the block map would be, then the value of the attribute
//! `system.data` (<https://docs.kernel.org/filesystems/ext4/inlinedata.html>).
//!
//! ```text
//!   file, link   | first 60 bytes                  | .. system.data: the rest
//!   directory    | parent (4) | entries (56)       | .. system.data: more entries; no `.` and `..`
//! ```
//!
//! What is in the inode stays there as long as it fits, and moves out to blocks once when it does not.

use std::io::Read;

use super::error::{ExtError, Place};
use super::feature;
use super::fs::Fs;
use super::inode::{FLAG_INLINE_DATA, Node};
use super::types::{InodeNo, index, wide};
use super::xattr;

/// The bytes of content where the block map would be.
pub(crate) const MAP_LEN: usize = 60;
/// The bytes of a directory's parent before its entries.
const PARENT_LEN: usize = 4;

/// The content of an inode that holds it itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inline {
    /// What lies where the block map would be.
    pub(crate) map: [u8; MAP_LEN],
    /// What lies in the attribute.
    pub(crate) rest: Vec<u8>,
}

impl Inline {
    /// The inode of a directory's parent.
    pub(crate) fn parent(&self) -> Option<InodeNo> {
        let bytes = self.map.first_chunk::<PARENT_LEN>()?;
        InodeNo::new(u32::from_le_bytes(*bytes))
    }

    /// A directory's two areas of entries; the second may be empty.
    pub(crate) fn areas(&self) -> [&[u8]; 2] {
        [self.map.get(PARENT_LEN..).unwrap_or_default(), &self.rest]
    }

    /// A directory below `parent` with these areas of entries.
    pub(crate) fn directory(parent: InodeNo, [first, second]: [Vec<u8>; 2]) -> Self {
        let mut map = [0; MAP_LEN];
        let bytes = parent.get().to_le_bytes().into_iter().chain(first);
        for (to, from) in map.iter_mut().zip(bytes) {
            *to = from;
        }
        Self { map, rest: second }
    }

    /// How long the areas of entries are, where the attribute may have `room` bytes.
    pub(crate) fn area_lens(room: usize) -> [usize; 2] {
        [MAP_LEN.saturating_sub(PARENT_LEN), room & !3]
    }

    /// The length that a directory's inode names.
    pub(crate) fn len_bytes(&self) -> u64 {
        wide(MAP_LEN.saturating_add(self.rest.len()))
    }

    fn of_content(content: &[u8]) -> Self {
        let (first, rest) = content.split_at_checked(MAP_LEN).unwrap_or((content, &[]));
        let mut map = [0; MAP_LEN];
        for (to, from) in map.iter_mut().zip(first) {
            *to = *from;
        }
        Self {
            map,
            rest: rest.to_vec(),
        }
    }
}

impl Node {
    /// What it holds itself.
    pub(crate) fn inline(&self) -> Result<Inline, ExtError> {
        Ok(Inline {
            map: self.raw().i_block,
            rest: xattr::data(self)?.unwrap_or_default(),
        })
    }

    /// Puts content into the inode itself; answers whether it fits. The length is not set.
    pub(crate) fn put_inline(&mut self, content: &Inline) -> Result<bool, ExtError> {
        if !xattr::set_data(self, Some(&content.rest))? {
            return Ok(false);
        }
        self.raw_mut().i_block = content.map;
        Ok(true)
    }

    /// The content of a file or link that holds it itself.
    pub(crate) fn inline_content(&self) -> Result<Vec<u8>, ExtError> {
        let Inline { map, rest } = self.inline()?;
        let mut content = [&map[..], &rest].concat();
        let len = index(self.size_in_bytes());
        if len > content.len() {
            return Err(ExtError::corrupt(
                Place::Inode(self.number()),
                "length of content in the inode",
                format_args!("at most {}", content.len()),
                len,
            ));
        }
        content.truncate(len);
        Ok(content)
    }

    /// Makes `content`, for which there is room, the whole content.
    fn replace_inline(&mut self, content: &[u8]) -> Result<(), ExtError> {
        if !self.put_inline(&Inline::of_content(content))? {
            return Err(ExtError::corrupt(
                Place::Inode(self.number()),
                "room in the inode",
                content.len(),
                "less",
            ));
        }
        self.set_size_in_bytes(wide(content.len()));
        Ok(())
    }
}

impl Fs {
    /// Lets a new inode hold its content itself, where the file system does so and there is room; answers whether it
    /// does.
    pub(crate) fn begin_inline(&self, node: &mut Node) -> Result<bool, ExtError> {
        let is_wanted = self.superblock.features().has(feature::INLINE_DATA);
        if !is_wanted || !xattr::set_data(node, Some(&[]))? {
            return Ok(false);
        }
        node.set_flag(FLAG_INLINE_DATA, true);
        Ok(true)
    }

    /// Writes `len_bytes` bytes of `source` into the file `node`, which holds its content itself. Where they do not fit,
    /// the content moves out to blocks, and the answer is `false`: nothing of `source` was taken.
    pub(crate) fn write_inline(
        &mut self,
        node: &mut Node,
        offset_bytes: u64,
        len_bytes: u64,
        source: &mut dyn Read,
    ) -> Result<bool, ExtError> {
        let mut content = node.inline_content()?;
        let (start, end) = (index(offset_bytes), index(offset_bytes.saturating_add(len_bytes)));
        if end > MAP_LEN.saturating_add(xattr::data_room(node)?) {
            self.move_out(node)?;
            return Ok(false);
        }
        content.resize(content.len().max(end), 0);
        let piece = content.get_mut(start..end).unwrap_or_default();
        source.read_exact(piece).map_err(ExtError::Source)?;
        node.replace_inline(&content)?;
        Ok(true)
    }

    /// Gives the file `node`, which holds its content itself, another length. Where it does not fit, the content moves
    /// out to blocks, and the answer is `false`: the length is as it was.
    pub(crate) fn resize_inline(&mut self, node: &mut Node, len_bytes: u64) -> Result<bool, ExtError> {
        let len = index(len_bytes);
        if len > MAP_LEN.saturating_add(xattr::data_room(node)?) {
            self.move_out(node)?;
            return Ok(false);
        }
        let mut content = node.inline_content()?;
        content.resize(len, 0);
        node.replace_inline(&content)?;
        Ok(true)
    }

    /// Moves the content of the file `node` out to blocks.
    fn move_out(&mut self, node: &mut Node) -> Result<(), ExtError> {
        let content = node.inline_content()?;
        self.end_inline(node)?;
        self.write_node(node, 0, wide(content.len()), &mut &*content)
    }

    /// Makes `node`, which holds its content itself, an empty one with a map.
    pub(crate) fn end_inline(&self, node: &mut Node) -> Result<(), ExtError> {
        xattr::set_data(node, None)?;
        node.set_flag(FLAG_INLINE_DATA, false);
        node.raw_mut().i_block = [0; MAP_LEN];
        node.set_size_in_bytes(0);
        self.set_extents(node);
        Ok(())
    }
}
