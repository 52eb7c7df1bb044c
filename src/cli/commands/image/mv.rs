//! `image mv`: files and directories of an image given other names.

use super::super::super::error::CommandError;
use super::super::Context;
use super::change::{change, one_image, place};
use super::target::{PartitionArgs, Target, failed, find};
use crate::base::FileKind;
use crate::ext::{Follow, Fs};

/// Give a file or directory of an image another name or place
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to move, and at last where to, all in one image; into it, if that is a directory
    #[arg(value_name = "IMAGE:/PATH", required = true, num_args = 2..)]
    targets: Vec<Target>,
    /// Leave what is there already alone, and say so
    #[arg(short, long)]
    no_clobber: bool,
    #[command(flatten)]
    partition: PartitionArgs,
}

/// Moves all or nothing.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let image = one_image(&arguments.targets)?;
    let Some((to, from)) = arguments.targets.split_last() else {
        return Ok(());
    };
    change(image, &arguments.partition, context, |fs| {
        let present = fs.lookup(&to.path, Follow::All);
        let present = present.and_then(|found| found.map(|inode| fs.inode(inode)).transpose());
        let present = present.map_err(|error| failed(image, error))?;
        let into = present.is_some_and(|inode| inode.kind == FileKind::Directory);
        if !into && from.len() > 1 {
            let text = format!("`{}` in `{}` is not a directory", to.path, image.display());
            return Err(CommandError::work(text));
        }
        from.iter()
            .try_for_each(|from| rename(fs, from, to, into, arguments.no_clobber))
    })
}

fn rename(fs: &mut Fs, from: &Target, to: &Target, into: bool, no_clobber: bool) -> Result<(), CommandError> {
    let moved = find(fs, from, Follow::NotLast)?;
    let (from_directory, from_name) = place(fs, from)?;
    let mut to = to.clone();
    if into {
        to.path = to.path.join(&from_name).map_err(CommandError::work)?;
    } else if to.has_trailing_slash && moved.kind != FileKind::Directory {
        let text = format!("`{}` in `{}` is not a directory", to.path, to.image.display());
        return Err(CommandError::work(text));
    }
    if no_clobber && super::change::present(fs, &to)?.is_some() {
        return Err(super::change::exists(&to));
    }
    let (to_directory, to_name) = place(fs, &to)?;
    fs.rename((from_directory, &from_name), (to_directory, &to_name))
        .map_err(|error| failed(&to.image, error))
}
