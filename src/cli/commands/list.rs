//! `list`: the projects that have been baked.

use super::super::error::CommandError;
use super::Context;
use crate::store::Projects;

/// List the projects that have been baked
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Prints one name a line, sorted.
pub(crate) fn run(Args {}: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let names = Projects::at(&context.places.projects).baked()?;
    if context.json {
        return context.ui.answer_json(&names);
    }
    let lines: Vec<String> = names.into_iter().map(|name| name + "\n").collect();
    context.ui.answer(&lines.concat())
}
