//! Master boot records: four partitions, further ones in a chain, and the record that protects a GPT
//! (<https://uefi.org/specs/UEFI/2.10/05_GUID_Partition_Table_Format.html>, section 5.2). Entries are changed in place:
//! boot code and signature around them stay.

use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::error::DiskError;
use super::kind::PartitionKind;
use super::signature::Holds;
use super::table::{Partition, Table, TableKind};
use crate::block::BlockDevice;

/// The length of the record; MBRs count in sectors of this length.
pub(super) const SECTOR_LEN: usize = 512;
/// [`SECTOR_LEN`] as offsets are counted.
pub(super) const SECTOR_BYTES: u64 = 512;

const BOOT_SIGNATURE: [u8; 2] = [0x55, 0xAA];
/// Where the disk's own four bytes lie.
const DISK_SIGNATURE_AT: usize = 440;
/// Where the four entries lie.
const ENTRIES_AT: usize = 446;
/// The type of the entry that protects a GPT.
const PROTECTIVE: u8 = 0xEE;
/// The types of partitions that hold a chain of further ones.
const EXTENDED: [u8; 3] = [0x05, 0x0F, 0x85];
/// The number of the first partition of the chain.
const FIRST_LOGICAL: u32 = 5;
/// How many partitions a chain may have.
const LOGICAL_MAX: u32 = 64;
/// Where partitions end if they may.
const ALIGN_BYTES: u64 = 1 << 20;

/// One entry as it lies on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct RawEntry {
    boot_indicator: u8,
    starting_chs: [u8; 3],
    os_type: u8,
    ending_chs: [u8; 3],
    starting_lba: U32,
    size_in_lba: U32,
}

const _: () = assert!(size_of::<RawEntry>() == 16);

/// The four entries of a record, or nothing if it has no signature.
fn entries(record: &[u8; SECTOR_LEN]) -> Option<[RawEntry; 4]> {
    let (entries, rest) = <[RawEntry; 4]>::read_from_prefix(record.get(ENTRIES_AT..)?).ok()?;
    (rest == BOOT_SIGNATURE).then_some(entries)
}

/// Whether the record says that the disk has a GPT.
pub(super) fn is_protective(record: &[u8; SECTOR_LEN]) -> bool {
    entries(record).is_some_and(|entries| entries.iter().any(|entry| entry.os_type == PROTECTIVE))
}

/// Whether the record has entries that name partitions: a boot sector's code in their place does not look so.
pub(super) fn has_partitions(record: &[u8; SECTOR_LEN]) -> bool {
    let Some(entries) = entries(record) else {
        return false;
    };
    let is_entry = |entry: &RawEntry| {
        matches!(entry.boot_indicator, 0 | 0x80)
            && (entry.os_type == 0 || (entry.starting_lba.get() > 0 && entry.size_in_lba.get() > 0))
    };
    entries.iter().all(is_entry) && entries.iter().any(|entry| entry.os_type != 0)
}

/// Whether the partition lies in a chain.
pub(super) fn is_logical(kind: TableKind, number: u32) -> bool {
    kind == TableKind::Mbr && number >= FIRST_LOGICAL
}

/// Reads the four partitions and the chain.
pub(super) fn read(device: &dyn BlockDevice, record: &[u8; SECTOR_LEN]) -> Result<Table, DiskError> {
    let signature = record
        .get(DISK_SIGNATURE_AT..)
        .and_then(|rest| rest.first_chunk())
        .map_or(0, |bytes| u32::from_le_bytes(*bytes));
    let mut partitions = Vec::new();
    for (number, entry) in (1..).zip(entries(record).into_iter().flatten()) {
        if EXTENDED.contains(&entry.os_type) {
            chain(
                device,
                entry.starting_lba.get().into(),
                signature,
                &mut partitions,
            )?;
        } else if entry.os_type != 0 {
            partitions.push(partition(
                number,
                entry.starting_lba.get().into(),
                entry,
                signature,
            ));
        }
    }
    partitions.sort_by_key(|partition| partition.number);
    super::gpt::check_apart(&partitions).map_err(|error| match error {
        DiskError::Damaged { what, .. } => DiskError::damaged(TableKind::Mbr, what),
        other => other,
    })?;
    Ok(Table {
        kind: TableKind::Mbr,
        sector_bytes: SECTOR_BYTES,
        id: format!("{signature:08x}"),
        partitions,
    })
}

/// Where the last partition of a disk of `disk_len_bytes` may end.
pub(super) fn last_end_bytes(disk_len_bytes: u64) -> Result<u64, DiskError> {
    if disk_len_bytes.div_euclid(SECTOR_BYTES) > u64::from(u32::MAX) {
        return Err(DiskError::TooLong {
            table: TableKind::Mbr,
            len_bytes: disk_len_bytes,
        });
    }
    Ok(disk_len_bytes.saturating_sub(disk_len_bytes.rem_euclid(ALIGN_BYTES)))
}

/// Makes the partition `number` `len_bytes` long.
pub(super) fn grow(device: &dyn BlockDevice, number: u32, len_bytes: u64) -> Result<(), DiskError> {
    let sectors = u32::try_from(len_bytes / SECTOR_BYTES).map_err(|_| DiskError::TooLong {
        table: TableKind::Mbr,
        len_bytes: device.len_bytes(),
    })?;
    change_entries(device, |found, entry| {
        if found == number && entry.size_in_lba.get() < sectors {
            entry.size_in_lba.set(sectors);
            entry.ending_chs = last_chs(entry);
        }
    })
}

/// Changes the four entries in place.
fn change_entries(
    device: &dyn BlockDevice,
    mut change: impl FnMut(u32, &mut RawEntry),
) -> Result<(), DiskError> {
    let mut record = [0; SECTOR_LEN];
    device.read_at(0, &mut record)?;
    let places = (ENTRIES_AT..).step_by(size_of::<RawEntry>());
    let entries = entries(&record).into_iter().flatten();
    for ((number, mut entry), place) in (1..).zip(entries).zip(places) {
        change(number, &mut entry);
        let slot = record.get_mut(place..).unwrap_or_default();
        if let Some(slot) = slot.get_mut(..size_of::<RawEntry>()) {
            slot.copy_from_slice(entry.as_bytes());
        }
    }
    Ok(device.write_at(0, &record)?)
}

/// Makes the entry that protects a GPT cover the disk; all else of the record stays.
pub(super) fn stretch_protection(device: &dyn BlockDevice, sector_bytes: u64) -> Result<(), DiskError> {
    let covered = covered_sectors(device, sector_bytes);
    let mut record = [0; SECTOR_LEN];
    device.read_at(0, &mut record)?;
    // In a hybrid record the entry covers less on purpose.
    let used = entries(&record)
        .into_iter()
        .flatten()
        .filter(|entry| entry.os_type != 0);
    if used.count() > 1 {
        return Ok(());
    }
    change_entries(device, |_, entry| {
        // Some tools write the largest number, whatever the disk's length.
        if entry.os_type == PROTECTIVE && entry.size_in_lba.get() != u32::MAX {
            entry.size_in_lba.set(covered);
        }
    })
}

fn covered_sectors(device: &dyn BlockDevice, sector_bytes: u64) -> u32 {
    let sectors = device.len_bytes().checked_div(sector_bytes).unwrap_or_default();
    u32::try_from(sectors.saturating_sub(1)).unwrap_or(u32::MAX)
}

/// Follows the chain of the extended partition at sector `extended`.
fn chain(
    device: &dyn BlockDevice,
    extended: u64,
    signature: u32,
    partitions: &mut Vec<Partition>,
) -> Result<(), DiskError> {
    let mut place = extended;
    for number in (FIRST_LOGICAL..).take(usize::try_from(LOGICAL_MAX).unwrap_or_default()) {
        let offset = place.saturating_mul(SECTOR_BYTES);
        let mut record = [0; SECTOR_LEN];
        if offset.saturating_add(SECTOR_BYTES) > device.len_bytes() {
            return Err(DiskError::damaged(
                TableKind::Mbr,
                "its chain of partitions leaves the disk",
            ));
        }
        device.read_at(offset, &mut record)?;
        let Some([own, next, ..]) = entries(&record) else {
            return Ok(());
        };
        if own.os_type != 0 {
            let start = place.saturating_add(own.starting_lba.get().into());
            partitions.push(partition(number, start, own, signature));
        }
        if next.os_type == 0 || next.starting_lba.get() == 0 {
            return Ok(());
        }
        place = extended.saturating_add(next.starting_lba.get().into());
    }
    Err(DiskError::damaged(
        TableKind::Mbr,
        "its chain of partitions does not end",
    ))
}

fn partition(number: u32, start: u64, entry: RawEntry, signature: u32) -> Partition {
    Partition {
        number,
        start_bytes: start.saturating_mul(SECTOR_BYTES),
        len_bytes: u64::from(entry.size_in_lba.get()).saturating_mul(SECTOR_BYTES),
        kind: PartitionKind::Mbr(entry.os_type),
        label: String::new(),
        partuuid: format!("{signature:08x}-{number:02x}"),
        holds: Holds::Unknown,
        volume_name: String::new(),
    }
}

/// The address of the entry's last sector as cylinder, head and sector of 255 heads and 63 sectors; the last address
/// there is where it lies beyond.
fn last_chs(entry: &RawEntry) -> [u8; 3] {
    const BEYOND: [u8; 3] = [254, 0xFF, 0xFF];
    let last = entry
        .starting_lba
        .get()
        .saturating_add(entry.size_in_lba.get())
        .saturating_sub(1);
    let (track, sector) = (last / 63, last % 63);
    let (cylinder, head) = (track / 255, track % 255);
    let Some(high) = u8::try_from(cylinder / 256).ok().filter(|high| *high < 4) else {
        return BEYOND;
    };
    let narrow = |number: u32| u8::try_from(number).unwrap_or(u8::MAX);
    let sector = narrow(sector).saturating_add(1) | high.wrapping_shl(6);
    [narrow(head), sector, narrow(cylinder % 256)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_by_cylinder_head_and_sector_are_those_of_sfdisk() {
        // The ends of partitions as `sfdisk` writes them on disks of 255 heads and 63 sectors.
        for (start, len, expected) in [
            (2048, 2048, [0x41, 0x01, 0x00]),
            (2048, 204_800, [0xdf, 0x13, 0x0c]),
            (2048, 20_971_520, [0xfe, 0xff, 0xff]),
        ] {
            let entry = RawEntry {
                boot_indicator: 0,
                starting_chs: [0; 3],
                os_type: 0x83,
                ending_chs: [0; 3],
                starting_lba: U32::new(start),
                size_in_lba: U32::new(len),
            };
            assert_eq!(last_chs(&entry), expected, "{start} {len}");
        }
    }
}
