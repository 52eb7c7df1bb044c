//! What a device or a partition begins with.

use serde::Serialize;

use crate::block::{BlockDevice, DeviceError};

/// What a partition holds, told by its signature alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Holds {
    /// ext2, ext3 or ext4.
    Ext,
    /// FAT of any width.
    Vfat,
    /// XFS.
    Xfs,
    /// Btrfs.
    Btrfs,
    /// Swap space.
    Swap,
    /// A physical volume of LVM.
    Lvm,
    /// A LUKS container.
    Luks,
    /// Nothing that is known here.
    Unknown,
}

/// Where a superblock of ext has its magic, and the magic
/// (<https://docs.kernel.org/filesystems/ext4/super.html>).
const EXT: (u64, &[u8]) = (1080, b"\x53\xef");

/// Where each signature lies.
const SIGNATURES: [(u64, &[u8], Holds); 10] = [
    (EXT.0, EXT.1, Holds::Ext),
    (0, b"XFSB", Holds::Xfs),
    (0x1_0040, b"_BHRfS_M", Holds::Btrfs),
    (0, b"LUKS\xba\xbe", Holds::Luks),
    (512, b"LABELONE", Holds::Lvm),
    (4086, b"SWAPSPACE2", Holds::Swap),
    (4086, b"SWAP-SPACE", Holds::Swap),
    (54, b"FAT1", Holds::Vfat),
    (82, b"FAT32", Holds::Vfat),
    (54, b"FAT ", Holds::Vfat),
];

impl Holds {
    /// The name for a list.
    pub fn words(self) -> &'static str {
        match self {
            Self::Ext => "ext",
            Self::Vfat => "vfat",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
            Self::Swap => "swap",
            Self::Lvm => "lvm",
            Self::Luks => "luks",
            Self::Unknown => "-",
        }
    }
}

/// What the `len_bytes` at `start_bytes` hold.
pub(super) fn holds(
    device: &dyn BlockDevice,
    start_bytes: u64,
    len_bytes: u64,
) -> Result<Holds, DeviceError> {
    let end = start_bytes.saturating_add(len_bytes).min(device.len_bytes());
    for (offset, mark, what) in SIGNATURES {
        let place = start_bytes.saturating_add(offset);
        let mut found = [0; 16];
        let Some(found) = found.get_mut(..mark.len()) else {
            continue;
        };
        if place.saturating_add(16) > end {
            continue;
        }
        device.read_at(place, found)?;
        if found == mark {
            return Ok(what);
        }
    }
    Ok(Holds::Unknown)
}

/// The volume name of the ext file system at `start_bytes`.
pub(super) fn ext_label(device: &dyn BlockDevice, start_bytes: u64) -> Result<String, DeviceError> {
    const VOLUME_NAME: u64 = 1024 + 0x78;
    let mut name = [0; 16];
    device.read_at(start_bytes.saturating_add(VOLUME_NAME), &mut name)?;
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(String::from_utf8_lossy(name).into_owned())
}
