//! `image rebase`: a delta laid over another raw file.

use std::path::PathBuf;

use super::super::super::error::CommandError;
use super::super::Context;
use super::target::{PartitionArgs, open};
use crate::base::atomic::Durability;
use crate::image;

/// Lay a delta image, of qcow2 or uml-cow, over another raw image; what the guest sees stays the same
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// The raw image that it shall lie over, such as a template that has moved
    #[arg(value_name = "BACKING")]
    backing: PathBuf,
    #[command(flatten)]
    partition: PartitionArgs,
}

/// Writes the image anew in its own place.
pub(crate) fn run(arguments: &Args, _context: &Context<'_>) -> Result<(), CommandError> {
    let path = &arguments.image;
    let opened = image::open(path).map_err(CommandError::work)?;
    let block_bytes = open(path, &arguments.partition)?.block_size().bytes();
    let file = image::rebase(&opened, &arguments.backing, block_bytes, path).map_err(CommandError::work)?;
    Ok(file.persist(Durability::Sync)?)
}
