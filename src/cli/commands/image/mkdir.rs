//! `image mkdir`: a directory made in an image.

use super::super::super::error::CommandError;
use super::super::Context;
use super::change::{AttributeArgs, change, directory};
use super::target::{PartitionArgs, Target, failed, find, open};
use crate::base::FileKind;
use crate::edit::EditList;
use crate::ext::Follow;

/// Make a directory in an image
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The directory
    #[arg(value_name = "IMAGE:/PATH")]
    target: Target,
    /// Make missing parents too, and take a directory that is there already for made
    #[arg(short, long)]
    parents: bool,
    #[command(flatten)]
    attributes: AttributeArgs,
    #[command(flatten)]
    partition: PartitionArgs,
}

/// Makes it.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let target = &arguments.target;
    let fs = open(&target.image, &arguments.partition)?;
    let present = fs
        .lookup(&target.path, Follow::NotLast)
        .map_err(|error| failed(&target.image, error))?;
    if !arguments.parents {
        if present.is_some() {
            let text = format!(
                "`{}` is there already in `{}`",
                target.path,
                target.image.display()
            );
            return Err(CommandError::work(text));
        }
        let parent = Target {
            path: target.path.parent().unwrap_or_else(|| target.path.clone()),
            ..target.clone()
        };
        if find(&fs, &parent, Follow::All)?.kind != FileKind::Directory {
            let text = format!(
                "`{}` in `{}` is not a directory",
                parent.path,
                target.image.display()
            );
            return Err(CommandError::work(text));
        }
    }
    let mut edits = EditList::new();
    edits.push(directory(
        target.path.clone(),
        arguments.attributes.attributes(None),
    ));
    change(&target.image, &arguments.partition, &edits, context)
}
