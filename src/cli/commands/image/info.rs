//! `image info`: what file system an image holds, and how full it is.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::super::super::error::{CommandError, chain};
use super::super::Context;
use super::target::{PartitionArgs, printable};
use crate::bake;
use crate::disk::{Partition, Root};
use crate::ext::Superblock;
use crate::image::{self, ImageKind};

/// Show what file system an image holds, and how full it is
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    #[command(flatten)]
    partition: PartitionArgs,
}

/// Prints one `name: value` a line.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let image = &arguments.image;
    let opened = bake::open_image(image, arguments.partition.choice())?;
    let refusal = image::ensure_editable(image).err().map(|error| chain(&error));
    let state = match &opened.obstacle {
        Some(error) => chain(error),
        None if refusal.is_some() => refusal.unwrap_or_default(),
        None if opened.recovery.is_empty() => "can be edited".to_owned(),
        None => format!("can be edited, which begins with {}", opened.recovery),
    };
    let (fs, root) = (opened.fs, opened.root);
    let superblock = fs.superblock();
    let usage = fs.usage();
    let geometry = superblock.geometry();
    let mut facts = file_facts(image)?;
    facts.extend(disk_facts(&root));
    facts.extend([
        ("type", json!(superblock.type_name())),
        ("state", json!(state)),
        ("name", json!(String::from_utf8_lossy(superblock.volume_name()))),
        (
            "uuid",
            json!(uuid::Uuid::from_bytes(superblock.uuid()).to_string()),
        ),
        ("length", json!(superblock.len_bytes())),
        ("block size", json!(geometry.block_size.bytes())),
        ("blocks", json!(usage.blocks)),
        ("free blocks", json!(usage.free_blocks)),
        ("reserved blocks", json!(usage.reserved_blocks)),
        ("inodes", json!(usage.inodes)),
        ("free inodes", json!(usage.free_inodes)),
        ("inode size", json!(geometry.inode_size)),
        ("features", json!(features(superblock))),
    ]);
    if context.json {
        let object = facts
            .into_iter()
            .map(|(name, value)| (name.replace(' ', "_"), value));
        return context.ui.answer_json(&object.collect::<serde_json::Map<_, _>>());
    }
    let lines: Vec<String> = facts.iter().map(|(name, value)| line(name, value)).collect();
    context.ui.answer(&lines.concat())
}

/// What kind of file the image is, and what it lies over; nothing for a raw one.
fn file_facts(path: &Path) -> Result<Vec<(&'static str, Value)>, CommandError> {
    let opened = image::open(path).map_err(CommandError::work)?;
    if opened.kind == ImageKind::Raw {
        return Ok(Vec::new());
    }
    let backing = opened
        .backing
        .map(|backing| ("backing", json!(backing.display().to_string())));
    Ok(std::iter::once(("format", json!(opened.kind.name())))
        .chain(backing)
        .collect())
}

/// What a whole disk has around the file system; nothing for an image that is one.
fn disk_facts(root: &Root) -> Vec<(&'static str, Value)> {
    let (Some(table), Some(partition)) = (root.table(), root.partition()) else {
        return Vec::new();
    };
    let all: Vec<Value> = table.partitions.iter().map(partition_fact).collect();
    vec![
        ("partition table", json!(table.kind)),
        ("disk id", json!(table.id)),
        ("partitions", json!(all)),
        ("partition", json!(partition.number)),
    ]
}

fn partition_fact(partition: &Partition) -> Value {
    json!({
        "number": partition.number,
        "start_bytes": partition.start_bytes,
        "len_bytes": partition.len_bytes,
        "kind": partition.kind.to_string(),
        "holds": partition.holds,
        "label": partition.label,
        "name": partition.volume_name,
        "partuuid": partition.partuuid,
    })
}

/// One fact as `name: value`; a list has one line for each item.
fn line(name: &str, value: &Value) -> String {
    match value {
        Value::String(text) => format!("{name}: {}\n", printable(text.as_bytes())),
        Value::Array(items) => items.iter().map(partition_line).collect::<Vec<_>>().concat(),
        other => format!("{name}: {other}\n"),
    }
}

fn features(superblock: &Superblock) -> String {
    superblock.features().names().collect::<Vec<_>>().join(" ")
}

/// One partition, its facts as `name=value`.
fn partition_line(partition: &Value) -> String {
    let fields = partition.as_object().into_iter().flatten();
    let texts = fields.filter(|(name, _)| *name != "number").map(|(name, value)| {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), ToOwned::to_owned);
        format!("{name}={}", printable(text.as_bytes()))
    });
    let texts: Vec<String> = texts.collect();
    format!("partition {}: {}\n", partition["number"], texts.join(" "))
}
