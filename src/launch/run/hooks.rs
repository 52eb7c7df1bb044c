//! The project's own commands, run on the server at eight moments of a start and a stop.

use super::super::command::CommandLine;
use super::{Notice, RunError, Running};
use crate::project::Moment;

/// The commands of one moment as one line for the shell; `None` where the project has none.
pub(super) fn command(running: &Running, moment: Moment) -> Option<CommandLine> {
    let mut hooks = running.project.hooks.iter();
    let hook = hooks.find(|hook| hook.moment == moment)?;
    let command = CommandLine::new(["sh", "-euc", &hook.lines.join("\n")]);
    Some(command.with("MLN_PROJECT", &running.project.project))
}

/// Runs the commands of one moment, and tells what they print; one that fails ends the start or the stop.
pub(super) fn run(running: &Running, moment: Moment, notice: &dyn Fn(Notice)) -> Result<(), RunError> {
    let Some(command) = command(running, moment) else {
        return Ok(());
    };
    let said = command.run(&running.host);
    let said = said.map_err(|source| RunError::Hook { moment, source })?;
    for line in said.lines() {
        notice(Notice::Said {
            moment,
            text: line.to_owned(),
        });
    }
    Ok(())
}
