//! `config`: the settings in force, from the command line, the configuration files and the defaults.

use super::super::error::CommandError;
use super::Context;

/// Print the settings in force
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Prints one `name = value` a line.
pub(crate) fn run(Args {}: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let settings = [
        ("files", &context.places.files),
        ("projects", &context.places.projects),
        ("templates", &context.places.templates),
    ];
    if context.json {
        let object: serde_json::Map<_, _> = settings
            .iter()
            .map(|(name, path)| ((*name).to_owned(), path.display().to_string().into()))
            .collect();
        return context.ui.answer_json(&object);
    }
    let lines = settings.map(|(name, path)| format!("{name} = {}\n", path.display()));
    context.ui.answer(&lines.concat())
}
