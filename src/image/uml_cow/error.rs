//! Why a COW file could not be written or read.

use std::path::PathBuf;

use crate::base::PathError;
use crate::block::DeviceError;

/// Says why a COW file could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CowError {
    /// The file system's blocks are smaller than the units in which the guest's kernel reads right.
    #[error(
        "a file system with blocks of {block_bytes} bytes cannot lie in a UML COW file: User-Mode Linux misreads pages \
         that are partly in it, so blocks have to be 4096 bytes or more"
    )]
    SmallBlocks {
        /// The file system's block size.
        block_bytes: u32,
    },
    /// The format has room for the backing's length only.
    #[error(
        "a UML COW file is as long as its backing: the image has {image_bytes} bytes, `{}` has {backing_bytes}",
        backing.display()
    )]
    OtherLength {
        /// The image's length.
        image_bytes: u64,
        /// The backing file's length.
        backing_bytes: u64,
        /// The backing file.
        backing: PathBuf,
    },
    /// A disk is made of sectors; a guest would not see the rest.
    #[error("an image of {len_bytes} bytes is not a whole number of sectors of 512 bytes")]
    PartSector {
        /// The image's length.
        len_bytes: u64,
    },
    /// No guest could find the backing.
    #[error("the backing's path has to be absolute: `{}`", path.display())]
    RelativePath {
        /// The path.
        path: PathBuf,
    },
    /// The header has no room for the path.
    #[error("the backing's path has {path_bytes} bytes, a UML COW file has room for {most_bytes}: `{}`", path.display())]
    LongPath {
        /// The path.
        path: PathBuf,
        /// Its length.
        path_bytes: usize,
        /// The longest that fits.
        most_bytes: usize,
    },
    /// The header has 32 bits for the time.
    #[error("the modification time of `{}` does not fit a UML COW file: {seconds} seconds", path.display())]
    Time {
        /// The backing file.
        path: PathBuf,
        /// Its time of modification in seconds since the epoch.
        seconds: i64,
    },
    /// The file would be longer than a file can be.
    #[error("a UML COW file over {backing_bytes} bytes is too long")]
    TooLong {
        /// The backing file's length.
        backing_bytes: u64,
    },
    /// The file is something else.
    #[error("it is not a UML COW file")]
    NotCow,
    /// The file is of a kind that is not read.
    #[error("a UML COW file with {field} {found} is not supported")]
    Unsupported {
        /// The header's field.
        field: &'static str,
        /// What it says.
        found: u32,
    },
    /// The backing is not the file that the image was made over.
    #[error(
        "the backing's {field} has changed since the UML COW file was made: {expected} then, {found} now"
    )]
    OtherBacking {
        /// `length` or `modification time`.
        field: &'static str,
        /// What the header says.
        expected: i128,
        /// What the file has.
        found: i128,
    },
    /// The file ends within its header or its bitmap.
    #[error("the UML COW file is cut off: it has {len_bytes} bytes and needs {needed_bytes}")]
    CutOff {
        /// The file's length.
        len_bytes: u64,
        /// The least length that it needs.
        needed_bytes: u64,
    },
    /// The image could not be read, or written.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// A file could not be opened or made.
    #[error(transparent)]
    File(#[from] PathError),
}
