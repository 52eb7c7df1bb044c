//! `graph`: a project as a picture.

use std::path::PathBuf;

use super::super::error::CommandError;
use super::Context;
use super::project_file::ProjectArgs;
use crate::base::atomic::{self, Durability};
use crate::project::graph;

/// Draw a project: its servers, networks, hosts and addresses, as SVG
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    project: ProjectArgs,
    /// Write DOT, for Graphviz, instead of SVG
    #[arg(long)]
    dot: bool,
    /// Write into this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Draws.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let project = arguments.project.load(context)?.project;
    let text = if arguments.dot {
        graph::dot(&project)
    } else {
        graph::svg(&project)
    };
    match &arguments.output {
        Some(path) => Ok(atomic::write(path, text.as_bytes(), Durability::Sync)?),
        None => context.ui.answer(&text),
    }
}
