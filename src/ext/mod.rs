//! Reads and edits ext2, ext3 and ext4 file systems on a block device, without mounting them.
//!
//! ```text
//!   paths, names, bytes      lookup  read  write  ops  xattr
//!                               |     |      |     |     |
//!   directories, maps          dir/  map/ <--+-----+-----+
//!                               |     |      |
//!   inodes, bitmaps, groups    fs (what was parsed, what was changed)  <--  alloc
//!                               |                        |
//!   blocks                   BlockDevice  <----  commit: each changed block once, in order, the superblock last
//! ```
//!
//! - Opening checks the superblock and all group descriptors once; what follows works with numbers that were checked.
//!   Numbers from anywhere else on the device are checked where they are read, so a damaged image ends in
//!   [`ExtError::Corrupt`], never in a panic, an endless loop or memory without bounds.
//! - Fields are changed in place over the original bytes; what nobody here understands stays as it was. Features that
//!   stand against reading or editing are refused by name (`feature`).
//! - An edit sets times to the one that [`Fs::open_for_edit`] was given, and takes blocks and inodes by their bitmaps
//!   alone: the same edits give the same bytes.
//! - There is no journal of edits. Give [`Fs`] an overlay over the image, and drop the overlay if anything fails.
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//!
//! use mln_image::base::{GuestPath, Timestamp};
//! use mln_image::block::{BlockDevice, MemoryDevice};
//! use mln_image::ext::{ExtKind, Follow, FormatOptions, Fs, InodeNo, NewNode, format};
//!
//! let now = Timestamp::from_seconds(1_700_000_000);
//! let device: Arc<dyn BlockDevice> = Arc::new(MemoryDevice::from_bytes(vec![0; 8 << 20]));
//! let options = FormatOptions {
//!     kind: ExtKind::Ext4,
//!     block_size: 1024,
//!     inode_len_bytes: 256,
//!     bytes_per_inode: 4096,
//!     uuid: [1; 16],
//!     hash_seed: [2; 16],
//!     label: "sample".to_owned(),
//!     now,
//!     reserved_percent: 5,
//!     journal_blocks: 1024,
//! };
//! format(&device, &options)?;
//!
//! let mut fs = Fs::open_for_edit(Arc::clone(&device), now)?;
//! let new = NewNode { mode: 0o755, uid: 0, gid: 0 };
//! let etc = fs.mkdir(InodeNo::ROOT, b"etc", new)?;
//! let file = fs.create_file(etc, b"hostname", NewNode { mode: 0o644, ..new })?;
//! fs.replace_content(file, b"web1\n")?;
//! fs.commit()?;
//!
//! let fs = Fs::open(device)?;
//! let found = fs.lookup(&GuestPath::literal("/etc/hostname"), Follow::All)?.expect("it was just made");
//! assert_eq!(fs.read_file(found, 1 << 20)?, b"web1\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::indexing_slicing
    )
)]

mod alloc;
mod bitmap;
mod checksum;
mod commit;
mod copies;
mod dir;
mod dump;
mod error;
mod feature;
mod format;
mod fs;
mod geometry;
mod group;
mod inline;
mod inode;
mod inode_field;
mod journal;
mod layout;
mod lookup;
mod map;
mod mmp;
mod obstacle;
mod ops;
mod placement;
mod raw;
mod read;
mod reader;
mod resize;
mod superblock;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests_damage;
#[cfg(test)]
mod tests_edit;
#[cfg(test)]
mod tests_read;
mod types;
mod usage;
mod uuid;
mod verify;
mod write;
mod xattr;

pub use dir::DirEntry;
pub use dump::Record;
pub use error::{Access, DirtyState, ExtError, Place};
pub use feature::Features;
pub use format::{ExtKind, FormatError, FormatOptions, format};
pub use fs::Fs;
pub use geometry::Geometry;
pub use group::GroupDescriptor;
pub use inode::Inode;
pub use journal::{JournalError, RecoveryReport};
pub use ops::{NewNode, SpecialFile};
pub use reader::FileReader;
pub use resize::ResizeReport;
pub use superblock::Superblock;
pub use types::{BlockSize, FileBlock, Follow, FsBlock, GroupNo, InodeNo};
pub use usage::Usage;
pub use verify::{Checked, Finding, check};
pub use xattr::Xattr;
