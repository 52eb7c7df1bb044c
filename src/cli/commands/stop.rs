//! `stop`: stops running projects.

use std::time::Duration;

use serde_json::json;

use super::super::error::CommandError;
use super::super::progress;
use super::Context;
use super::launch::seconds;
use super::running::{self, ProjectChoice};
use crate::launch::run::{Running, StopOptions, StopOutcome, stop};

/// Stop a project: its machines shut down from inside, then its switches
///
/// A machine that takes too long is ended by force. What is down already stays down, and what a crash has left is
/// cleaned up.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    #[command(flatten)]
    choice: ProjectChoice,
    /// Stop every project
    #[arg(short, long, conflicts_with_all = ["project", "named", "hosts"])]
    all: bool,
    /// Stop only this host; may be given again
    #[arg(short = 'h', long = "host", value_name = "HOST")]
    hosts: Vec<String>,
    /// Wait so long between one machine and the next
    #[arg(short = 's', long = "pause", value_name = "SECONDS", default_value = "0", value_parser = seconds)]
    pause: Duration,
    /// Give each machine so long to shut down before it is ended by force; `i` for as long as it likes
    #[arg(short, long, value_name = "SECONDS", default_value = "60", value_parser = patience)]
    wait: Patience,
    /// End machines at once, by force
    #[arg(short = 'H', long = "hard")]
    hard: bool,
    /// Print help
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
}

/// How long to wait; `None` for ever.
#[derive(Debug, Clone, Copy)]
struct Patience(Option<Duration>);

fn patience(text: &str) -> Result<Patience, String> {
    if text == "i" {
        return Ok(Patience(None));
    }
    seconds(text).map(|limit| Patience(Some(limit)))
}

/// Stops, and tells how it went.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let mut failed = 0;
    for project in arguments.choice.load(arguments.all, context)? {
        failed += stop_project(arguments, &project, context)?;
    }
    running::verdict(failed, "could not be stopped")
}

/// Stops one project; gives the number of hosts that could not be stopped.
fn stop_project(arguments: &Args, project: &Running, context: &Context<'_>) -> Result<usize, CommandError> {
    let options = StopOptions {
        hosts: running::hosts(&arguments.hosts, project)?,
        pause: arguments.pause,
        wait: arguments.wait.0,
        by_force: arguments.hard,
    };
    let reporter = progress::reporter(context);
    let report = stop(project, &options, &*reporter, &|notice| {
        running::tell_notice(context, &notice);
    });
    let report = report.map_err(|error| running::command_error(error, context))?;
    let name = &project.project.project;
    let mut failed = 0;
    let mut stopped = 0;
    for (host, outcome) in &report.hosts {
        if let Some(reason) = outcome.obstacle() {
            failed += 1;
            context.ui.failure(&format!("{host}: {reason}"));
        } else if *outcome == StopOutcome::AlreadyDown {
            context.ui.note(&format!("{host} is down already"));
        } else {
            stopped += 1;
        }
    }
    if context.json {
        progress::event(&json!({"event": "stopped", "project": name, "hosts": stopped}));
        return Ok(failed);
    }
    let hosts = running::hosts_counted(stopped, &stopped.to_string());
    context.ui.answer(&format!("stopped {name}: {hosts}\n"))?;
    Ok(failed)
}
