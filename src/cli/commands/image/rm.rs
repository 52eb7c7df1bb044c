//! `image rm`: files and trees removed from an image.

use super::super::super::error::CommandError;
use super::super::Context;
use super::change::{change, one_image, place, present};
use super::target::{PartitionArgs, Target, failed, find};
use crate::base::FileKind;
use crate::ext::{Follow, Fs};

/// Remove files of an image, or whole trees
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to remove, all in one image; a link goes itself, not what it leads to
    #[arg(value_name = "IMAGE:/PATH", required = true)]
    targets: Vec<Target>,
    /// Remove directories with everything in them
    #[arg(short, long)]
    recursive: bool,
    /// Say nothing about files that are not there
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    partition: PartitionArgs,
}

/// Removes them, all or none.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    change(
        one_image(&arguments.targets)?,
        &arguments.partition,
        context,
        |fs| {
            arguments
                .targets
                .iter()
                .try_for_each(|target| remove(fs, target, arguments))
        },
    )
}

fn remove(fs: &mut Fs, target: &Target, arguments: &Args) -> Result<(), CommandError> {
    if target.path.is_root() {
        return Err(CommandError::work("the root directory cannot be removed"));
    }
    if arguments.force && present(fs, target)?.is_none() {
        return Ok(());
    }
    let inode = find(fs, target, Follow::NotLast)?;
    if inode.kind == FileKind::Directory && !arguments.recursive {
        let text = format!("`{}` in `{}` is a directory", target.path, target.image.display());
        return Err(CommandError::work(text).hint("give -r to remove it with everything in it"));
    }
    let (directory, name) = place(fs, target)?;
    fs.remove_tree(directory, &name)
        .map_err(|error| failed(&target.image, error))
}
