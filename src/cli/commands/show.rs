//! `show`: what holds in a project once includes, variables and inheritance are resolved.

use serde_json::{Map, Value};

use super::super::error::{CommandError, ErrorKind};
use super::Context;
use super::project_file::{self, count};
use crate::diag::nearest;
use crate::project::{HostName, show};

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
    let Some(project) = &loaded.project else {
        let errors = count(loaded.diagnostics.error_count(), "error", "errors");
        let message = format!("`{}` cannot be shown: {errors}", arguments.file);
        return Err(CommandError::new(ErrorKind::Usage, message));
    };
    if let Some(host) = &arguments.host {
        let mut names = project.hosts.iter().map(|host| host.name.as_str());
        if names.all(|name| name != host) {
            return Err(no_such_host(host, project.hosts.iter().map(|host| &host.name)));
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

fn no_such_host<'h>(host: &str, names: impl Iterator<Item = &'h HostName>) -> CommandError {
    let error = CommandError::usage(format!("the project has no host `{host}`"));
    match nearest(host, names.map(HostName::as_str)) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error,
    }
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
