//! `image chown`: owners of files of an image.

use super::super::super::error::CommandError;
use super::super::Context;
use super::change::{change, inodes, one_image, resolve_owner, set_attributes};
use super::owner::OwnerArg;
use super::target::{PartitionArgs, Target, failed};
use crate::ext::Follow;

/// Change owner and group of files of an image
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The owner and group, as numbers or by the names that the image itself has for them: OWNER, OWNER:GROUP, OWNER:
    /// (its own group) or :GROUP
    #[arg(value_name = "OWNER:GROUP")]
    owner: OwnerArg,
    /// The files, all in one image; links are followed
    #[arg(value_name = "IMAGE:/PATH", required = true)]
    targets: Vec<Target>,
    /// Change directories with everything in them
    #[arg(short = 'R', long)]
    recursive: bool,
    /// Change a link itself, not what it leads to
    #[arg(short = 'H', long = "no-dereference")]
    no_dereference: bool,
    #[command(flatten)]
    partition: PartitionArgs,
}

/// Changes all or none.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let image = one_image(&arguments.targets)?;
    let follow = if arguments.no_dereference {
        Follow::NotLast
    } else {
        Follow::All
    };
    change(image, &arguments.partition, context, |fs| {
        let wanted = resolve_owner(fs, &arguments.owner, image)?;
        for target in &arguments.targets {
            for inode in inodes(fs, target, follow, arguments.recursive)? {
                set_attributes(fs, &inode, wanted).map_err(|error| failed(image, error))?;
            }
        }
        Ok(())
    })
}
