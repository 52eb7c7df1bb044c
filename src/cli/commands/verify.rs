//! `verify`: every digest of a project's manifest, computed again.

use serde_json::json;

use super::super::error::CommandError;
use super::Context;
use crate::bake::{self, Fault};
use crate::store::Projects;
use crate::template::Store;

/// How many hosts a fault names before it only counts them.
const NAMED_HOSTS: usize = 5;

/// Prove that a baked project's files, and the templates that they were made from, are as they were
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The project
    #[arg(value_name = "PROJECT", required_unless_present = "named")]
    project: Option<String>,
    /// The project, in the way that MLN takes it
    #[arg(
        short = 'p',
        long = "project",
        value_name = "PROJECT",
        conflicts_with = "project"
    )]
    named: Option<String>,
}

/// Prints what is wrong, one file a line, or that all is well; an error if there is anything.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let name = arguments.project.as_ref().or(arguments.named.as_ref());
    let name = name.expect("clap requires one of the two");
    let projects = Projects::at(&context.places.projects);
    let places = projects.project(name).map_err(CommandError::work)?;
    let templates = Store::open(&context.places.templates);
    let proof = bake::prove(&places, &templates).map_err(CommandError::work)?;
    if context.json {
        context.ui.answer_json(&json!({
            "project": name,
            "proved": proof.proved,
            "faults": proof.faults,
        }))?;
    } else {
        for fault in &proof.faults {
            context.ui.failure(&text(fault));
        }
        if proof.faults.is_empty() {
            context
                .ui
                .answer(&format!("{name}: {} files are as they were\n", proof.proved))?;
        }
    }
    match proof.faults.len() {
        0 => Ok(()),
        count => Err(CommandError::work(format!(
            "{count} of {} files of project `{name}` are not as they were",
            count + proof.proved
        ))
        .hint("`bake --replace` makes again what has changed; images that were written to, with --discard-changes")),
    }
}

/// A fault in a line.
fn text(fault: &Fault) -> String {
    let named: Vec<&str> = fault
        .breaks
        .iter()
        .take(NAMED_HOSTS)
        .map(String::as_str)
        .collect();
    let breaks = match fault.breaks.len() - named.len() {
        _ if named.is_empty() => String::new(),
        0 => format!("; this breaks {}", named.join(", ")),
        more => format!("; this breaks {} and {more} more", named.join(", ")),
    };
    format!("`{}`: {}{breaks}", fault.file, fault.reason)
}
