//! QEMU's image format, version 3, written by ourselves: over a raw backing file, or alone and compressed.
//!
//! The format is [specified](https://qemu-project.gitlab.io/qemu/interop/qcow2.html) by QEMU. Both kinds are written
//! once, with refcounts of 16 bits, and the same image is the same bytes every time. [`Qcow2Device`] reads them, and those
//! that `qemu-img` makes over a raw backing.
//!
//! ```text
//!   L1 table --> L2 tables --> data clusters     no entry: the backing shows through, or zeros
//!   refcount table --> refcount blocks           one number for each cluster of the file
//! ```

mod backing_name;
mod error;
mod over_backing;
mod raw;
mod read_header;
mod reader;
mod standalone;
mod tables;

pub use error::QcowError;
pub use over_backing::write;
pub(super) use over_backing::write_over;
pub use read_header::Qcow2Header;
pub use reader::Qcow2Device;
pub(super) use standalone::write_changed;
pub use standalone::{StandaloneWritten, export, write_standalone};
