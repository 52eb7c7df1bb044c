//! Small things that every layer shares: paths inside a guest, file attributes, sizes, atomic files, clean-up,
//! child processes, progress reports and the clock.
//!
//! Nothing here knows what an image, a project or a host is.

pub mod atomic;
pub mod cleanup;
pub mod clock;
pub mod digest;
pub mod file_meta;
pub(crate) mod generations;
pub mod guest_path;
pub mod identity_key;
pub mod io_error;
pub mod origin;
pub mod process;
pub(crate) mod read;
pub mod report;
pub mod size;

pub use atomic::AtomicFile;
pub use clock::Timestamp;
pub use file_meta::{FileKind, FileMeta};
pub use guest_path::{GuestPath, GuestPathError};
pub use identity_key::IdentityKey;
pub use io_error::PathError;
pub use origin::{Origin, Sourced};
pub use size::{ByteSize, SizeError};
