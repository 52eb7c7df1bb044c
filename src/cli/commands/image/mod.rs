//! `image`: looks into one image and edits it offline, without mounting it.

mod cat;
mod change;
mod check;
mod copy_in;
mod copy_out;
mod cp;
mod info;
mod ls;
mod mkdir;
mod rm;
mod target;

use super::super::error::CommandError;
use super::Context;

/// Look into one image file and edit it, without mounting it
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

/// What to do with the image.
#[derive(Debug, clap::Subcommand)]
enum Action {
    Info(info::Args),
    Ls(ls::Args),
    Cat(cat::Args),
    Check(check::Args),
    Cp(cp::Args),
    Rm(rm::Args),
    Mkdir(mkdir::Args),
}

/// Does what was asked.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    match &arguments.action {
        Action::Info(arguments) => info::run(arguments, context),
        Action::Ls(arguments) => ls::run(arguments, context),
        Action::Cat(arguments) => cat::run(arguments, context),
        Action::Check(arguments) => check::run(arguments, context),
        Action::Cp(arguments) => cp::run(arguments, context),
        Action::Rm(arguments) => rm::run(arguments, context),
        Action::Mkdir(arguments) => mkdir::run(arguments, context),
    }
}
