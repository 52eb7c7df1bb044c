//! What can go wrong, sorted by fault: the caller's, the device's, what is not supported, what is damaged.

use std::fmt;

use super::journal::JournalError;
use super::types::{FileBlock, FsBlock, GroupNo, InodeNo};
use crate::block::DeviceError;

/// Says why a file system could not be read or edited.
#[derive(Debug, thiserror::Error)]
pub enum ExtError {
    /// The device failed.
    #[error("the device failed")]
    Device(#[from] DeviceError),
    /// There is no ext superblock.
    #[error("not an ext2, ext3 or ext4 file system")]
    NotExt,
    /// The device ends before the file system does.
    #[error("the image is cut off: the file system has {expected_bytes} bytes, the image {found_bytes}")]
    Truncated {
        /// The file system's length.
        expected_bytes: u64,
        /// The device's length.
        found_bytes: u64,
    },
    /// Features that are not supported.
    #[error("the file system has features that cannot be {}: {}", access.verb(), names.join(", "))]
    Unsupported {
        /// What was wanted.
        access: Access,
        /// The features, named as mke2fs names them.
        names: Vec<String>,
    },
    /// A feature of one inode that is not supported.
    #[error("inode {inode} cannot be {}: {feature}", access.verb())]
    UnsupportedInode {
        /// The inode.
        inode: InodeNo,
        /// What was wanted.
        access: Access,
        /// The feature, named as mke2fs names it.
        feature: &'static str,
    },
    /// Somebody has the file system mounted, or is checking it.
    #[error("the file system is in use on `{node}`, device `{device}`")]
    InUse {
        /// The machine.
        node: String,
        /// The device there.
        device: String,
    },
    /// The file system was not unmounted cleanly, or has recorded errors.
    #[error("the file system {}; run `e2fsck -p` on it first", state)]
    NeedsCheck {
        /// What it needs to have checked.
        state: DirtyState,
    },
    /// The journal must be replayed by other tools.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A structure contradicts itself or another.
    #[error("the file system is damaged: {place}: {what}: expected {expected}, found {found}")]
    Corrupt {
        /// Where.
        place: Place,
        /// What is wrong there.
        what: &'static str,
        /// What had to be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The file system was opened for reading only.
    #[error("the file system was opened for reading only")]
    ReadOnly,
    /// Shrinking was asked for, to less than the files need.
    #[error(
        "the file system cannot shrink to {wanted_bytes} bytes: what it holds needs at least {minimum_bytes} bytes"
    )]
    BelowMinimum {
        /// The length asked for.
        wanted_bytes: u64,
        /// The least length that is possible.
        minimum_bytes: u64,
    },
    /// Growing was asked for, to more than the file system's features allow.
    #[error("the file system cannot grow to {wanted_bytes} bytes, only to {largest_bytes}: {limit}")]
    BeyondLimit {
        /// The length asked for.
        wanted_bytes: u64,
        /// The largest length that is possible.
        largest_bytes: u64,
        /// What stands against more.
        limit: &'static str,
    },
    /// There is no such entry.
    #[error("no `{name}` in directory inode {directory}")]
    NotFound {
        /// The directory.
        directory: InodeNo,
        /// The name, as far as it is text.
        name: String,
    },
    /// There is such an entry already.
    #[error("`{name}` exists already in directory inode {directory}")]
    Exists {
        /// The directory.
        directory: InodeNo,
        /// The name, as far as it is text.
        name: String,
    },
    /// A name that no entry may have.
    #[error("`{name}` is not a file name")]
    InvalidName {
        /// The name, as far as it is text.
        name: String,
    },
    /// The inode is not of the kind that the operation needs.
    #[error("inode {inode} is not {expected}")]
    WrongKind {
        /// The inode.
        inode: InodeNo,
        /// The kind that is needed, with its article.
        expected: &'static str,
    },
    /// The inode is not in use.
    #[error("inode {inode} is not in use")]
    NotInUse {
        /// The inode.
        inode: InodeNo,
    },
    /// The directory holds more than itself and its parent.
    #[error("directory inode {inode} is not empty")]
    NotEmpty {
        /// The directory.
        inode: InodeNo,
    },
    /// A directory cannot be moved into itself.
    #[error("directory inode {inode} cannot be moved into itself")]
    IntoItself {
        /// The directory.
        inode: InodeNo,
    },
    /// A chain of symbolic links that does not end.
    #[error("too many levels of symbolic links at `{path}`")]
    LinkLoop {
        /// The path that was looked up.
        path: String,
    },
    /// The inode has as many links as it can have.
    #[error("inode {inode} has too many links")]
    TooManyLinks {
        /// The inode.
        inode: InodeNo,
    },
    /// There are not enough free blocks.
    #[error("no space left: {needed} blocks needed, {free} free ({reserved} of all are reserved for root)")]
    NoSpace {
        /// The blocks still needed.
        needed: u64,
        /// The blocks free, reserved ones included: an image is edited with root's rights.
        free: u64,
        /// The blocks reserved for root.
        reserved: u64,
    },
    /// An earlier edit failed half-way, so what is in memory is not to be written.
    #[error("an earlier edit failed half-way; nothing is written")]
    HalfDone,
    /// There is no free inode.
    #[error("no free inode left")]
    NoInodes,
    /// A file is, or would become, larger than it may.
    #[error("{len_bytes} bytes are more than inode {inode} may hold or the caller takes ({limit_bytes})")]
    TooLarge {
        /// The file.
        inode: InodeNo,
        /// Its length.
        len_bytes: u64,
        /// The largest length allowed.
        limit_bytes: u64,
    },
    /// What was to become a file's content could not be read.
    #[error("cannot read the new content")]
    Source(#[source] std::io::Error),
    /// The extended attributes do not fit into the inode and one block.
    #[error("no room for extended attribute `{name}` of inode {inode}")]
    NoXattrRoom {
        /// The inode.
        inode: InodeNo,
        /// The attribute, as far as it is text.
        name: String,
    },
}

/// What a file system is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading.
    Read,
    /// Reading and editing.
    Edit,
    /// Editing and changing the length.
    Resize,
}

impl Access {
    fn verb(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Edit => "edited",
            Self::Resize => "resized",
        }
    }
}

/// Why a file system must be checked before it can be edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirtyState {
    /// The journal holds changes that are not in place yet.
    Journal,
    /// It was not unmounted cleanly.
    NotClean,
    /// Errors were recorded.
    Errors,
    /// Deleted files wait for their last user.
    Orphans,
}

impl fmt::Display for DirtyState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Journal => "has a journal that must be replayed",
            Self::NotClean => "was not unmounted cleanly",
            Self::Errors => "has recorded errors",
            Self::Orphans => "has orphaned inodes",
        })
    }
}

/// A structure of the file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The superblock.
    Superblock,
    /// A group's descriptor or one of its bitmaps.
    Group(GroupNo),
    /// An inode.
    Inode(InodeNo),
    /// A block that belongs to an inode.
    Block(InodeNo, FsBlock),
    /// A block of a directory.
    Directory(InodeNo, FileBlock),
    /// A block of the journal, counted from the journal's start.
    Journal(u32),
    /// A block of extended attributes, which inodes may share.
    Attributes(FsBlock),
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Superblock => write!(formatter, "superblock"),
            Self::Group(group) => write!(formatter, "group {group}"),
            Self::Inode(inode) => write!(formatter, "inode {inode}"),
            Self::Block(inode, block) => write!(formatter, "inode {inode}, block {block}"),
            Self::Attributes(block) => write!(formatter, "attribute block {block}"),
            Self::Directory(inode, block) => write!(formatter, "directory inode {inode}, its block {block}"),
            Self::Journal(block) => write!(formatter, "journal, its block {block}"),
        }
    }
}

impl ExtError {
    /// A contradiction at `place`.
    pub(crate) fn corrupt(
        place: Place,
        what: &'static str,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Self {
        Self::Corrupt {
            place,
            what,
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }

    /// A checksum at `place` that does not fit what it covers.
    pub(crate) fn checksum(place: Place, expected: u32, found: u32) -> Self {
        Self::corrupt(
            place,
            "checksum",
            format_args!("{expected:#x}"),
            format_args!("{found:#x}"),
        )
    }
}
