//! `template remove`: deletes templates.

use super::super::super::error::CommandError;
use super::super::Context;
use crate::template::Store;

/// Remove templates, with the grown copies that the store keeps of them; a name without a version means the newest one
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The templates
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
}

/// Removes, and prints the names of the files that are gone.
pub(crate) fn run(arguments: &Args, store: &Store, context: &Context<'_>) -> Result<(), CommandError> {
    let mut removed = Vec::new();
    for name in &arguments.names {
        let gone = store.remove(name, || context.ui.note(super::BUSY))?;
        removed.push(gone.file.to_string());
        removed.extend(gone.copies);
    }
    if context.json {
        return context.ui.answer_json(&removed);
    }
    let lines: Vec<String> = removed.iter().map(|file| format!("{file}\n")).collect();
    context.ui.answer(&lines.concat())
}
