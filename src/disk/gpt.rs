//! GUID partition tables, read and written by `gptman`; what that crate takes on trust is checked here first
//! (<https://uefi.org/specs/UEFI/2.10/05_GUID_Partition_Table_Format.html>).

use std::io::{Seek as _, SeekFrom};
use std::ops::Range;

use gptman::{GPT, GPTHeader, GPTPartitionEntry};
use uuid::Uuid;
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use super::cursor::DeviceCursor;
use super::error::DiskError;
use super::kind::{LINUX, PartitionKind};
use super::mbr;
use super::signature::Holds;
use super::table::{Partition, Table, TableKind};
use crate::block::{BlockDevice, DeviceError};

const SIGNATURE: &[u8; 8] = b"EFI PART";

/// The sector lengths that disks have.
const SECTORS_BYTES: [u64; 2] = [512, 4096];

/// The most entries that a table may have; the usual number is 128.
const ENTRIES_MAX: u32 = 1024;

/// The only length of an entry that is in use.
const ENTRY_BYTES: u32 = 128;

/// Partitions end at multiples of this where they may.
const ALIGN_BYTES: u64 = 1 << 20;

/// The first bytes of a header (section 5.3.2).
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct RawHeader {
    signature: [u8; 8],
    revision: U32,
    header_size: U32,
    header_crc32: U32,
    reserved: U32,
    my_lba: U64,
    alternate_lba: U64,
    first_usable_lba: U64,
    last_usable_lba: U64,
    disk_guid: [u8; 16],
    partition_entry_lba: U64,
    number_of_partition_entries: U32,
    size_of_partition_entry: U32,
    partition_entry_array_crc32: U32,
}

const _: () = assert!(size_of::<RawHeader>() == 92);

/// The sector length with which there is a header in sector 1.
pub(super) fn find_header(device: &dyn BlockDevice) -> Result<Option<u64>, DeviceError> {
    for sector_bytes in SECTORS_BYTES {
        let mut found = [0; 8];
        if device.len_bytes() >= sector_bytes.saturating_mul(2) {
            device.read_at(sector_bytes, &mut found)?;
        }
        if found == *SIGNATURE {
            return Ok(Some(sector_bytes));
        }
    }
    Ok(None)
}

/// Reads the table whose first header lies in sector 1 of `sector_bytes`.
pub(super) fn read(
    device: &dyn BlockDevice,
    sector_bytes: Option<u64>,
    boot_record: &[u8; mbr::SECTOR_LEN],
) -> Result<Table, DiskError> {
    let damaged = |what: &str| DiskError::damaged(TableKind::Gpt, what);
    let sector_bytes = sector_bytes.ok_or_else(|| damaged("its first copy is not there"))?;
    if !mbr::is_protective(boot_record) {
        return Err(damaged("there is no MBR that protects it"));
    }
    let gpt = load(device, sector_bytes)?;
    let mut partitions = Vec::new();
    for (number, entry) in gpt.iter().filter(|(_, entry)| entry.is_used()) {
        partitions.push(partition(number, entry, sector_bytes)?);
    }
    check_apart(&partitions)?;
    Ok(Table {
        kind: TableKind::Gpt,
        sector_bytes,
        id: Uuid::from_bytes_le(gpt.header.disk_guid).to_string(),
        partitions,
    })
}

/// Makes a table with one partition, of Linux, that has the bytes of `range`: whole sectors of 512 bytes.
pub(super) fn create(
    device: &dyn BlockDevice,
    range: Range<u64>,
    disk_id: Uuid,
    partition_id: Uuid,
) -> Result<(), DiskError> {
    let [sector_bytes, _] = SECTORS_BYTES;
    let sector = |offset: u64| offset.checked_div(sector_bytes).unwrap_or_default();
    let mut cursor = DeviceCursor::new(device);
    let mut gpt = GPT::new_from(&mut cursor, sector_bytes, disk_id.to_bytes_le()).map_err(failed)?;
    let mut entry = GPTPartitionEntry::empty();
    entry.partition_type_guid = LINUX.to_bytes_le();
    entry.unique_partition_guid = partition_id.to_bytes_le();
    entry.starting_lba = sector(range.start);
    entry.ending_lba = sector(range.end).saturating_sub(1);
    entry.partition_name = "root".into();
    for (_, slot) in gpt.iter_mut().filter(|(number, _)| *number == 1) {
        slot.clone_from(&entry);
    }
    gpt.write_into(&mut cursor).map_err(failed)?;
    GPT::write_protective_mbr_into(&mut cursor, sector_bytes).map_err(failed)
}

/// Where the last partition of a disk of `disk_len_bytes` may end.
pub(super) fn last_end_bytes(disk_len_bytes: u64, sector_bytes: u64) -> u64 {
    let array_bytes = u64::from(ENTRY_BYTES).saturating_mul(u64::from(ENTRIES_MAX));
    let behind = array_bytes.saturating_add(sector_bytes.saturating_mul(2));
    let end = disk_len_bytes.saturating_sub(behind);
    let beyond = end.checked_rem(ALIGN_BYTES).unwrap_or_default();
    end.saturating_sub(beyond)
}

/// Moves the second copy to the end of `device`, and makes the partition `number` `len_bytes` long.
pub(super) fn grow(
    device: &dyn BlockDevice,
    sector_bytes: u64,
    number: u32,
    len_bytes: u64,
) -> Result<(), DiskError> {
    let mut gpt = load(device, sector_bytes)?;
    let first_usable = gpt.header.first_usable_lba;
    let mut cursor = DeviceCursor::new(device);
    gpt.header
        .update_from(&mut cursor, sector_bytes)
        .map_err(failed)?;
    gpt.header.first_usable_lba = first_usable;
    let sectors = len_bytes.checked_div(sector_bytes).unwrap_or_default();
    for (_, entry) in gpt.iter_mut().filter(|(found, _)| *found == number) {
        let last = entry.starting_lba.saturating_add(sectors).saturating_sub(1);
        entry.ending_lba = entry.ending_lba.max(last);
    }
    gpt.write_into(&mut cursor).map_err(failed)?;
    mbr::stretch_protection(device, sector_bytes)
}

/// Reads the first copy, whose numbers are checked before they are used.
fn load(device: &dyn BlockDevice, sector_bytes: u64) -> Result<GPT, DiskError> {
    check(device, sector_bytes)?;
    let mut cursor = DeviceCursor::new(device);
    cursor
        .seek(SeekFrom::Start(sector_bytes))
        .map_err(|error| failed(error.into()))?;
    let header = GPTHeader::read_from(&mut cursor).map_err(failed)?;
    let entries = header
        .read_partitions(&mut cursor, sector_bytes)
        .map_err(failed)?;
    let is_outside = |entry: &GPTPartitionEntry| {
        entry.starting_lba < header.first_usable_lba
            || entry.ending_lba < entry.starting_lba
            || entry.ending_lba > header.last_usable_lba
    };
    if entries.iter().any(|entry| entry.is_used() && is_outside(entry)) {
        return Err(DiskError::damaged(
            TableKind::Gpt,
            "a partition lies outside the usable sectors",
        ));
    }
    // Both parts of the first copy are sound, so that this takes them and not the second.
    GPT::read_from(&mut cursor, sector_bytes).map_err(failed)
}

/// Checks the numbers of the first header that lead to other places.
fn check(device: &dyn BlockDevice, sector_bytes: u64) -> Result<(), DiskError> {
    let mut bytes = [0; size_of::<RawHeader>()];
    device.read_at(sector_bytes, &mut bytes)?;
    let damaged = |what: &str| Err(DiskError::damaged(TableKind::Gpt, what));
    let Ok((header, _)) = RawHeader::ref_from_prefix(&bytes) else {
        return damaged("it is cut off");
    };
    let sectors = device.len_bytes().checked_div(sector_bytes).unwrap_or_default();
    let entries = header.number_of_partition_entries.get();
    if header.size_of_partition_entry.get() != ENTRY_BYTES || header.partition_entry_lba.get() != 2 {
        return Err(DiskError::Unsupported {
            table: TableKind::Gpt,
            what: "its entries are not 128 bytes long, or do not begin in sector 2",
        });
    }
    if entries == 0 || entries > ENTRIES_MAX {
        return damaged("its number of entries is not between 1 and 1024");
    }
    let array = u64::from(entries).saturating_mul(u64::from(ENTRY_BYTES));
    let array_sectors = array.div_ceil(sector_bytes);
    // Both copies with their headers and the MBR.
    if array_sectors.saturating_mul(2).saturating_add(3) >= sectors {
        return damaged("the disk has no room for it");
    }
    let (first, last) = (header.first_usable_lba.get(), header.last_usable_lba.get());
    if header.my_lba.get() != 1 || first < array_sectors.saturating_add(2) || last >= sectors {
        return damaged("it does not fit the disk");
    }
    Ok(())
}

fn partition(number: u32, entry: &GPTPartitionEntry, sector_bytes: u64) -> Result<Partition, DiskError> {
    let outside = || {
        DiskError::damaged(
            TableKind::Gpt,
            format!("partition {number} does not lie on the disk"),
        )
    };
    let end = entry.ending_lba.checked_add(1).ok_or_else(outside)?;
    let sectors = end.checked_sub(entry.starting_lba).ok_or_else(outside)?;
    let bytes = |sectors: u64| sectors.checked_mul(sector_bytes).ok_or_else(outside);
    Ok(Partition {
        number,
        start_bytes: bytes(entry.starting_lba)?,
        len_bytes: bytes(sectors)?,
        kind: PartitionKind::Gpt(Uuid::from_bytes_le(entry.partition_type_guid)),
        label: entry.partition_name.as_str().to_owned(),
        partuuid: Uuid::from_bytes_le(entry.unique_partition_guid).to_string(),
        holds: Holds::Unknown,
        volume_name: String::new(),
    })
}

/// Refuses partitions that overlap.
pub(super) fn check_apart(partitions: &[Partition]) -> Result<(), DiskError> {
    let mut sorted: Vec<&Partition> = partitions.iter().collect();
    sorted.sort_by_key(|partition| partition.start_bytes);
    for (one, next) in sorted.iter().zip(sorted.iter().skip(1)) {
        if one.end_bytes() > next.start_bytes {
            let what = format!("partitions {} and {} overlap", one.number, next.number);
            return Err(DiskError::damaged(TableKind::Gpt, what));
        }
    }
    Ok(())
}

fn failed(error: gptman::Error) -> DiskError {
    DiskError::damaged(TableKind::Gpt, error)
}
