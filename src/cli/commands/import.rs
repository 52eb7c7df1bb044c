//! `import`: puts a project that was exported in its place.

use std::path::PathBuf;

use serde_json::json;

use super::super::error::CommandError;
use super::Context;
use super::durability::DurabilityArgs;
use crate::bake::{self, ArchiveError};
use crate::store::{Projects, StoreError};

/// Put an exported project in its place among the projects
///
/// Every file is held against the archive's list, and what names the project's place is made anew; then the project
/// appears as a whole. Launching it runs the commands and kernels that it names: import only what you trust.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The archive that `export PROJECT` wrote
    #[arg(value_name = "ARCHIVE")]
    archive: PathBuf,
    #[command(flatten)]
    durability: DurabilityArgs,
}

/// Unpacks, and tells where the project lies.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let projects = Projects::at(&context.places.projects);
    let durability = arguments.durability.choice();
    let unpacked = bake::unpack(&arguments.archive, &projects, durability).map_err(failed)?;
    if !unpacked.hooks.is_empty() {
        context.ui.note(&format!(
            "this server runs commands of the project around its machines: {}",
            unpacked.hooks.join(", ")
        ));
    }
    let (name, directory) = (&unpacked.project, unpacked.directory.display().to_string());
    if context.json {
        return context.ui.answer_json(&json!({
            "project": name,
            "directory": directory,
            "files": unpacked.files,
        }));
    }
    context.ui.answer(&format!(
        "imported {name}: {} files in {directory}\n",
        unpacked.files
    ))
}

/// The error of an archive, with the way out.
pub(crate) fn failed(error: ArchiveError) -> CommandError {
    let mut hints = error.hints();
    if let ArchiveError::Store(StoreError::Exists { project }) = &error {
        hints.push(format!(
            "remove it first: mln-image remove {project}; or import below another directory with -P"
        ));
    }
    hints
        .into_iter()
        .fold(CommandError::work(error), CommandError::hint)
}
