//! What can be wrong with a disk's partitions.

use super::table::{Partition, Table, TableKind};
use crate::block::DeviceError;

/// Says why a disk's partitions could not be used.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The device looks like a disk and like a file system.
    #[error("it is both an ext file system and a disk with {}", table.words())]
    Ambiguous {
        /// The table that was found.
        table: TableKind,
    },
    /// The partition table contradicts itself.
    #[error("its {} is damaged: {what}", table.words())]
    Damaged {
        /// The kind of table.
        table: TableKind,
        /// What is wrong.
        what: String,
    },
    /// The table has a form that is not edited.
    #[error("its {} is of a kind that is not supported: {what}", table.words())]
    Unsupported {
        /// The kind of table.
        table: TableKind,
        /// What is not supported.
        what: &'static str,
    },
    /// No partition, or more than one, could be the root.
    #[error("{}; its partitions are:{}", unclear(candidates), list(partitions))]
    RootUnclear {
        /// The numbers of the partitions that could be it.
        candidates: Vec<u32>,
        /// All partitions.
        partitions: Vec<Partition>,
    },
    /// No partition is the one that was named.
    #[error("it has no partition `{choice}`; its partitions are:{}", list(partitions))]
    NoSuchPartition {
        /// The number, label or PARTUUID.
        choice: String,
        /// All partitions.
        partitions: Vec<Partition>,
    },
    /// A label names more than one partition.
    #[error(
        "it has more than one partition `{choice}`; its partitions are:{}",
        list(partitions)
    )]
    ChoiceUnclear {
        /// The label.
        choice: String,
        /// All partitions.
        partitions: Vec<Partition>,
    },
    /// A partition was named, but there are none.
    #[error("it has no partitions, so that `{choice}` names none")]
    NoTable {
        /// The number, label or PARTUUID.
        choice: String,
    },
    /// Another partition lies behind the one that shall grow.
    #[error(
        "partition {number} cannot grow, since partition {behind} lies behind it; its partitions are:{}",
        list(partitions)
    )]
    NotLast {
        /// The partition that shall grow.
        number: u32,
        /// The last one.
        behind: u32,
        /// All partitions.
        partitions: Vec<Partition>,
    },
    /// The new length is more than the table can count.
    #[error("a disk with {} cannot be {len_bytes} bytes long", table.words())]
    TooLong {
        /// The kind of table.
        table: TableKind,
        /// The length that was asked for.
        len_bytes: u64,
    },
    /// The device failed.
    #[error("cannot read or write the partition table")]
    Device(#[from] DeviceError),
}

impl DiskError {
    /// What the user can do about it, one way a line.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::RootUnclear { .. } | Self::ChoiceUnclear { .. } => vec![
                "name the root by its number or PARTUUID: `root_partition N` in the project, or `--partition N`"
                    .to_owned(),
            ],
            Self::NotLast { .. } => {
                vec!["leave out `size` and `free_space`, or move the partition to the disk's end".to_owned()]
            }
            Self::Damaged {
                table: TableKind::Gpt,
                ..
            } => vec!["`gdisk` can mend a GPT from its other copy".to_owned()],
            _ => Vec::new(),
        }
    }

    /// The error for a table that contradicts itself.
    pub(super) fn damaged(table: TableKind, what: impl std::fmt::Display) -> Self {
        Self::Damaged {
            table,
            what: what.to_string(),
        }
    }

    /// The error for a `choice` that means nothing in `table`.
    pub(super) fn no_such(choice: &str, table: &Table) -> Self {
        Self::NoSuchPartition {
            choice: choice.to_owned(),
            partitions: table.partitions.clone(),
        }
    }
}

fn unclear(candidates: &[u32]) -> String {
    if candidates.is_empty() {
        return "no partition of it has an ext file system that could be the root".to_owned();
    }
    let numbers: Vec<String> = candidates.iter().map(u32::to_string).collect();
    format!("partitions {} of it could all be the root", numbers.join(", "))
}

/// One partition a line.
fn list(partitions: &[Partition]) -> String {
    if partitions.is_empty() {
        return " none".to_owned();
    }
    let lines: Vec<String> = partitions
        .iter()
        .map(|partition| format!("\n  {partition}"))
        .collect();
    lines.concat()
}
