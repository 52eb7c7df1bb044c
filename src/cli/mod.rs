//! The command line: the only layer that prints, reads the environment and the clock, and ends the process.
//!
//! ```text
//!   arguments --options--> CommandLine + Places --commands/<name>.rs--> Ok | CommandError --error--> exit code
//! ```
//!
//! A new command is one file in `commands/` with its `Args` and its `run`, and one line in each of the two lists of
//! `commands/mod.rs`.

mod commands;
mod configuration;
mod environment;
mod error;
mod options;
mod progress;
mod signals;
mod ui;

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::Parser as _;

use commands::Context;
use environment::Environment;
use error::{CommandError, ErrorKind};
use options::CommandLine;
use ui::Ui;

/// Runs the command line `arguments`, the program's name first, and gives the process's exit code: 0 done, 1 the work
/// failed, 2 wrong command line or project, 3 a bug of this program.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let environment = Environment::of_process();
    let ui = Ui::new(&environment);
    // Nothing that the closure touches is used again but the terminal, which holds no invariants.
    let outcome = catch_unwind(AssertUnwindSafe(|| dispatch(arguments, &environment, &ui)));
    match outcome {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => {
            ui.error(&error);
            error.kind.exit_code()
        }
        Err(_panic) => {
            ui.bug();
            ErrorKind::Internal.exit_code()
        }
    }
}

/// Parses and runs.
fn dispatch(arguments: Vec<OsString>, environment: &Environment, ui: &Ui) -> Result<ExitCode, CommandError> {
    let line = match CommandLine::try_parse_from(arguments) {
        Ok(line) => line,
        Err(answer) => return Ok(answer_of_clap(&answer)),
    };
    signals::watch()?;
    let settings = configuration::read(environment, ui)?;
    let context = Context {
        places: options::resolve_places(&line.global, &settings, environment)?,
        plugin_dirs: configuration::plugin_dirs(&line.global.plugin_dirs, &settings, environment),
        settings,
        json: line.global.json,
        environment,
        ui,
    };
    commands::run(line.command, &context)?;
    Ok(ExitCode::SUCCESS)
}

/// Shows what clap answers to a command line: help and version are answers, the rest are wrong command lines.
fn answer_of_clap(answer: &clap::Error) -> ExitCode {
    // Where nobody reads the text, the exit code still tells.
    drop(answer.print());
    match answer.exit_code() {
        0 => ExitCode::SUCCESS,
        _ => ErrorKind::Usage.exit_code(),
    }
}
