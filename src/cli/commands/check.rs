//! `check`: every fault of a project, and nothing written.

use serde_json::{Value, json};

use super::super::error::{CommandError, ErrorKind};
use super::Context;
use super::project_file::{self, count};
use crate::diag::{Diagnostic, Severity, SourceMap};
use crate::project::Loaded;

/// Tell everything that is wrong with projects
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The project files
    #[arg(value_name = "FILE", required_unless_present = "named")]
    paths: Vec<String>,
    /// One more project file, in the way that MLN takes it
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    named: Option<String>,
    /// Take every warning for an error
    #[arg(long)]
    strict: bool,
}

/// Prints one line for each project; the faults go to standard error, or with `--json` into the answer.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let (mut answers, mut lines, mut wrong) = (Vec::new(), String::new(), Vec::new());
    let plugins = project_file::plugins(context)?;
    for file in arguments.paths.iter().chain(&arguments.named) {
        let loaded = project_file::load(file, arguments.strict, &plugins, context);
        if context.json {
            answers.push(answer(file, &loaded));
        } else {
            context.ui.diagnostics(&loaded.diagnostics, &loaded.sources);
            lines.push_str(&summary(file, &loaded));
        }
        if loaded.project.is_none() {
            wrong.push(format!("`{file}`"));
        }
    }
    if context.json {
        context.ui.answer_json(&answers)?;
    } else {
        context.ui.answer(&lines)?;
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let message = format!("{} cannot be used", wrong.join(", "));
    Err(CommandError::new(ErrorKind::Usage, message))
}

/// `webfarm.mln: 3 hosts, 1 switch, no errors, 1 warning`
fn summary(file: &str, loaded: &Loaded) -> String {
    let mut parts = Vec::new();
    if let Some(project) = &loaded.project {
        parts.push(count(project.hosts.len(), "host", "hosts"));
        parts.push(count(project.switches.len(), "switch", "switches"));
    }
    parts.push(count(loaded.diagnostics.error_count(), "error", "errors"));
    parts.push(count(loaded.diagnostics.warning_count(), "warning", "warnings"));
    format!("{file}: {}\n", parts.join(", "))
}

fn answer(file: &str, loaded: &Loaded) -> Value {
    let faults = loaded.diagnostics.sorted();
    let faults: Vec<Value> = faults
        .into_iter()
        .map(|fault| described(fault, &loaded.sources))
        .collect();
    json!({
        "file": file,
        "errors": loaded.diagnostics.error_count(),
        "warnings": loaded.diagnostics.warning_count(),
        "faults": faults,
    })
}

fn described(fault: &Diagnostic, sources: &SourceMap) -> Value {
    let place = fault.primary.map(|span| {
        let place = sources.line_column(span);
        json!({
            "file": &**sources.get(span.source).name(),
            "line": place.line,
            "column": place.column,
        })
    });
    let severity = match fault.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    json!({
        "severity": severity,
        "code": fault.code,
        "message": fault.message,
        "place": place,
        "hints": fault.hints,
    })
}
