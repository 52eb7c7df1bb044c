//! `status`: what projects are doing.

use std::thread::sleep;
use std::time::Duration;

use super::super::error::{CommandError, ErrorKind};
use super::Context;
use super::launch::seconds;
use super::running::{self, ProjectChoice};
use crate::launch::run::{HostStatus, ProjectStatus, State, status};

/// Tell which machines and switches are up, down, crashed, or run by somebody else
///
/// With a project or a host, the exit code is 0 if everything that was asked for is up, else 1.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line on its own"
)]
pub(crate) struct Args {
    #[command(flatten)]
    choice: ProjectChoice,
    /// Tell only of this host
    #[arg(short = 'h', long = "host", value_name = "HOST")]
    hosts: Vec<String>,
    /// Tell only of this switch
    #[arg(short = 's', long = "switch", value_name = "SWITCH", conflicts_with = "hosts")]
    switches: Vec<String>,
    /// Tell only what is up
    #[arg(short, long, conflicts_with = "down")]
    up: bool,
    /// Tell only what is not up
    #[arg(short, long)]
    down: bool,
    /// Tell nothing; the exit code is the answer
    #[arg(short, long)]
    quiet: bool,
    /// Ask machines what they are, too
    #[arg(short, long)]
    long: bool,
    /// Tell again and again, so many seconds apart [default: 2]
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2", value_parser = seconds)]
    watch: Option<Duration>,
    /// Print help
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
}

/// Tells, once or until a signal ends it.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let Some(interval) = arguments.watch else {
        return tell(arguments, context);
    };
    loop {
        if !context.json {
            // ECMA-48: to the first column of the first line, and clear from there.
            context.ui.answer("\x1b[H\x1b[2J")?;
        }
        match tell(arguments, context) {
            Err(error) if error.kind != ErrorKind::Answered => return Err(error),
            _ => sleep(interval),
        }
    }
}

fn tell(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let mut all = Vec::new();
    let mut is_all_up = true;
    for project in arguments.choice.load(true, context)? {
        running::hosts(&arguments.hosts, &project)?;
        let mut status = status(&project, arguments.long);
        select(arguments, &mut status)?;
        is_all_up &= status.hosts.iter().all(|host| host.state == State::Up)
            && status.switches.iter().all(|switch| switch.is_up);
        filter(arguments, &mut status);
        all.push(status);
    }
    if !arguments.quiet {
        if context.json {
            context.ui.answer_json(&all)?;
        } else {
            let lines: Vec<String> = all.iter().flat_map(lines).collect();
            context.ui.answer(&lines.concat())?;
        }
    }
    let is_question = arguments.choice.name().is_some() || !arguments.hosts.is_empty();
    if is_question && !is_all_up {
        return Err(CommandError::new(ErrorKind::Answered, "not everything is up"));
    }
    Ok(())
}

/// Leaves what is asked for.
fn select(arguments: &Args, status: &mut ProjectStatus) -> Result<(), CommandError> {
    if !arguments.hosts.is_empty() {
        status.hosts.retain(|host| arguments.hosts.contains(&host.name));
        status.switches.clear();
    }
    for wanted in &arguments.switches {
        if !status.switches.iter().any(|switch| switch.name == *wanted) {
            return Err(CommandError::usage(format!(
                "the project has no switch `{wanted}`"
            )));
        }
    }
    if !arguments.switches.is_empty() {
        status
            .switches
            .retain(|switch| arguments.switches.contains(&switch.name));
        status.hosts.clear();
    }
    Ok(())
}

fn filter(arguments: &Args, status: &mut ProjectStatus) {
    let is_told = |is_up: bool| (is_up || !arguments.up) && (!is_up || !arguments.down);
    status.hosts.retain(|host| is_told(host.state == State::Up));
    status.switches.retain(|switch| is_told(switch.is_up));
}

/// One line for each machine and switch, in MLN's form.
fn lines(status: &ProjectStatus) -> Vec<String> {
    let project = &status.project;
    let host = |host: &HostStatus| {
        let state = match host.state {
            State::Up => "up",
            State::Down => "down",
            State::Crashed => "crashed",
            State::Foreign { .. } => "foreign",
        };
        // What a program said may have several lines.
        let detail = host
            .detail
            .as_ref()
            .map(|detail| format!(" ({})", detail.replace('\n', " ")));
        format!(
            "{project} host {} {state}{}\n",
            host.name,
            detail.unwrap_or_default()
        )
    };
    let switches = status.switches.iter().map(|switch| {
        let state = if switch.is_up { "up" } else { "down" };
        format!("{project} switch {} {state}\n", switch.name)
    });
    status.hosts.iter().map(host).chain(switches).collect()
}
