//! Reading the content of files and the text of symbolic links.

use std::ops::Range;

use super::error::{ExtError, Place};
use super::fs::Fs;
use super::inode::{FLAG_HUGE_FILE, FLAG_INLINE_DATA, Node};
use super::map::FileMap;
use super::obstacle::Touch;
use super::types::{InodeNo, index, wide};
use crate::base::FileKind;

/// The bytes of a link's text that fit into the inode.
pub(crate) const FAST_LINK_LEN: u64 = 60;

impl Fs {
    /// The whole content of the regular file `inode`.
    ///
    /// # Errors
    /// [`ExtError::TooLarge`] for more than `limit_bytes` bytes, holes included; [`ExtError::WrongKind`];
    /// [`ExtError::UnsupportedInode`].
    pub fn read_file(&self, inode: InodeNo, limit_bytes: u64) -> Result<Vec<u8>, ExtError> {
        let node = self.regular_node(inode)?;
        self.check_touch(&node, Touch::ReadContent)?;
        let len_bytes = node.size_in_bytes();
        if len_bytes > limit_bytes {
            return Err(ExtError::TooLarge {
                inode,
                len_bytes,
                limit_bytes,
            });
        }
        if node.has_flag(FLAG_INLINE_DATA) {
            return node.inline_content();
        }
        let mut content = vec![0; index(len_bytes)];
        self.read_mapped(&self.file_map(&node)?, 0, &mut content)?;
        Ok(content)
    }

    /// Fills `buffer` from `offset_bytes` of the regular file `inode` on; answers how many bytes there were.
    ///
    /// # Errors
    /// [`ExtError::WrongKind`]; [`ExtError::Corrupt`].
    pub fn read_at(&self, inode: InodeNo, offset_bytes: u64, buffer: &mut [u8]) -> Result<usize, ExtError> {
        self.reader(inode, offset_bytes)?.fill(buffer)
    }

    /// The ranges of bytes of the regular file `inode` that are no holes, in ascending order.
    ///
    /// # Errors
    /// [`ExtError::WrongKind`]; [`ExtError::Corrupt`].
    pub fn data_ranges(&self, inode: InodeNo) -> Result<Vec<Range<u64>>, ExtError> {
        let node = self.regular_node(inode)?;
        self.check_touch(&node, Touch::ReadContent)?;
        let len_bytes = node.size_in_bytes();
        if node.has_flag(FLAG_INLINE_DATA) {
            return Ok(std::iter::once(0..len_bytes)
                .filter(|range| !range.is_empty())
                .collect());
        }
        let block_bytes = u64::from(self.block_size().bytes());
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for run in self
            .file_map(&node)?
            .runs()
            .iter()
            .filter(|run| !run.is_unwritten)
        {
            let start = u64::from(run.file_block).saturating_mul(block_bytes);
            let end = run.end().saturating_mul(block_bytes).min(len_bytes);
            match ranges.last_mut() {
                _ if start >= end => {}
                Some(last) if last.end == start => last.end = end,
                _ => ranges.push(start..end),
            }
        }
        Ok(ranges)
    }

    /// The text of the symbolic link `inode`.
    ///
    /// # Errors
    /// [`ExtError::WrongKind`]; [`ExtError::Corrupt`].
    pub fn read_link(&self, inode: InodeNo) -> Result<Vec<u8>, ExtError> {
        let node = self.used_node(inode)?;
        if node.kind() != Some(FileKind::Symlink) {
            return Err(ExtError::WrongKind {
                inode,
                expected: "a symbolic link",
            });
        }
        self.check_touch(&node, Touch::ReadContent)?;
        if node.has_flag(FLAG_INLINE_DATA) {
            return node.inline_content();
        }
        let len_bytes = node.size_in_bytes();
        let is_fast = self.is_fast_link(&node);
        let most = if is_fast {
            FAST_LINK_LEN
        } else {
            self.block_size().bytes().into()
        };
        if len_bytes > most || len_bytes == 0 {
            let expected = format_args!("from 1 to {most} bytes").to_string();
            return Err(ExtError::corrupt(
                Place::Inode(inode),
                "length of a link",
                expected,
                len_bytes,
            ));
        }
        if is_fast {
            return Ok(node
                .raw()
                .i_block
                .get(..index(len_bytes))
                .unwrap_or_default()
                .to_vec());
        }
        let mut text = vec![0; index(len_bytes)];
        self.read_mapped(&self.file_map(&node)?, 0, &mut text)?;
        Ok(text)
    }

    /// Whether the text of a link lies in the inode: it takes no block but one for attributes.
    pub(crate) fn is_fast_link(&self, node: &Node) -> bool {
        let unit = if node.has_flag(FLAG_HUGE_FILE) {
            1
        } else {
            u64::from(self.block_size().bytes()).wrapping_shr(9)
        };
        let attributes = if node.file_acl().is_some() { unit } else { 0 };
        node.blocks_field().saturating_sub(attributes) == 0
    }

    /// The inode's bytes, if it is in use.
    pub(crate) fn used_node(&self, inode: InodeNo) -> Result<Node, ExtError> {
        let node = self.node(inode)?;
        node.decode(self.block_size().bytes())?;
        Ok(node)
    }

    pub(crate) fn regular_node(&self, inode: InodeNo) -> Result<Node, ExtError> {
        let node = self.used_node(inode)?;
        if node.kind() != Some(FileKind::Regular) {
            return Err(ExtError::WrongKind {
                inode,
                expected: "a regular file",
            });
        }
        Ok(node)
    }

    /// Fills `buffer` from `offset_bytes` of the mapped content on; holes and unwritten blocks read as zero.
    pub(crate) fn read_mapped(
        &self,
        map: &FileMap,
        offset_bytes: u64,
        buffer: &mut [u8],
    ) -> Result<(), ExtError> {
        buffer.fill(0);
        let block_bytes = u64::from(self.block_size().bytes());
        let end_bytes = offset_bytes.saturating_add(wide(buffer.len()));
        for run in map.runs().iter().filter(|run| !run.is_unwritten) {
            let run_start = u64::from(run.file_block).saturating_mul(block_bytes);
            let run_end = run.end().saturating_mul(block_bytes);
            let (from, to) = (run_start.max(offset_bytes), run_end.min(end_bytes));
            if from >= to {
                continue;
            }
            let place = index(from.saturating_sub(offset_bytes))..index(to.saturating_sub(offset_bytes));
            let Some(part) = buffer.get_mut(place) else {
                continue;
            };
            let device_start = run.start.byte_offset(self.block_size());
            self.device
                .read_at(device_start.saturating_add(from.saturating_sub(run_start)), part)?;
        }
        Ok(())
    }
}
