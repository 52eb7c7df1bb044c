//! `image dump`: every structure of a file system as text.

use std::path::PathBuf;

use serde_json::json;

use super::super::super::error::CommandError;
use super::super::Context;
use super::target::{PartitionArgs, failed};
use crate::bake;
use crate::ext::{ExtError, Record};

/// Show every structure of an image's file system as stable text
///
/// Superblock, groups, bitmaps, journal, and of every inode its fields, runs of blocks (`block of the file -> block of the
/// image +count`), attributes and entries. What a journal has left to replay is shown as replayed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    #[command(flatten)]
    partition: PartitionArgs,
}

/// What ends a dump.
enum End {
    Ext(ExtError),
    Answer(CommandError),
}

impl From<ExtError> for End {
    fn from(error: ExtError) -> Self {
        Self::Ext(error)
    }
}

/// Prints one record after the other; with `--json` one JSON document a line.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let image = &arguments.image;
    let fs = bake::open_image(image, arguments.partition.choice())?.fs;
    let mut text = String::new();
    let dumped = fs.dump(|record| {
        if context.json {
            text.push_str(&as_json(&record));
            text.push('\n');
        } else {
            text.push_str(&record.to_string());
        }
        if text.len() > 1 << 16 {
            context.ui.answer(&text).map_err(End::Answer)?;
            text.clear();
        }
        Ok(())
    });
    match dumped {
        Ok(()) => context.ui.answer(&text),
        Err(End::Answer(error)) => Err(error),
        Err(End::Ext(error)) => Err(failed(image, error)),
    }
}

fn as_json(record: &Record) -> String {
    let fields: Vec<_> = record
        .fields
        .iter()
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    json!({"what": record.what, "fields": fields}).to_string()
}
