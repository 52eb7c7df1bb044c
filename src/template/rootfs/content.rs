//! One node of a tree, as every source of trees gives it.

use std::io::Read;

use crate::base::Timestamp;
use crate::ext::SpecialFile;

/// Extended attributes: whole names, and values as they lie on disk.
pub(super) type Attributes = Vec<(Vec<u8>, Vec<u8>)>;

/// A file, directory or link on its way into the file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// Its path as the source writes it.
    pub(super) path: Vec<u8>,
    pub(super) kind: Kind,
    /// The twelve permission bits.
    pub(super) mode: u16,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mtime: Timestamp,
    pub(super) xattrs: Attributes,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Directory,
    File,
    /// The text of the link.
    Symlink(Vec<u8>),
    /// The path of a node that came before.
    HardLink(Vec<u8>),
    Special(SpecialFile),
}

/// The content of a file: a stream of data, and where its pieces lie.
pub(super) struct Content<'a> {
    pub(super) data: &'a mut dyn Read,
    /// Offset and length of each piece in the file, in the order of the stream, ascending.
    pub(super) pieces: Vec<(u64, u64)>,
    /// The file's length in bytes.
    pub(super) len_bytes: u64,
    /// Where the data begins in what is read.
    pub(super) start_bytes: u64,
}
