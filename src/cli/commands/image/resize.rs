//! `image resize`: the file system of an image made longer or shorter, and the image's file with it.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::super::super::error::CommandError;
use super::super::Context;
use super::change::change;
use super::target::{PartitionArgs, failed};
use crate::bake::OfflineError;
use crate::base::ByteSize;
use crate::disk::find_root;
use crate::ext::{ExtError, FsBlock, ResizeReport};
use crate::image;

/// Make the file system of an image longer or shorter, and the image with it
///
/// Files and features stay as they are; what lies beyond the new end moves. A size that is too small is refused with
/// the least that is possible, and nothing changes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// The new size, such as 512M or 2G
    #[arg(value_name = "SIZE", required_unless_present = "minimum")]
    size: Option<ByteSize>,
    /// Make it as short as what it holds allows
    #[arg(long, conflicts_with = "size")]
    minimum: bool,
}

/// Resizes, and says from what to what.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let image = &arguments.image;
    if is_disk(image)? {
        let text = format!(
            "`{}` is a whole disk, whose partitions keep their lengths",
            image.display()
        );
        return Err(CommandError::work(text).hint(
            "an image that is one file system can be resized; a disk grows when a host is baked from it",
        ));
    }
    let (report, block_size) = change(image, &PartitionArgs::default(), context, |fs| {
        let block_size = fs.block_size();
        let blocks = match arguments.size {
            Some(size) => Ok(size.0 / u64::from(block_size.bytes())),
            None => fs.minimum_blocks(),
        };
        let report = blocks.and_then(|blocks| fs.resize(blocks));
        report
            .map(|report| (report, block_size))
            .map_err(|error| refused(image, error))
    })?;
    let bytes = |blocks| ByteSize(FsBlock(blocks).byte_offset(block_size));
    let (old, new) = (bytes(report.old_blocks), bytes(report.new_blocks));
    if context.json {
        return context.ui.answer_json(&facts(&report, old, new));
    }
    context
        .ui
        .answer(&format!("{}: from {old} to {new}\n", image.display()))
}

/// Whether the image has partitions.
fn is_disk(path: &Path) -> Result<bool, CommandError> {
    let device = image::open(path).map_err(OfflineError::from)?.device;
    // What cannot be read as a disk is not one, or is refused when it is opened as a whole.
    Ok(find_root(&device, None).is_ok_and(|root| root.partition().is_some()))
}

/// What happened, by name.
fn facts(report: &ResizeReport, old: ByteSize, new: ByteSize) -> serde_json::Value {
    json!({
        "old_length": old.0,
        "length": new.0,
        "old_blocks": report.old_blocks,
        "blocks": report.new_blocks,
        "old_groups": report.old_groups,
        "groups": report.new_groups,
        "moved_blocks": report.moved_blocks,
        "renumbered_inodes": report.renumbered_inodes,
    })
}

/// Why it was not done, with the way out.
fn refused(image: &Path, error: ExtError) -> CommandError {
    let hint = match &error {
        ExtError::BelowMinimum { minimum_bytes, .. } => Some(format!(
            "ask for `{}` or more, or for `--minimum`",
            ByteSize(*minimum_bytes)
        )),
        ExtError::BeyondLimit { largest_bytes, .. } => {
            Some(format!("ask for `{}` at most", ByteSize(*largest_bytes)))
        }
        _ => None,
    };
    let error = failed(image, error);
    hint.into_iter().fold(error, CommandError::hint)
}
