//! A whole project in one file, to be moved to another place or server.
//!
//! ```text
//!   PROJECTS/lab/...  --pack-->  lab.tar.zst: archive.json, then every file that it names, holes left out
//!   lab.tar.zst  --unpack-->  PROJECTS/.lab.importing/  --all is there and right-->  PROJECTS/lab/
//! ```
//!
//! The archive needs nothing beside it: images that lie over others are written whole. What names the project's place,
//! the files that start machines above all, is made anew where it is unpacked. An archive is foreign data: it brings
//! nothing but the regular files of its list, each below the project's directory, or it is refused as a whole.

mod error;
mod index;
mod pack;
mod settle;
mod unpack;

pub use error::ArchiveError;
pub use pack::{Packed, pack};
pub use unpack::{Unpacked, unpack};
