//! What can be wrong with an EFI system partition, or with what is to be written there.

use std::io;

use crate::base::GuestPath;
use crate::block::DeviceError;

/// Says why a file of an EFI system partition could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum EspError {
    /// The partition holds no FAT file system that is supported.
    #[error("the EFI system partition is no sound FAT file system: {what}")]
    Unsound {
        /// What is wrong.
        what: &'static str,
    },
    /// The file system could not be opened or closed.
    #[error("cannot use the FAT file system of the EFI system partition")]
    Open {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The partition could not be read.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// One path could not be read or written.
    #[error("cannot change or read `{path}` on the EFI system partition")]
    Path {
        /// The path, from the partition's root on.
        path: GuestPath,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something else is where a file or directory is to be.
    #[error("a {what} is in the way of `{path}` on the EFI system partition")]
    InTheWay {
        /// The path, from the partition's root on.
        path: GuestPath,
        /// What is there.
        what: &'static str,
    },
    /// FAT has names in Unicode only.
    #[error("`{path}` is no Unicode, which names on the EFI system partition are")]
    NotUnicode {
        /// The path, from the partition's root on.
        path: GuestPath,
    },
}
