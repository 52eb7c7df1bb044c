//! The host's files that a project copies into guests, as values: who reads them is not this layer's concern.

use std::fmt;
use std::path::PathBuf;

use crate::base::{FileKind, PathError};
use crate::edit::Content;

/// Finds the sources of the keyword `files`.
pub trait HostFiles: fmt::Debug + Sync {
    /// What `source`, as the project writes it, names: the thing itself first, then all that lies below it, every
    /// directory before its entries, entries by name. Links are not followed but for `source` itself.
    fn walk(&self, source: &str) -> Result<Vec<HostNode>, HostFilesError>;
}

/// One file of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostNode {
    /// The path below the source, without a leading slash; empty for the source itself.
    pub path: Vec<u8>,
    /// The twelve permission bits.
    pub mode: u16,
    /// What it is.
    pub kind: HostNodeKind,
}

/// What a file of the host is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostNodeKind {
    /// A regular file and where its bytes are.
    File(Content),
    /// A directory.
    Directory,
    /// A symbolic link and its text.
    Symlink(Vec<u8>),
}

/// Says why a source cannot be copied.
#[derive(Debug, thiserror::Error)]
pub enum HostFilesError {
    /// The system does not yield a file.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A file is of a kind that is not copied.
    #[error("`{}` is neither a file, a directory nor a symbolic link", path.display())]
    Kind {
        /// The file.
        path: PathBuf,
        /// What it is.
        kind: FileKind,
    },
}
