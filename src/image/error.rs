//! Why an image could not be written.

use crate::base::PathError;
use crate::block::DeviceError;

/// Says why an image could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The template could not be read.
    #[error("cannot read the template")]
    Template(#[from] DeviceError),
    /// A file could not be made.
    #[error(transparent)]
    File(#[from] PathError),
    /// A swap image smaller than its header and one page of swap.
    #[error("a swap image of {len_bytes} bytes is too small: it takes at least {least_bytes}")]
    SmallSwap {
        /// The length asked for.
        len_bytes: u64,
        /// The shortest length that works.
        least_bytes: u64,
    },
}
