//! `console`: a machine's console on one's own terminal.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use super::super::error::CommandError;
use super::Context;
use super::running;
use crate::base::PathError;
use crate::launch::run::{ConsoleAccess, RelayEnd, Running, attach, program};

/// How often a console's file is looked at.
const INTERVAL: Duration = Duration::from_millis(200);

/// Show a running machine's console
///
/// A console in screen is left by Ctrl-a d, one in tmux by Ctrl-b d, any other by Ctrl-]. Where the project wants only
/// a log, that is shown as it grows.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The machine
    #[arg(value_name = "HOST.PROJECT")]
    machine: String,
}

/// Attaches, until the user or the machine ends it.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let Some((host, project)) = arguments.machine.split_once('.') else {
        return Err(
            CommandError::usage(format!("`{}` is no machine", arguments.machine))
                .hint("it has to have the form HOST.PROJECT, such as www1.webfarm"),
        );
    };
    let project = running::load(project, context)?;
    running::hosts(&[host.to_owned()], &project)?;
    let access = project
        .console(host)
        .map_err(|error| running::command_error(error, context))?;
    let Some(access) = access else {
        return Err(CommandError::work(format!("{host} is not up")).hint(format!(
            "start it: mln-image launch {} -h {host}",
            project.project.project
        )));
    };
    match &access {
        ConsoleAccess::Program(command) => {
            let command = program(command, &running::host(context));
            // Only a failure comes back.
            let error = command.map_err(CommandError::work)?.exec();
            Err(CommandError::work(format!("cannot show the console: {error}")))
        }
        ConsoleAccess::Terminal(_) | ConsoleAccess::Socket(_) => {
            context.ui.note("Ctrl-] leaves the console");
            let end = attach(&access)
                .map_err(|error| CommandError::work(format!("cannot show the console: {error}")))?;
            if end == RelayEnd::Closed {
                context.ui.note(&format!("{host} has closed its console"));
            }
            Ok(())
        }
        ConsoleAccess::None => follow(&project, host, context),
    }
}

/// Shows what a machine prints for as long as it is up.
fn follow(project: &Running, host: &str, context: &Context<'_>) -> Result<(), CommandError> {
    let path = project
        .console_log(host)
        .unwrap_or_else(|| Path::new("/dev/null").to_path_buf());
    let mut file = File::open(&path).map_err(PathError::on("read", &path))?;
    context.ui.note(&format!("following `{}`", path.display()));
    loop {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)
            .map_err(PathError::on("read", &path))?;
        context.ui.answer_bytes(&bytes)?;
        let is_up = project
            .console(host)
            .map_err(|error| running::command_error(error, context))?;
        if bytes.is_empty() && is_up.is_none() {
            return Ok(());
        }
        sleep(INTERVAL);
    }
}
