//! `launch`: starts baked projects.

use std::num::ParseFloatError;
use std::time::Duration;

use serde_json::json;

use super::super::error::{CommandError, ErrorKind};
use super::super::progress;
use super::Context;
use super::running::{self, ProjectChoice};
use crate::launch::run::{Obstacle, Outcome, Running, StartOptions, StartReport, Until, start};
use crate::project::Terminal;

/// Start a baked project: its switches, then its machines in boot order, and wait until they are up
///
/// What is up already stays as it is. A machine that does not come up is named with the last lines of its console, and
/// the others go on. Everything that is missing is told before anything starts. Sockets and consoles of running
/// machines lie in /run/mln for root and in /tmp/mln-UID for others, or in `MLN_RUNTIME_DIR`.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    #[command(flatten)]
    choice: ProjectChoice,
    /// Start every project
    #[arg(short, long, conflicts_with_all = ["project", "named", "hosts"])]
    all: bool,
    /// Start only this host; may be given again
    #[arg(short = 'h', long = "host", value_name = "HOST")]
    hosts: Vec<String>,
    /// Wait so long between one machine and the next
    #[arg(short = 's', long = "pause", value_name = "SECONDS", default_value = "0", value_parser = seconds)]
    pause: Duration,
    /// Put consoles here instead of where the project says: xterm, screen, tmux, pty, log or none
    #[arg(short, long, value_name = "TERMINAL", value_parser = terminal)]
    term: Option<Terminal>,
    /// Give each machine so long to come up
    #[arg(short, long, value_name = "SECONDS", default_value = "300", value_parser = seconds)]
    wait: Duration,
    /// Do not wait until machines are up
    #[arg(long, conflicts_with = "wait")]
    no_wait: bool,
    /// By what a machine is known to be up
    #[arg(long, value_enum, default_value_t = UntilArg::Console)]
    until: UntilArg,
    /// Print what would be run, and run nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Print help
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
}

/// By what a machine is known to be up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum UntilArg {
    /// Its console has the login prompt, or a line that begins with BOOT-OK
    Console,
    /// It answers ping at one of its fixed addresses
    Ping,
    /// Its ssh server answers at one of its fixed addresses
    Ssh,
}

/// A time in seconds, with fractions.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|error: ParseFloatError| error.to_string())?;
    Duration::try_from_secs_f64(number).map_err(|error| error.to_string())
}

fn terminal(text: &str) -> Result<Terminal, String> {
    Terminal::from_name(text).ok_or_else(|| format!("it has to be one of {}", Terminal::NAMES.join(", ")))
}

/// Starts, and tells how it went.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let mut failed = 0;
    if let Some(name) = arguments.choice.name() {
        running::places(name, context)?;
    }
    for project in arguments.choice.load(arguments.all, context)? {
        failed += start_project(arguments, &project, context)?;
    }
    running::verdict(failed, "did not come up")
}

/// Starts one project; gives the number of hosts that failed.
fn start_project(arguments: &Args, project: &Running, context: &Context<'_>) -> Result<usize, CommandError> {
    let options = StartOptions {
        hosts: running::hosts(&arguments.hosts, project)?,
        pause: arguments.pause,
        terminal: arguments.term,
        wait: (!arguments.no_wait).then_some(arguments.wait),
        until: match arguments.until {
            UntilArg::Console => Until::Console,
            UntilArg::Ping => Until::Ping,
            UntilArg::Ssh => Until::Ssh,
        },
    };
    if arguments.dry_run {
        return rehearse(project, &options, context).map(|()| 0);
    }
    let reporter = progress::reporter(context);
    let report = start(project, &options, &*reporter, &|notice| {
        running::tell_notice(context, &notice);
    });
    let report = report.map_err(|error| running::command_error(error, context))?;
    tell(project, &report, context)?;
    Ok(report.failures().count())
}

/// Prints what would be run; what is in the way is told too.
fn rehearse(project: &Running, options: &StartOptions, context: &Context<'_>) -> Result<(), CommandError> {
    let lines = project.rehearse(options);
    if context.json {
        context.ui.answer_json(&lines)?;
    } else {
        let lines: Vec<String> = lines.into_iter().map(|line| line + "\n").collect();
        context.ui.answer(&lines.concat())?;
    }
    let obstacles = project.obstacles(options);
    for obstacle in &obstacles {
        context.ui.failure(&obstacle.to_string());
    }
    if obstacles.is_empty() {
        return Ok(());
    }
    let error = CommandError::new(ErrorKind::Work, "it cannot be started as things are");
    Err(obstacles
        .iter()
        .flat_map(Obstacle::hints)
        .fold(error, CommandError::hint))
}

/// Tells how a start went.
pub(crate) fn tell(
    project: &Running,
    report: &StartReport,
    context: &Context<'_>,
) -> Result<(), CommandError> {
    let name = &project.project.project;
    for (host, outcome) in &report.hosts {
        match outcome {
            Outcome::AlreadyUp => context.ui.note(&format!("{host} is up already")),
            Outcome::Elsewhere { server } => {
                context
                    .ui
                    .note(&format!("{host} is for server `{server}` to run"));
            }
            Outcome::Failed { reason, last_lines } => {
                let lines: Vec<String> = last_lines.iter().map(|line| format!("\n    {line}")).collect();
                let shown = if lines.is_empty() {
                    ""
                } else {
                    "; the last lines of its console:"
                };
                context
                    .ui
                    .failure(&format!("{host}: {reason}{shown}{}", lines.concat()));
            }
            Outcome::Started | Outcome::Up(_) => {}
        }
    }
    let up = report
        .hosts
        .iter()
        .filter(|(_, outcome)| matches!(outcome, Outcome::AlreadyUp | Outcome::Started | Outcome::Up(_)));
    let up = up.count();
    let of_all = report.hosts.len();
    if context.json {
        progress::event(&json!({"event": "launched", "project": name, "up": up, "hosts": of_all}));
        return Ok(());
    }
    let count = if up == of_all {
        up.to_string()
    } else {
        format!("{up} of {of_all}")
    };
    let hosts = running::hosts_counted(of_all, &count);
    context.ui.answer(&format!("launched {name}: {hosts}\n"))
}
