//! From a delta to the file that a machine boots.
//!
//! ```text
//!   template file --scan--> BaseImage      what is data, what is free, what is hashed: once for all hosts
//!                              |
//!   Delta of one host ---------+--> RawWriter --> root.img     temporary, sync, rename
//!                              +--> Backing --> uml_cow, qcow2   a small file over the template
//!                              |                 ^
//!   DeltaImage: a machine's own small file --edited-'            beside the old one, proved, renamed
//!                              +--> Blake3Digest of the whole image, read only where it changed
//! ```
//!
//! Nothing here knows a file system: which bytes of a template are in use is told by the caller.

#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::indexing_slicing
    )
)]

mod backing;
mod base_image;
mod common_digest;
mod common_units;
mod convert;
mod copies;
mod data_digest;
mod delta_image;
mod differing;
mod digest;
mod error;
mod kept_leaves;
mod noting;
mod open;
mod opened;
pub mod qcow2;
mod ranges;
mod raw;
mod run_writer;
mod scan;
pub mod swap;
pub mod uml_cow;
mod zeros;

pub use backing::{Backing, DeltaWritten};
pub use base_image::{BaseImage, holes};
pub use common_digest::CommonDigest;
pub use convert::{ConvertError, flatten, rebase};
pub use copies::copy_with_length;
pub use data_digest::{data_digest, data_digest_of};
pub use delta_image::DeltaImage;
pub use digest::Blake3Digest;
pub use error::ImageError;
pub use opened::{ImageKind, OpenError, OpenedImage, backing_of, disguised, ensure_editable, kind_of, open};
pub use ranges::Ranges;
pub use raw::{RawOrder, RawWriter, Written};
