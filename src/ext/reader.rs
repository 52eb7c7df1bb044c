//! The content of a regular file as a stream.

use std::io::{self, Read};

use super::error::ExtError;
use super::fs::Fs;
use super::inode::FLAG_INLINE_DATA;
use super::map::FileMap;
use super::obstacle::Touch;
use super::types::{InodeNo, index, wide};

/// Reads a regular file from some place on; its map is read once. Holes and unwritten blocks read as zeros.
#[derive(Debug)]
pub struct FileReader<'a> {
    fs: &'a Fs,
    content: Content,
    len_bytes: u64,
    place_bytes: u64,
}

/// Where the bytes are.
#[derive(Debug)]
enum Content {
    Inline(Vec<u8>),
    Mapped(FileMap),
}

impl Fs {
    /// The content of the regular file `inode` from `offset_bytes` on.
    ///
    /// # Errors
    /// [`ExtError::WrongKind`]; [`ExtError::Corrupt`]; [`ExtError::UnsupportedInode`].
    pub fn reader(&self, inode: InodeNo, offset_bytes: u64) -> Result<FileReader<'_>, ExtError> {
        let node = self.regular_node(inode)?;
        self.check_touch(&node, Touch::ReadContent)?;
        let content = if node.has_flag(FLAG_INLINE_DATA) {
            Content::Inline(node.inline_content()?)
        } else {
            Content::Mapped(self.file_map(&node)?)
        };
        Ok(FileReader {
            fs: self,
            content,
            len_bytes: node.size_in_bytes(),
            place_bytes: offset_bytes,
        })
    }
}

impl FileReader<'_> {
    /// Fills `buffer` as far as the file goes; answers how many bytes there were, none at its end.
    ///
    /// # Errors
    /// What reading the device fails with.
    pub fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, ExtError> {
        let rest = self.len_bytes.saturating_sub(self.place_bytes);
        let len = index(rest).min(buffer.len());
        let buffer = buffer.get_mut(..len).unwrap_or_default();
        match &self.content {
            Content::Inline(content) => {
                let piece = content.iter().skip(index(self.place_bytes));
                buffer.iter_mut().zip(piece).for_each(|(to, from)| *to = *from);
            }
            Content::Mapped(map) => self.fs.read_mapped(map, self.place_bytes, buffer)?,
        }
        self.place_bytes = self.place_bytes.saturating_add(wide(len));
        Ok(len)
    }
}

impl Read for FileReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.fill(buffer).map_err(io::Error::other)
    }
}
