//! The commands: one file each, with its arguments and what it does.

mod bake;
mod check;
mod config;
mod console;
mod durability;
mod explain;
mod export;
mod fmt;
mod graph;
mod image;
mod import;
mod launch;
mod list;
mod making;
mod manifest;
mod persist;
mod plan;
mod project_file;
mod remove;
mod running;
mod secrets;
mod setup;
mod show;
mod status;
mod stop;
mod template;
mod upgrade;
mod verify;

use std::path::PathBuf;

use super::environment::Environment;
use super::error::CommandError;
use super::options::Places;
use super::ui::Ui;
use crate::project::Settings;

/// Every command, by name.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    #[command(visible_alias = "build")]
    Bake(bake::Args),
    Plan(plan::Args),
    Check(check::Args),
    Show(show::Args),
    Fmt(fmt::Args),
    Explain(explain::Args),
    Graph(graph::Args),
    Image(image::Args),
    #[command(visible_alias = "save")]
    Export(export::Args),
    Import(import::Args),
    Verify(verify::Args),
    Manifest(manifest::Args),
    List(list::Args),
    #[command(visible_alias = "start")]
    Launch(launch::Args),
    Stop(stop::Args),
    Status(status::Args),
    Console(console::Args),
    Remove(remove::Args),
    #[command(visible_alias = "lupgrade")]
    Upgrade(upgrade::Args),
    #[command(visible_alias = "set_persistent")]
    Persist(persist::Args),
    Setup(setup::Args),
    Template(template::Args),
    #[command(visible_alias = "write_config")]
    Config(config::Args),
}

/// What every command is given besides its own arguments.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    /// The directories to work with.
    pub(crate) places: Places,
    /// Where plugins lie, those that go before others last.
    pub(crate) plugin_dirs: Vec<PathBuf>,
    /// What the configuration files say.
    pub(crate) settings: Settings,
    /// Whether answers shall be JSON.
    pub(crate) json: bool,
    /// What the process found around it.
    pub(crate) environment: &'a Environment,
    /// Where answers go.
    pub(crate) ui: &'a Ui,
}

/// Runs `command`.
pub(crate) fn run(command: Command, context: &Context<'_>) -> Result<(), CommandError> {
    match command {
        Command::Bake(arguments) => bake::run(&arguments, context),
        Command::Plan(arguments) => plan::run(&arguments, context),
        Command::Check(arguments) => check::run(&arguments, context),
        Command::Show(arguments) => show::run(&arguments, context),
        Command::Fmt(arguments) => fmt::run(&arguments, context),
        Command::Graph(arguments) => graph::run(&arguments, context),
        Command::Explain(arguments) => explain::run(&arguments, context),
        Command::Image(arguments) => image::run(&arguments, context),
        Command::Export(arguments) => export::run(&arguments, context),
        Command::Import(arguments) => import::run(&arguments, context),
        Command::Verify(arguments) => verify::run(&arguments, context),
        Command::Manifest(arguments) => manifest::run(&arguments, context),
        Command::List(arguments) => list::run(&arguments, context),
        Command::Launch(arguments) => launch::run(&arguments, context),
        Command::Stop(arguments) => stop::run(&arguments, context),
        Command::Status(arguments) => status::run(&arguments, context),
        Command::Console(arguments) => console::run(&arguments, context),
        Command::Remove(arguments) => remove::run(&arguments, context),
        Command::Upgrade(arguments) => upgrade::run(&arguments, context),
        Command::Persist(arguments) => persist::run(&arguments, context),
        Command::Setup(arguments) => setup::run(&arguments, context),
        Command::Template(arguments) => template::run(&arguments, context),
        Command::Config(arguments) => config::run(&arguments, context),
    }
}
