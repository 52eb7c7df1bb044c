//! ext2, ext3 and ext4 file systems on a block device.

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
mod dir;
mod error;
mod feature;
mod format;
mod fs;
mod geometry;
mod group;
mod inode;
mod inode_field;
mod journal;
mod layout;
mod lookup;
mod map;
mod ops;
mod raw;
mod read;
mod resize;
mod superblock;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests_edit;
#[cfg(test)]
mod tests_read;
mod types;
mod usage;
mod verify;
mod write;
mod xattr;

pub use dir::DirEntry;
pub use error::{Access, DirtyState, ExtError, Place};
pub use feature::Features;
pub use format::{ExtKind, FormatError, FormatOptions, format};
pub use fs::Fs;
pub use geometry::Geometry;
pub use group::GroupDescriptor;
pub use inode::Inode;
pub use journal::{JournalError, RecoveryReport};
pub use ops::{NewNode, SpecialFile};
pub use resize::GrowReport;
pub use superblock::Superblock;
pub use types::{BlockSize, FileBlock, Follow, FsBlock, GroupNo, InodeNo};
pub use usage::Usage;
pub use verify::{Finding, check};
pub use xattr::Xattr;
