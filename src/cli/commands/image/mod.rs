//! `image`: looks into one image and edits it offline, without mounting it.

mod cat;
mod info;
mod ls;
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
}

/// Does what was asked.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    match &arguments.action {
        Action::Info(arguments) => info::run(arguments, context),
        Action::Ls(arguments) => ls::run(arguments, context),
        Action::Cat(arguments) => cat::run(arguments, context),
    }
}
