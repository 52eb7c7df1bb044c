//! `image cp`: files copied into an image or out of it.

use super::super::super::error::CommandError;
use super::super::Context;
use super::change::AttributeArgs;
use super::target::{PartitionArgs, Target};
use super::{copy_in, copy_out};

/// Copy between this machine and an image; `-` is standard input or output
#[derive(Debug, clap::Args)]
#[command(override_usage = "mln-image image cp [OPTIONS] HOSTPATH IMAGE:/PATH\n       \
                            mln-image image cp [OPTIONS] IMAGE:/PATH HOSTPATH")]
pub(crate) struct Args {
    /// What to copy
    #[arg(value_name = "FROM")]
    from: String,
    /// Where to; into it, if that is a directory
    #[arg(value_name = "TO")]
    to: String,
    /// Copy a directory with everything in it
    #[arg(short, long)]
    recursive: bool,
    #[command(flatten)]
    attributes: AttributeArgs,
    #[command(flatten)]
    partition: PartitionArgs,
}

/// Copies in the direction that the arguments show.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let place = |text: &str| Target::explicit(text).map_err(CommandError::usage);
    match (place(&arguments.from)?, place(&arguments.to)?) {
        (None, Some(to)) => copy_in::run(
            &arguments.from,
            &to,
            arguments.recursive,
            arguments.attributes,
            &arguments.partition,
            context,
        ),
        (Some(from), None) => copy_out::run(
            &from,
            &arguments.to,
            arguments.recursive,
            &arguments.partition,
            context,
        ),
        _ => Err(CommandError::usage("one of the two places has to be in an image")
            .hint("a place in an image is written IMAGE:/PATH, one of this machine as it is")),
    }
}
