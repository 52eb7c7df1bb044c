//! `show`: what holds in a project once includes, variables and inheritance are resolved.

use serde_json::{Map, Value, json};

use super::super::error::{CommandError, ErrorKind};
use super::Context;
use super::making::no_such_host;
use super::project_file::{self, count};
use crate::diag::{Diagnostic, Severity};
use crate::project::{Shown, show, show_with_origins};

/// Show what holds in a project, as one `path = value` a line
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The project file
    #[arg(value_name = "FILE")]
    file: String,
    /// Show this host only
    #[arg(value_name = "HOST")]
    host: Option<String>,
    /// Tell the line that each value comes from
    #[arg(long)]
    origin: bool,
}

/// Prints the values in natural order of their paths.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let plugins = project_file::plugins(context)?;
    let loaded = project_file::load(&arguments.file, false, &plugins, context);
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
        if names.iter().all(|name| **name != **host) {
            return Err(no_such_host(host, &names));
        }
    }
    if arguments.origin {
        return with_origins(&show_with_origins(&loaded, arguments.host.as_deref()), context);
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

/// Prints each value and behind it, as a comment, the line that it comes from.
fn with_origins(values: &[Shown], context: &Context<'_>) -> Result<(), CommandError> {
    let place = |value: &Shown| match &value.origin {
        Some(origin) => format!("{}:{}", origin.file, origin.line),
        None => "follows from other values".to_owned(),
    };
    if context.json {
        let values: Vec<Value> = values
            .iter()
            .map(|value| json!({"path": value.path, "value": value.value, "origin": place(value)}))
            .collect();
        return context.ui.answer_json(&values);
    }
    let lines: Vec<String> = values
        .iter()
        .map(|value| format!("{} = {}  # {}\n", value.path, value.value, place(value)))
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
