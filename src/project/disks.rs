//! Which disks a host has, in which order, and what the guest calls them: agreed here between the guest's `fstab` and
//! the machine's definition.

use super::model::{ExtraMount, Host};

/// File system types whose source is no disk of the machine.
const DISKLESS_TYPES: [&str; 10] = [
    "9p", "cifs", "devpts", "hostfs", "nfs", "nfs4", "proc", "smb3", "sysfs", "tmpfs",
];

/// What a disk of a host is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskUse<'a> {
    /// The root file system.
    Root,
    /// The swap space.
    Swap,
    /// A further file system.
    Mount(&'a ExtraMount),
}

impl Host {
    /// The host's disks in the order of their device names: the root file system, swap if there is any, then every
    /// mount that comes from a disk.
    pub fn disks(&self) -> Vec<DiskUse<'_>> {
        let swap = self.swap.iter().map(|_| DiskUse::Swap);
        let mounts = self.mounts.iter().map(|mount| &mount.value);
        std::iter::once(DiskUse::Root)
            .chain(swap)
            .chain(mounts.filter(|mount| mount.is_disk()).map(DiskUse::Mount))
            .collect()
    }
}

impl ExtraMount {
    /// Whether the source is an image or device that becomes a disk of the machine, rather than a name that the guest
    /// itself understands.
    pub fn is_disk(&self) -> bool {
        !DISKLESS_TYPES.contains(&self.file_system.as_str())
    }
}
