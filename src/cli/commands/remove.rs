//! `remove`: takes a baked project away.

use std::io::{self, IsTerminal as _};

use super::super::error::CommandError;
use super::Context;
use super::running::{self, ProjectChoice};
use crate::launch::run::{State, status};
use crate::store::{Existing, Projects, Workspace};

/// Remove a baked project with all its images, unless something of it runs
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    choice: ProjectChoice,
    /// Do not ask first
    #[arg(short, long)]
    force: bool,
}

/// Removes, after a question.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let Some(name) = arguments.choice.name() else {
        return Err(CommandError::usage("no project is named"));
    };
    let places = running::places(name, context)?;
    refuse_while_running(name, context)?;
    let directory = places.directory();
    if !arguments.force
        && !is_wanted(
            &format!("remove `{}` and all in it?", directory.display()),
            context,
        )?
    {
        return Err(CommandError::work("nothing was removed").hint("give --force to be asked nothing"));
    }
    let workspace = Workspace::open(places, Existing::Replace).map_err(CommandError::work)?;
    workspace.remove().map_err(CommandError::work)?;
    if context.json {
        return context.ui.answer_json(&serde_json::json!({"removed": name}));
    }
    context.ui.answer(&format!("removed {name}\n"))
}

/// Refuses while a machine of the project `name` is up, or its disk is in use.
pub(crate) fn refuse_while_running(name: &str, context: &Context<'_>) -> Result<(), CommandError> {
    let projects = Projects::at(&context.places.projects);
    let places = projects.project(name).map_err(CommandError::usage)?;
    let Some(project) = running::load_unfinished(&places, context) else {
        // Baked by another version, or damaged: this one has started nothing of it.
        return Ok(());
    };
    let status = status(&project, false);
    let busy = |state: &State| matches!(state, State::Up | State::Foreign { .. });
    let up = status.hosts.iter().filter(|host| busy(&host.state));
    let up: Vec<String> = up.map(|host| format!("`{}`", host.name)).collect();
    if up.is_empty() {
        return Ok(());
    }
    Err(
        CommandError::work(format!("{} of project `{name}` is running", up.join(", ")))
            .hint(format!("stop it first: mln-image stop {name}")),
    )
}

/// Asks the user; only a `y` is a yes.
fn is_wanted(question: &str, context: &Context<'_>) -> Result<bool, CommandError> {
    if io::stdin().is_terminal() {
        context.ui.note(&format!("{question} [y/N]"));
    }
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .map_err(|error| CommandError::work(format!("cannot read the answer: {error}")))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
