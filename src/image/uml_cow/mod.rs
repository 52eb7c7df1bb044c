//! User-Mode Linux's own copy-on-write format, version 3: `ubd0=root.cow` boots it.
//!
//! A COW file is a sparse difference over a raw backing file that it names by its absolute path. The kernel insists on
//! the backing's length and time of modification, and the guest's disk is exactly as long as the backing: there is no
//! growing in this format. An image of another length than the template lies over a copy of that length, which
//! [`Backing::resized`](super::Backing::resized) makes once for all hosts.
//!
//! The kernel (6.1) misreads a page that is partly in the COW file and partly in its backing, so only whole aligned
//! units of 4 KiB are written, and file systems with smaller blocks are refused: the guest would write parts of units.

mod error;
mod layout;
mod raw;
mod reader;
mod writer;

pub use error::CowError;
pub use reader::{CowDevice, CowHeader};
pub use writer::write;
pub(super) use writer::{Below, write_over};
