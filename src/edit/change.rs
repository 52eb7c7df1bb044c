//! One edit: a path, the state it shall have, and the project line that asked for it.

use std::path::PathBuf;
use std::sync::Arc;

use crate::base::{GuestPath, Origin};

/// The state that one path of the guest shall have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The path. Symbolic links on the way are followed inside the image; the last component is the thing itself.
    pub path: GuestPath,
    /// The state.
    pub change: Change,
    /// The project lines that asked for it, first the most telling one.
    pub origins: Vec<Origin>,
}

/// What a path shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A regular file with this content. An existing file keeps the attributes that are not given, and its xattrs; a
    /// symbolic link there is replaced by the file.
    File {
        /// The whole content.
        content: Content,
        /// The attributes to set.
        attributes: Attributes,
    },
    /// A directory; an existing one keeps its entries and the attributes that are not given.
    Directory {
        /// The attributes to set.
        attributes: Attributes,
    },
    /// A symbolic link to `target`, replacing whatever file was there.
    Symlink {
        /// The link's text.
        target: Vec<u8>,
        /// The attributes to set; a link has no mode of its own.
        attributes: Attributes,
    },
    /// Nothing: a file, link or whole tree there is removed.
    Absent,
}

/// The content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// The bytes themselves.
    Bytes(Arc<[u8]>),
    /// Bytes in pieces that follow each other, so that guests may share what is long and the same in all of them.
    Joined(Arc<[Arc<[u8]>]>),
    /// The bytes of a file of the host, read when the edit is applied.
    HostFile {
        /// The file.
        path: PathBuf,
        /// Its length in bytes when the plan was made.
        len_bytes: u64,
    },
}

/// The attributes that an edit sets; `None` keeps what an existing file has.
///
/// A new file gets mode 0644, a new directory 0755, and both belong to root, unless these say otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attributes {
    /// The twelve permission bits.
    pub mode: Option<u16>,
    /// The owner.
    pub uid: Option<u32>,
    /// The group.
    pub gid: Option<u32>,
}

impl Content {
    /// The content's length in bytes.
    pub fn len_bytes(&self) -> u64 {
        let len = |bytes: &Arc<[u8]>| u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        match self {
            Self::Bytes(bytes) => len(bytes),
            Self::Joined(pieces) => pieces.iter().map(len).sum(),
            Self::HostFile { len_bytes, .. } => *len_bytes,
        }
    }
}

impl Attributes {
    /// Sets only the mode.
    pub fn mode(mode: u16) -> Self {
        Self {
            mode: Some(mode),
            ..Self::default()
        }
    }

    /// Sets mode and owner.
    pub fn owned(mode: u16, uid: u32, gid: u32) -> Self {
        Self {
            mode: Some(mode),
            uid: Some(uid),
            gid: Some(gid),
        }
    }

    /// These attributes, with those that `later` gives put over them.
    #[must_use]
    pub fn overlaid(self, later: Self) -> Self {
        Self {
            mode: later.mode.or(self.mode),
            uid: later.uid.or(self.uid),
            gid: later.gid.or(self.gid),
        }
    }
}

impl Edit {
    /// A file with `content`.
    pub fn file(
        path: GuestPath,
        content: impl Into<Vec<u8>>,
        attributes: Attributes,
        origin: Origin,
    ) -> Self {
        let content = Content::Bytes(Arc::from(content.into()));
        Self {
            path,
            change: Change::File { content, attributes },
            origins: vec![origin],
        }
    }

    /// A directory.
    pub fn directory(path: GuestPath, attributes: Attributes, origin: Origin) -> Self {
        Self {
            path,
            change: Change::Directory { attributes },
            origins: vec![origin],
        }
    }

    /// A symbolic link.
    pub fn symlink(path: GuestPath, target: impl Into<Vec<u8>>, origin: Origin) -> Self {
        let change = Change::Symlink {
            target: target.into(),
            attributes: Attributes::default(),
        };
        Self {
            path,
            change,
            origins: vec![origin],
        }
    }

    /// Nothing at `path`.
    pub fn absent(path: GuestPath, origin: Origin) -> Self {
        Self {
            path,
            change: Change::Absent,
            origins: vec![origin],
        }
    }
}
