//! `image flatten`: a delta as a raw image that needs nothing beside it.

use std::path::PathBuf;

use super::super::super::error::CommandError;
use super::super::Context;
use crate::base::atomic::Durability;
use crate::image;

/// Write a delta image, of qcow2 or uml-cow, as a raw image that stands alone
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// The raw image
    #[arg(value_name = "OUTPUT")]
    output: PathBuf,
}

/// Writes the raw image.
pub(crate) fn run(arguments: &Args, _context: &Context<'_>) -> Result<(), CommandError> {
    let opened = image::open(&arguments.image).map_err(CommandError::work)?;
    let file = image::flatten(&opened, &arguments.output).map_err(CommandError::work)?;
    Ok(file.persist(Durability::Sync)?)
}
