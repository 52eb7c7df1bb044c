//! `template`: the file systems that machines start from.

mod access;
mod build;
mod import;
mod info;
mod keygen;
mod list;
mod pull;
mod push;
mod remove;

use super::super::error::CommandError;
use super::super::progress;
use super::Context;
use crate::base::report::{Reporter, Silent};
use crate::template::{Store, TemplateError};

/// What is said while another process holds the store.
const BUSY: &str = "waiting for another process that changes the templates";

/// Build, import, list, remove, push and pull the file systems that machines start from
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

/// What to do with templates.
#[derive(Debug, clap::Subcommand)]
enum Action {
    Build(build::Args),
    Import(import::Args),
    List(list::Args),
    Info(info::Args),
    Remove(remove::Args),
    Push(push::Args),
    Pull(pull::Args),
    Keygen(keygen::Args),
}

/// Does what was asked.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let store = Store::open(&context.places.templates);
    match &arguments.action {
        Action::Build(arguments) => build::run(arguments, &store, context),
        Action::Import(arguments) => import::run(arguments, &store, context),
        Action::List(arguments) => list::run(arguments, &store, context),
        Action::Info(arguments) => info::run(arguments, &store, context),
        Action::Remove(arguments) => remove::run(arguments, &store, context),
        Action::Push(arguments) => push::run(arguments, &store, context),
        Action::Pull(arguments) => pull::run(arguments, &store, context),
        Action::Keygen(arguments) => keygen::run(arguments, context),
    }
}

/// Who hears how work gets on: people. A program wants one answer.
fn reporter(context: &Context<'_>) -> Box<dyn Reporter> {
    if context.json {
        Box::new(Silent)
    } else {
        progress::reporter(context)
    }
}

impl From<TemplateError> for CommandError {
    fn from(error: TemplateError) -> Self {
        let hints = error.hints();
        let error = match error {
            TemplateError::Name(_) | TemplateError::NoDefinition { .. } | TemplateError::NotBuilt(_) => {
                Self::usage(error)
            }
            other => Self::work(other),
        };
        hints.into_iter().fold(error, Self::hint)
    }
}
