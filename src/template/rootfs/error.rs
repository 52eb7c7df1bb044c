//! Why a tree of files did not become a file system.

use std::io;

use crate::base::digest::Sha256Digest;
use crate::base::{ByteSize, GuestPathError, PathError};
use crate::ext::{ExtError, FormatError};

/// Says why a tree of files did not become a file system.
#[derive(Debug, thiserror::Error)]
pub enum RootfsError {
    /// The archive cannot be read to its end.
    #[error("cannot read the archive")]
    Read(#[source] io::Error),
    /// A header of the archive is not one.
    #[error("the archive is damaged at byte {offset_bytes}: {what}")]
    Damaged {
        /// Where the header begins.
        offset_bytes: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// The archive has something that no file system here can hold.
    #[error("`{path}` is {what}, which is not supported")]
    Unsupported {
        /// The entry's name.
        path: String,
        /// What it is.
        what: &'static str,
    },
    /// A name of the archive is none that a guest can have.
    #[error(transparent)]
    Path(#[from] GuestPathError),
    /// A name is longer than the kernel takes.
    #[error("a name of {len} bytes is longer than any path")]
    LongPath {
        /// Its length in bytes.
        len: usize,
    },
    /// Something else than a directory lies on the way to an entry.
    #[error("`{path}` lies below `{parent}`, which is no directory")]
    NotADirectory {
        /// The entry.
        path: String,
        /// What is in its way.
        parent: String,
    },
    /// A hard link leads to nothing.
    #[error("`{path}` is a hard link to `{target}`, which is not there")]
    LinkToNothing {
        /// The link.
        path: String,
        /// What it names.
        target: String,
    },
    /// The file system does not take an entry.
    #[error("cannot put `{path}` into the file system")]
    Entry {
        /// The entry.
        path: String,
        /// Why.
        #[source]
        source: ExtError,
    },
    /// The size that was asked for is too small.
    #[error("{size} are too few: the file system was full at `{path}`")]
    Full {
        /// The size.
        size: ByteSize,
        /// The entry that did not fit.
        path: String,
    },
    /// The file system cannot be made or grown.
    #[error("cannot make the file system")]
    Format(#[from] FormatError),
    /// The finished file system cannot be written.
    #[error("cannot write the file system")]
    Finish(#[source] ExtError),
    /// The finished file system is not sound.
    #[error("the finished file system is not sound, which is a defect of this program: {0}")]
    Unsound(String),
    /// A document of an image layout is not understood.
    #[error("cannot understand {what} of the image layout")]
    Document {
        /// Which document.
        what: String,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// A file of an image layout is not there.
    #[error("the image layout has no `{0}`")]
    NoBlob(String),
    /// A blob is not what its name says.
    #[error("blob {expected} of the image layout is damaged: its digest is {found}")]
    Digest {
        /// The digest in its name.
        expected: String,
        /// The digest of what is there.
        found: Sha256Digest,
    },
    /// An image layout has no image, or several that could be meant.
    #[error("the image layout has {} for {platform}{}", number(*count), platforms(known))]
    NoImage {
        /// How many images fit.
        count: usize,
        /// The platform that was asked for.
        platform: String,
        /// The platforms that there are.
        known: Vec<String>,
    },
    /// An image layout has something in it that is not supported.
    #[error("the image layout has {0}, which is not supported")]
    Layout(String),
    /// A file could not be used.
    #[error(transparent)]
    File(#[from] PathError),
}

fn number(count: usize) -> String {
    match count {
        0 => "no image".to_owned(),
        count => format!("{count} images"),
    }
}

fn platforms(known: &[String]) -> String {
    if known.is_empty() {
        return String::new();
    }
    format!("; there are {}", known.join(", "))
}
