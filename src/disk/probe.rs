//! Whether a device is a disk with a partition table, or a file system by itself.

use super::error::DiskError;
use super::signature::{Holds, ext_label, holds};
use super::table::{Table, TableKind};
use super::{gpt, mbr};
use crate::block::BlockDevice;

/// What a device is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// No disk: a file system by itself, or something else that has no partitions.
    Bare,
    /// A disk with partitions.
    Disk(Table),
}

/// Looks at the first sectors of `device`.
///
/// # Errors
/// [`DiskError::Ambiguous`] for what could be read both ways; [`DiskError::Damaged`] for a table that contradicts
/// itself or the device.
pub fn probe(device: &dyn BlockDevice) -> Result<Content, DiskError> {
    let mut boot_record = [0; mbr::SECTOR_LEN];
    if device.len_bytes() < mbr::SECTOR_BYTES {
        return Ok(Content::Bare);
    }
    device.read_at(0, &mut boot_record)?;
    let gpt_sector = gpt::find_header(device)?;
    let kind = if gpt_sector.is_some() || mbr::is_protective(&boot_record) {
        TableKind::Gpt
    } else if mbr::has_partitions(&boot_record) {
        TableKind::Mbr
    } else {
        return Ok(Content::Bare);
    };
    // Boot loaders in a file system's own first kilobyte have an MBR's mark, but no partitions.
    if holds(device, 0, device.len_bytes())? == Holds::Ext {
        return Err(DiskError::Ambiguous { table: kind });
    }
    let mut table = match kind {
        TableKind::Gpt => gpt::read(device, gpt_sector, &boot_record)?,
        TableKind::Mbr => mbr::read(device, &boot_record)?,
    };
    for partition in &mut table.partitions {
        if partition.len_bytes == 0 || partition.end_bytes() > device.len_bytes() {
            let what = format!("partition {} does not lie on the disk", partition.number);
            return Err(DiskError::damaged(kind, what));
        }
        partition.holds = holds(device, partition.start_bytes, partition.len_bytes)?;
        if partition.holds == Holds::Ext {
            partition.volume_name = ext_label(device, partition.start_bytes)?;
        }
    }
    Ok(Content::Disk(table))
}
