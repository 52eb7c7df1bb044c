//! `image info`: what file system an image holds, and how full it is.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use super::super::super::error::{CommandError, chain};
use super::super::Context;
use super::target::{open, printable};
use crate::base::Timestamp;
use crate::block::FileDevice;
use crate::ext::{Fs, Superblock};

/// Show what file system an image holds, and how full it is
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
}

/// Prints one `name: value` a line.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let fs = open(&arguments.image)?;
    let device = Arc::new(FileDevice::open(&arguments.image)?);
    let state = match Fs::open_for_edit(device, Timestamp::default()) {
        Ok(_) => "can be edited".to_owned(),
        Err(error) => chain(&error),
    };
    let superblock = fs.superblock();
    let usage = fs.usage();
    let geometry = superblock.geometry();
    let facts = [
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
    ];
    if context.json {
        let object = facts
            .into_iter()
            .map(|(name, value)| (name.replace(' ', "_"), value));
        return context.ui.answer_json(&object.collect::<serde_json::Map<_, _>>());
    }
    let lines = facts.map(|(name, value)| match value.as_str() {
        Some(text) => format!("{name}: {}\n", printable(text.as_bytes())),
        None => format!("{name}: {value}\n"),
    });
    context.ui.answer(&lines.concat())
}

fn features(superblock: &Superblock) -> String {
    superblock.features().names().collect::<Vec<_>>().join(" ")
}
