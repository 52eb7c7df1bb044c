//! `image mount`: an image's file system mounted by the kernel, for root. Everything else here does without.

use std::path::PathBuf;

use super::super::super::error::CommandError;
use super::super::Context;
use super::target::PartitionArgs;
use crate::bake::{self, MountError};

/// Mount an image's file system; needs root
///
/// `umount DIRECTORY` takes it away again, and its loop device with it. While it is mounted, other commands do not edit
/// the image. Every other command works without root, mount and loop device.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The image: raw, or a whole disk
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// The directory to mount it on
    #[arg(value_name = "DIRECTORY")]
    directory: PathBuf,
    /// Mount it for reading only
    #[arg(short, long)]
    read_only: bool,
    #[command(flatten)]
    partition: PartitionArgs,
}

/// Mounts it, after an edit that was cut short is completed.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    if !context.environment.is_root {
        return Err(CommandError::work("only root can mount an image")
            .hint("`image ls`, `image cat` and `image cp` look into images as any user"));
    }
    bake::mount_image(
        &arguments.image,
        arguments.partition.choice(),
        &arguments.directory,
        arguments.read_only,
    )
    .map_err(|error| match error {
        MountError::Image(error) => error.into(),
        error => CommandError::work(error),
    })
}
