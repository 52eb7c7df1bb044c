//! `bake`: every host of a project as finished images.

use serde_json::json;

use super::super::error::CommandError;
use super::super::progress;
use super::Context;
use super::making::{self, MakingArgs};
use crate::bake::{self, Execution, Manifest, Verify};
use crate::base::atomic::Durability;
use crate::store::{Existing, Projects};

/// Bake a project: every host's images, configured, and the files to start it
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    making: MakingArgs,
    /// Replace the project if it has been baked already
    #[arg(short, long)]
    replace: bool,
    /// How much to prove before an image gets its name
    #[arg(long, value_enum, default_value_t = VerifyArg::Quick)]
    verify: VerifyArg,
    /// Leave the writing to the kernel: faster, but a power cut may take the images
    #[arg(long)]
    no_sync: bool,
}

/// How much to prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum VerifyArg {
    /// Check the finished file system in memory
    Quick,
    /// Check it, and read every written image back
    Full,
    /// Nothing
    None,
}

/// Bakes, and tells where the images are.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let material = arguments.making.gather(context)?;
    material.refuse_while_running()?;
    let projects = Projects::at(&context.places.projects);
    let reporter = progress::reporter(context);
    let execution = Execution {
        projects: &projects,
        existing: if arguments.replace {
            Existing::Replace
        } else {
            Existing::Refuse
        },
        verify: match arguments.verify {
            VerifyArg::None => Verify::None,
            VerifyArg::Quick => Verify::Quick,
            VerifyArg::Full => Verify::Full,
        },
        durability: if arguments.no_sync {
            Durability::NoSync
        } else {
            Durability::Sync
        },
        reporter: &*reporter,
    };
    let manifest = material.in_threads(|request| {
        let plan = bake::plan(request)?;
        let said = (plan.notes(), making::warnings(&plan));
        bake::bake(&plan, &execution).map(|manifest| (said, manifest))
    });
    let ((notes, warnings), manifest) = manifest.map_err(|error| making::command_error(error, context))?;
    for note in notes {
        context.ui.note(&note);
    }
    for warning in warnings {
        context.ui.warning(&warning);
    }
    answer(&manifest, &projects, context)
}

fn answer(manifest: &Manifest, projects: &Projects, context: &Context<'_>) -> Result<(), CommandError> {
    let name = &manifest.project.name;
    let directory = projects.project(name).map_err(CommandError::work)?.directory();
    if context.json {
        progress::event(
            &json!({"event": "baked", "project": name, "directory": directory.display().to_string()}),
        );
        return Ok(());
    }
    let hosts = manifest.hosts.len();
    let noun = if hosts == 1 { "host" } else { "hosts" };
    context.ui.answer(&format!(
        "baked {name}: {hosts} {noun} in {}\n",
        directory.display()
    ))
}
