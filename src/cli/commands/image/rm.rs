//! `image rm`: files and trees removed from an image.

use super::super::super::error::CommandError;
use super::super::Context;
use super::change::{change, origin};
use super::target::{PartitionArgs, Target, find, open};
use crate::base::FileKind;
use crate::edit::{Edit, EditList};
use crate::ext::Follow;

/// Remove a file of an image, or a whole tree
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to remove; a link goes itself, not what it leads to
    #[arg(value_name = "IMAGE:/PATH")]
    target: Target,
    /// Remove a directory with everything in it
    #[arg(short, long)]
    recursive: bool,
    #[command(flatten)]
    partition: PartitionArgs,
}

/// Removes it.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let target = &arguments.target;
    let fs = open(&target.image, &arguments.partition)?;
    let inode = find(&fs, target, Follow::NotLast)?;
    if target.path.is_root() {
        return Err(CommandError::work("the root directory cannot be removed"));
    }
    if inode.kind == FileKind::Directory && !arguments.recursive {
        let text = format!("`{}` in `{}` is a directory", target.path, target.image.display());
        return Err(CommandError::work(text).hint("give -r to remove it with everything in it"));
    }
    let mut edits = EditList::new();
    edits.push(Edit::absent(target.path.clone(), origin()));
    change(&target.image, &arguments.partition, &edits, context)
}
