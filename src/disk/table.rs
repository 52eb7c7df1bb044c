//! A partition table as it was read: what everything else here works with.

use std::fmt;

use serde::Serialize;

use super::error::DiskError;
use super::kind::PartitionKind;
use super::signature::Holds;
use super::{gpt, mbr};
use crate::base::ByteSize;
use crate::block::{BlockDevice, zero};

/// The two kinds of partition table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TableKind {
    /// A GUID partition table.
    Gpt,
    /// A master boot record.
    Mbr,
}

/// A disk's partition table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// GPT or MBR.
    pub kind: TableKind,
    /// The length of a sector, in which the table counts.
    pub sector_bytes: u64,
    /// The disk's GUID, or the MBR's signature as eight hexadecimal digits.
    pub id: String,
    /// The partitions by number; an extended partition of an MBR is none.
    pub partitions: Vec<Partition>,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Its number, from 1.
    pub number: u32,
    /// Where it begins, in bytes of the disk.
    pub start_bytes: u64,
    /// Its length in bytes.
    pub len_bytes: u64,
    /// What the table says it is for.
    pub kind: PartitionKind,
    /// The name that a GPT gives it; empty in an MBR.
    pub label: String,
    /// What Linux calls its PARTUUID.
    pub partuuid: String,
    /// What its first bytes say it holds.
    pub holds: Holds,
    /// The volume name of the ext file system in it.
    pub volume_name: String,
}

impl TableKind {
    /// The words for messages.
    pub fn words(self) -> &'static str {
        match self {
            Self::Gpt => "GPT",
            Self::Mbr => "MBR partition table",
        }
    }
}

impl Partition {
    /// The first byte behind it.
    pub fn end_bytes(&self) -> u64 {
        self.start_bytes.saturating_add(self.len_bytes)
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}: {}, {}, {}",
            self.number,
            ByteSize(self.len_bytes),
            self.kind,
            self.holds.words()
        )?;
        for name in [&self.label, &self.volume_name] {
            if !name.is_empty() {
                write!(formatter, ", \"{}\"", name.escape_debug())?;
            }
        }
        write!(formatter, ", PARTUUID={}", self.partuuid)
    }
}

impl Table {
    /// The only EFI system partition; `None` where there is none or more than one.
    pub fn esp(&self) -> Option<&Partition> {
        let mut found = self.partitions.iter().filter(|partition| partition.kind.is_esp());
        found.next().filter(|_| found.next().is_none())
    }

    /// How long the partition `number`, which must be the last one, is on a disk of `disk_len_bytes`.
    pub(super) fn grown_len_bytes(&self, number: u32, disk_len_bytes: u64) -> Result<u64, DiskError> {
        let partition = self.last(number)?;
        let end = match self.kind {
            TableKind::Gpt => gpt::last_end_bytes(disk_len_bytes, self.sector_bytes),
            TableKind::Mbr => mbr::last_end_bytes(disk_len_bytes)?,
        };
        let end = end.max(partition.end_bytes());
        Ok(end.saturating_sub(partition.start_bytes))
    }

    /// Makes the disk `disk_len_bytes` long, and the partition `number`, which must be the last one, as long as that
    /// allows. Gives the partition's length in bytes.
    pub(super) fn grow(
        &self,
        device: &dyn BlockDevice,
        number: u32,
        disk_len_bytes: u64,
    ) -> Result<u64, DiskError> {
        let partition = self.last(number)?;
        let len_bytes = self.grown_len_bytes(number, disk_len_bytes)?;
        // A GPT's old second copy must not stay behind inside the partition.
        zero(device, partition.end_bytes(), device.len_bytes())?;
        device.set_len_bytes(disk_len_bytes)?;
        match self.kind {
            TableKind::Gpt => gpt::grow(device, self.sector_bytes, number, len_bytes)?,
            TableKind::Mbr => mbr::grow(device, number, len_bytes)?,
        }
        Ok(len_bytes)
    }

    /// The partition `number`, if no other lies behind it.
    fn last(&self, number: u32) -> Result<&Partition, DiskError> {
        let last = self
            .partitions
            .iter()
            .max_by_key(|partition| partition.end_bytes());
        match last {
            Some(last) if last.number == number && !mbr::is_logical(self.kind, number) => Ok(last),
            Some(last) if last.number == number => Err(DiskError::Unsupported {
                table: self.kind,
                what: "a logical partition does not grow",
            }),
            _ => Err(DiskError::NotLast {
                number,
                behind: last.map_or(0, |last| last.number),
                partitions: self.partitions.clone(),
            }),
        }
    }
}
