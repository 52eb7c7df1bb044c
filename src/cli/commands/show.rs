//! `show`: what holds in a project once includes, variables and inheritance are resolved.

use serde_json::{Map, Value};

use super::super::error::{CommandError, ErrorKind};
use super::Context;
use super::making::no_such_host;
use super::project_file::{self, count};
use crate::diag::{Diagnostic, Severity};
use crate::project::show;

/// Show what holds in a project, as one `path = value` a line
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The project file
    #[arg(value_name = "FILE")]
    file: String,
    /// Show this host only
    #[arg(value_name = "HOST")]
    host: Option<String>,
}

/// Prints the values in natural order of their paths.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let loaded = project_file::load(&arguments.file, false, context);
    context.ui.diagnostics(&loaded.diagnostics, &loaded.sources);
    // Without a template a host cannot be baked, but all that it says can be shown.
    let is_fatal =
        |fault: &&Diagnostic| fault.severity == Severity::Error && fault.code != "missing-template";
    if loaded.diagnostics.sorted().iter().any(is_fatal) {
        let errors = count(loaded.diagnostics.error_count(), "error", "errors");
        let message = format!("`{}` cannot be shown: {errors}", arguments.file);
        return Err(CommandError::new(ErrorKind::Usage, message));
    }
    if let Some(host) = &arguments.host {
        let names = loaded.host_names();
        if !names.contains(&host.as_str()) {
            return Err(no_such_host(host, &names));
        }
    }
    let pairs = show(&loaded, arguments.host.as_deref());
    if context.json {
        return context.ui.answer_json(&object(pairs));
    }
    let lines: Vec<String> = pairs
        .into_iter()
        .map(|(path, value)| format!("{path} = {value}\n"))
        .collect();
    context.ui.answer(&lines.concat())
}

/// The values by path; a path that comes more than once, as in a list of files, has an array.
fn object(pairs: Vec<(String, String)>) -> Map<String, Value> {
    let mut object = Map::new();
    for (path, value) in pairs {
        match object.get_mut(&path) {
            None => {
                object.insert(path, value.into());
            }
            Some(Value::Array(values)) => values.push(value.into()),
            Some(first) => *first = Value::Array(vec![first.take(), value.into()]),
        }
    }
    object
}
