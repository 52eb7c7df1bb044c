//! `manifest`: what can be done with manifests by themselves.

use std::fs;
use std::path::PathBuf;

use super::super::error::CommandError;
use super::Context;
use crate::bake;
use crate::base::PathError;
use crate::base::atomic::{self, Durability};

/// Work with the manifests of bakes
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

/// What to do.
#[derive(Debug, clap::Subcommand)]
enum Action {
    Merge(MergeArgs),
}

/// Make one manifest of those that `bake --shard` made of the parts of a project
#[derive(Debug, clap::Args)]
struct MergeArgs {
    /// The manifests, in any order
    #[arg(value_name = "MANIFEST", required = true)]
    manifests: Vec<PathBuf>,
    /// Write the whole to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Does what was asked.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let Action::Merge(arguments) = &arguments.action;
    let texts = arguments
        .manifests
        .iter()
        .map(|path| fs::read(path).map_err(PathError::on("read", path)))
        .collect::<Result<Vec<_>, _>>()?;
    let whole = bake::merge(&texts).map_err(CommandError::work)?;
    match &arguments.output {
        Some(path) => Ok(atomic::write(path, &whole, Durability::Sync)?),
        None => context.ui.answer_bytes(&whole),
    }
}
