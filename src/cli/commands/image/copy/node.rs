//! What is told of one file on its way from a source to a sink.

use std::io::Read;
use std::ops::Range;

use super::super::super::super::error::CommandError;
use crate::base::{FileKind, FileMeta, Timestamp};
use crate::ext::Xattr;

/// One file of a tree.
#[derive(Debug, Clone)]
pub(in super::super) struct Node {
    /// Where it lies below the top; empty for the top itself.
    pub(super) path: Vec<u8>,
    pub(super) kind: FileKind,
    pub(super) meta: FileMeta,
    pub(super) atime: Timestamp,
    /// The text of a symbolic link.
    pub(super) link: Vec<u8>,
    /// The numbers of a device node.
    pub(super) device: Option<(u32, u32)>,
    pub(super) len_bytes: u64,
    /// What all names of the same file have in common, where there is more than one.
    pub(super) twin: Option<(u64, u64)>,
    /// The extended attributes, as ext has them on disk.
    pub(super) xattrs: Vec<Xattr>,
}

impl Node {
    /// What it is.
    pub(in super::super) fn kind(&self) -> FileKind {
        self.kind
    }
}

/// The content of a regular file.
pub(in super::super) trait Content {
    /// The ranges that are no holes, in ascending order.
    fn ranges(&mut self) -> Result<Vec<Range<u64>>, CommandError>;

    /// The bytes of one of them.
    fn reader(&mut self, range: &Range<u64>) -> Result<Box<dyn Read + '_>, CommandError>;
}

/// Where files come from.
pub(in super::super) trait Source {
    /// What is to be copied, without what lies below it.
    fn top(&mut self) -> Result<Node, CommandError>;

    /// Shows `visit` every file from the top down, directories before what is in them.
    fn walk(
        &mut self,
        visit: &mut dyn FnMut(&Node, &mut dyn Content) -> Result<(), CommandError>,
    ) -> Result<(), CommandError>;
}

/// Where files go.
pub(in super::super) trait Sink {
    /// Makes one file.
    fn put(&mut self, node: &Node, content: &mut dyn Content) -> Result<(), CommandError>;

    /// Does what has to wait until everything is there: the times of directories, and what could not be kept.
    fn finish(&mut self) -> Result<(), CommandError>;
}

/// The directory that a path below the top lies in, and its name there; nothing for the top.
pub(super) fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if path.is_empty() {
        return None;
    }
    Some(match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&[], path),
    })
}

/// The path of `name` in the directory `path`.
pub(super) fn joined(path: &[u8], name: &[u8]) -> Vec<u8> {
    let mut joined = path.to_vec();
    if !joined.is_empty() {
        joined.push(b'/');
    }
    joined.extend_from_slice(name);
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_below_the_top_are_joined_and_split_again() {
        assert_eq!(split(b""), None);
        for (directory, name, path) in [(&b""[..], b"a", &b"a"[..]), (b"a/b", b"c", b"a/b/c")] {
            assert_eq!(joined(directory, name), path);
            assert_eq!(split(path), Some((directory, &name[..])));
        }
    }
}
