//! Which partition is the root: the one that was named, else the one whose type says so, else the only one with an ext
//! file system that its type claims for nothing else.

use super::error::DiskError;
use super::signature::Holds;
use super::table::{Partition, Table};

/// Chooses the root among the partitions of `table`; `choice` is a number, a PARTUUID or a label.
pub(super) fn choose<'a>(table: &'a Table, choice: Option<&str>) -> Result<&'a Partition, DiskError> {
    if let Some(choice) = choice {
        return named(table, choice);
    }
    let partitions = &table.partitions;
    let typed: Vec<&Partition> = partitions
        .iter()
        .filter(|partition| partition.kind.is_root())
        .collect();
    let candidates = if typed.is_empty() {
        partitions
            .iter()
            .filter(|partition| partition.kind.is_plain_linux() && partition.holds == Holds::Ext)
            .collect()
    } else {
        typed
    };
    match candidates[..] {
        [root] => Ok(root),
        _ => Err(DiskError::RootUnclear {
            candidates: candidates.iter().map(|partition| partition.number).collect(),
            partitions: partitions.clone(),
        }),
    }
}

fn named<'a>(table: &'a Table, choice: &str) -> Result<&'a Partition, DiskError> {
    let number = choice.parse().ok();
    let is_exact = |partition: &&Partition| {
        Some(partition.number) == number || partition.partuuid.eq_ignore_ascii_case(choice)
    };
    if let Some(found) = table.partitions.iter().find(is_exact) {
        return Ok(found);
    }
    let has_label = |partition: &&Partition| partition.label == choice || partition.volume_name == choice;
    let mut labelled = table.partitions.iter().filter(has_label);
    match (labelled.next(), labelled.next()) {
        (Some(found), None) => Ok(found),
        (None, _) => Err(DiskError::no_such(choice, table)),
        (Some(_), Some(_)) => Err(DiskError::ChoiceUnclear {
            choice: choice.to_owned(),
            partitions: table.partitions.clone(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::kind::{PartitionKind, ROOT_X86_64};
    use super::super::table::TableKind;
    use super::*;
    use uuid::uuid;

    fn partition(number: u32, kind: PartitionKind, holds: Holds, label: &str) -> Partition {
        Partition {
            number,
            start_bytes: u64::from(number) << 20,
            len_bytes: 1 << 20,
            kind,
            label: label.to_owned(),
            partuuid: format!("0000000{number}-0000"),
            holds,
            volume_name: String::new(),
        }
    }

    fn table(partitions: Vec<Partition>) -> Table {
        Table {
            kind: TableKind::Gpt,
            sector_bytes: 512,
            id: String::new(),
            partitions,
        }
    }

    const LINUX: PartitionKind = PartitionKind::Gpt(uuid!("0fc63daf-8483-4772-8e79-3d69d8477de4"));
    const BOOT: PartitionKind = PartitionKind::Gpt(uuid!("bc13c2ff-59e6-4262-a352-b275fd6f7172"));

    #[test]
    fn the_type_goes_before_the_only_ext_file_system() {
        let root = PartitionKind::Gpt(ROOT_X86_64);
        let disk = table(vec![
            partition(1, LINUX, Holds::Ext, ""),
            partition(2, root, Holds::Ext, ""),
        ]);
        assert_eq!(choose(&disk, None).unwrap().number, 2);
        let disk = table(vec![
            partition(1, BOOT, Holds::Ext, ""),
            partition(2, LINUX, Holds::Swap, ""),
            partition(3, LINUX, Holds::Ext, ""),
        ]);
        assert_eq!(choose(&disk, None).unwrap().number, 3);
    }

    #[test]
    fn two_that_could_be_it_are_an_error_that_lists_all() {
        let disk = table(vec![
            partition(1, LINUX, Holds::Ext, "a"),
            partition(2, LINUX, Holds::Ext, "b"),
        ]);
        assert_eq!(
            choose(&disk, None).unwrap_err().to_string(),
            "partitions 1, 2 of it could all be the root; its partitions are:\
             \n  1: 1M, Linux, ext, \"a\", PARTUUID=00000001-0000\
             \n  2: 1M, Linux, ext, \"b\", PARTUUID=00000002-0000"
        );
        assert!(matches!(
            choose(&table(Vec::new()), None),
            Err(DiskError::RootUnclear { .. })
        ));
    }

    #[test]
    fn a_partition_is_named_by_number_partuuid_or_label() {
        let disk = table(vec![
            partition(1, LINUX, Holds::Ext, "system"),
            partition(2, LINUX, Holds::Ext, "twin"),
            partition(3, LINUX, Holds::Ext, "twin"),
        ]);
        for choice in ["1", "system", "00000001-0000"] {
            assert_eq!(choose(&disk, Some(choice)).unwrap().number, 1, "{choice}");
        }
        assert!(matches!(
            choose(&disk, Some("twin")),
            Err(DiskError::ChoiceUnclear { .. })
        ));
        assert!(matches!(
            choose(&disk, Some("9")),
            Err(DiskError::NoSuchPartition { .. })
        ));
    }
}
