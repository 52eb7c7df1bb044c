//! `image check`: whether an image's file system is sound.

use std::path::PathBuf;

use serde_json::json;

use super::super::super::error::CommandError;
use super::super::Context;
use super::target::PartitionArgs;
use crate::bake;

/// Check whether an image's file system is sound; nothing is changed
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    #[command(flatten)]
    partition: PartitionArgs,
}

/// Prints one finding a line, or that all is well; an error if there is any finding.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let image = &arguments.image;
    let (findings, recovery) = bake::check_image(image, arguments.partition.choice())?;
    if !recovery.is_empty() {
        let image = image.display();
        context.ui.note(&format!(
            "`{image}` was not unmounted cleanly; checked is what it will be once that is dealt with: {recovery}"
        ));
    }
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    if context.json {
        context
            .ui
            .answer_json(&json!({"clean": lines.is_empty(), "findings": lines}))?;
    } else if lines.is_empty() {
        context.ui.answer("clean\n")?;
    } else {
        context.ui.answer(&(lines.join("\n") + "\n"))?;
    }
    if lines.is_empty() {
        return Ok(());
    }
    let count = format!("`{}` is damaged in {} places", image.display(), lines.len());
    Err(CommandError::work(count).hint("`e2fsck -f` can mend it"))
}
