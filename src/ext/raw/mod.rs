//! The structures as they lie on disk, with the field names of the kernel's documentation
//! (<https://docs.kernel.org/filesystems/ext4/>). No logic: what a field means is decided where it is decoded.
//!
//! Every structure is read and changed in place over the original bytes, so that fields and bits which nobody here
//! understands keep their values. Lengths are asserted at compile time.

mod directory;
mod extent;
mod group;
mod inode;
mod mmp;
mod superblock;
mod xattr;

pub(crate) use directory::{RawDirEntry, RawDirTail, RawDxCountLimit, RawDxEntry, RawDxRootInfo, RawDxTail};
pub(crate) use extent::{RawExtent, RawExtentHeader, RawExtentIndex};
pub(crate) use group::RawGroupDescriptor;
pub(crate) use inode::{RawInode, RawInodeExtra};
pub(crate) use mmp::RawMmp;
pub(crate) use superblock::RawSuperblock;
pub(crate) use xattr::{RawXattrEntry, RawXattrHeader};
