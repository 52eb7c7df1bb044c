//! `image`: looks into one image and edits it offline, without mounting it.

mod cat;
mod change;
mod check;
mod chmod;
mod chown;
mod copy;
mod cp;
mod diff;
mod dump;
mod flatten;
mod info;
mod ln;
mod ls;
mod mkdir;
mod mode;
#[cfg(feature = "mount")]
mod mount;
mod mv;
mod owner;
mod rebase;
mod resize;
mod rm;
mod target;
mod touch;

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
    Ln(ln::Args),
    Mv(mv::Args),
    Chmod(chmod::Args),
    Chown(chown::Args),
    Touch(touch::Args),
    Resize(resize::Args),
    Diff(diff::Args),
    Dump(dump::Args),
    Flatten(flatten::Args),
    Rebase(rebase::Args),
    #[cfg(feature = "mount")]
    Mount(mount::Args),
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
        Action::Ln(arguments) => ln::run(arguments, context),
        Action::Mv(arguments) => mv::run(arguments, context),
        Action::Chmod(arguments) => chmod::run(arguments, context),
        Action::Chown(arguments) => chown::run(arguments, context),
        Action::Touch(arguments) => touch::run(arguments, context),
        Action::Resize(arguments) => resize::run(arguments, context),
        Action::Diff(arguments) => diff::run(arguments, context),
        Action::Dump(arguments) => dump::run(arguments, context),
        Action::Flatten(arguments) => flatten::run(arguments, context),
        Action::Rebase(arguments) => rebase::run(arguments, context),
        #[cfg(feature = "mount")]
        Action::Mount(arguments) => mount::run(arguments, context),
    }
}
