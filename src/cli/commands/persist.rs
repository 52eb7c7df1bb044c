//! `persist`: keeps projects up, by units of systemd.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::error::CommandError;
use super::Context;
use super::launch::seconds;
use super::running::{self, ProjectChoice};
use crate::base::PathError;
use crate::base::atomic::{self, Durability};
use crate::launch::UnitOrder;
use crate::store::Projects;

/// Where units lie that an administrator adds: systemd.unit(5).
const SYSTEM_UNITS: &str = "/etc/systemd/system";

/// The same of a user's, in the home directory.
const USER_UNITS: &str = ".config/systemd/user";

/// Keep a project up: a systemd unit starts it with the server, and its machines again when they end
///
/// Without a project, all are meant whose `global` block has `persist`. The unit is written and not started: what to run
/// is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    choice: ProjectChoice,
    /// Whether to keep it up from now on
    #[arg(short = 'S', long, value_name = "on|off", default_value = "on", value_parser = ["on", "off"])]
    switch: String,
    /// Look whether all is up so often
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    every: Duration,
    /// Put units into this directory [default: systemd's, for root, else one's own]
    #[arg(long, value_name = "DIR")]
    units: Option<PathBuf>,
}

/// Writes or removes units.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let directory = match &arguments.units {
        Some(directory) => directory.clone(),
        None => default_directory(context)?,
    };
    let names = match arguments.choice.name() {
        Some(name) => vec![name.to_owned()],
        None => wanted(context)?,
    };
    for name in &names {
        let order = order(name, arguments.every, context)?;
        let path = directory.join(order.name());
        if arguments.switch == "off" {
            remove(&path, context)?;
        } else {
            running::load(name, context)?;
            fs::create_dir_all(&directory).map_err(PathError::on("create the directory", &directory))?;
            atomic::write(&path, order.text().as_bytes(), Durability::Sync)?;
            context.ui.answer(&format!("{}\n", path.display()))?;
            let manager = if context.environment.is_root {
                ""
            } else {
                " --user"
            };
            context.ui.note(&format!(
                "to have it start now and with the server: systemctl{manager} daemon-reload && systemctl{manager} enable \
                 --now '{}'",
                order.name()
            ));
        }
    }
    Ok(())
}

/// The projects that say of themselves that they are to be kept up.
fn wanted(context: &Context<'_>) -> Result<Vec<String>, CommandError> {
    let mut names = Projects::at(&context.places.projects).baked()?;
    names.retain(|name| running::load(name, context).is_ok_and(|running| running.project.persist));
    if names.is_empty() {
        return Err(CommandError::usage("no project says that it is to be kept up")
            .hint("name one, or write `persist` in its `global` block"));
    }
    Ok(names)
}

fn order(name: &str, every: Duration, context: &Context<'_>) -> Result<UnitOrder, CommandError> {
    let program = context.environment.program.clone();
    let program = program.ok_or_else(|| CommandError::work("it cannot be told where this program lies"))?;
    Ok(UnitOrder {
        project: name.to_owned(),
        program,
        projects: context.places.projects.clone(),
        runtime: running::runtime_override(context),
        is_system_wide: context.environment.is_root,
        seconds: every.as_secs().max(1),
    })
}

fn default_directory(context: &Context<'_>) -> Result<PathBuf, CommandError> {
    if context.environment.is_root {
        return Ok(PathBuf::from(SYSTEM_UNITS));
    }
    let home = context.environment.home.as_ref();
    let home = home.ok_or_else(|| CommandError::usage("there is no home directory").hint("give --units"))?;
    Ok(home.join(USER_UNITS))
}

fn remove(path: &Path, context: &Context<'_>) -> Result<(), CommandError> {
    match fs::remove_file(path) {
        Ok(()) => context.ui.answer(&format!("removed {}\n", path.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            context.ui.note(&format!("there is no `{}`", path.display()));
            Ok(())
        }
        Err(error) => Err(PathError::on("remove", path)(error).into()),
    }
}
