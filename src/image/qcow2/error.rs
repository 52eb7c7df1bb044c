//! Why a qcow2 image could not be written or read.

use std::io;
use std::path::PathBuf;

use super::super::error::ImageError;
use crate::base::PathError;
use crate::block::DeviceError;

/// Says why a qcow2 image could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum QcowError {
    /// A disk is made of sectors; a guest would not see the rest.
    #[error("an image of {len_bytes} bytes is not a whole number of sectors of 512 bytes")]
    PartSector {
        /// The image's length.
        len_bytes: u64,
    },
    /// The image's tables would be larger than QEMU loads.
    #[error(
        "an image of {len_bytes} bytes is too long for this kind of qcow2 image, which holds {most_bytes}"
    )]
    TooLong {
        /// The image's length.
        len_bytes: u64,
        /// The longest that works.
        most_bytes: u64,
    },
    /// The header has no room for the path.
    #[error("the backing's path has {path_bytes} bytes, a qcow2 image has room for {most_bytes}: `{}`", path.display())]
    LongPath {
        /// The path, as it would be written.
        path: PathBuf,
        /// Its length.
        path_bytes: usize,
        /// The longest that fits.
        most_bytes: usize,
    },
    /// The file is something else.
    #[error("it is not a qcow2 image")]
    NotQcow2,
    /// The image is of a kind that is not read.
    #[error("a qcow2 image with {field} {found} is not supported")]
    Unsupported {
        /// The header's field.
        field: &'static str,
        /// What it says.
        found: u64,
    },
    /// Whoever used the image last found it damaged.
    #[error("the qcow2 image is marked as corrupt")]
    MarkedCorrupt,
    /// Whoever wrote to the image last has not brought it to its end.
    #[error("the qcow2 image is marked as one that was not closed")]
    MarkedDirty,
    /// Other states of the disk lie in the image.
    #[error("the qcow2 image has {count} internal snapshots, which an edit would lose")]
    Snapshots {
        /// How many.
        count: u32,
    },
    /// The image has something that holds only as long as it is not changed.
    #[error("the qcow2 image has bitmaps or other autoclear_features ({bits}), which an edit would lose")]
    Autoclear {
        /// The header's field.
        bits: u64,
    },
    /// Two parts of the image have the same table.
    #[error("the qcow2 image is damaged: the table at {offset_bytes} stands for two parts of it")]
    SharedTable {
        /// Where the table lies.
        offset_bytes: u64,
    },
    /// The image's backing is not said to be a raw file.
    #[error("a qcow2 image over a backing of the format `{format}` is not supported, only `raw` is")]
    BackingFormat {
        /// What the image says; empty if it leaves it to guessing.
        format: String,
    },
    /// The header contradicts itself, or the file.
    #[error("the qcow2 header is damaged: {field} is {found}")]
    Damaged {
        /// The header's field.
        field: &'static str,
        /// What it says.
        found: u64,
    },
    /// A cluster could not be compressed.
    #[error("cannot compress")]
    Compress(#[source] io::Error),
    /// The template or its copy could not be used.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The image could not be read, or written.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// A file could not be found or made.
    #[error(transparent)]
    File(#[from] PathError),
}

impl QcowError {
    /// The way out, where there is one.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::MarkedCorrupt | Self::MarkedDirty | Self::SharedTable { .. } => {
                Some("`qemu-img check -r all` can mend it")
            }
            Self::Snapshots { .. } => Some("`qemu-img snapshot -l` lists them, `-d` removes one"),
            Self::Autoclear { .. } => Some("`qemu-img bitmap --remove` removes a bitmap"),
            _ => None,
        }
    }
}
