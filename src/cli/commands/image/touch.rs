//! `image touch`: times of files of an image.

use super::super::super::error::CommandError;
use super::super::Context;
use super::change::{change, now, one_image, place};
use super::target::{PartitionArgs, Target, failed};
use crate::bake;
use crate::base::Timestamp;
use crate::ext::{Follow, Fs, NewNode};

/// Set the times of files of an image, and make files that are missing
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The files, all in one image; links are followed
    #[arg(value_name = "IMAGE:/PATH", required = true)]
    targets: Vec<Target>,
    /// The time, in seconds since 1970; now, or `SOURCE_DATE_EPOCH`, unless given
    #[arg(short, long, value_name = "SECONDS", allow_hyphen_values = true)]
    time: Option<i64>,
    /// Make no file
    #[arg(short = 'c', long)]
    no_create: bool,
    #[command(flatten)]
    partition: PartitionArgs,
}

/// Touches all or none.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let time = match arguments.time {
        Some(seconds) => Timestamp::from_seconds(seconds),
        None => now(context)?,
    };
    change(
        one_image(&arguments.targets)?,
        &arguments.partition,
        context,
        |fs| {
            arguments
                .targets
                .iter()
                .try_for_each(|target| touch(fs, target, time, arguments.no_create))
        },
    )
}

fn touch(fs: &mut Fs, target: &Target, time: Timestamp, no_create: bool) -> Result<(), CommandError> {
    let failed = |error| failed(&target.image, error);
    let inode = match fs.lookup(&target.path, Follow::All).map_err(failed)? {
        Some(inode) => inode,
        None if no_create => return Ok(()),
        None => {
            let (directory, name) = place(fs, target)?;
            let new = NewNode {
                mode: 0o644,
                uid: 0,
                gid: 0,
            };
            let made = fs.create_file(directory, &name, new).map_err(failed)?;
            bake::label_new(fs, &target.path)?;
            made
        }
    };
    fs.set_times(inode, time, time).map_err(failed)
}
