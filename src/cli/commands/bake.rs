//! `bake`: every host of a project as finished images.

use serde_json::json;

use super::super::error::CommandError;
use super::super::progress;
use super::Context;
use super::making::{self, MakingArgs};
use crate::bake::{self, Execution, Manifest, Plan, Verify};
use crate::base::Timestamp;
use crate::base::atomic::Durability;
use crate::store::{Existing, Projects};
use crate::template::{ImportOrder, Lineage, Store, TemplateName};

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
    /// Keep a host's image as a template of this name, too, with the record of what it was made from
    #[arg(long, value_name = "NAME")]
    as_template: Option<TemplateName>,
    /// The host whose image becomes the template [default: the only one]
    #[arg(long, value_name = "HOST", requires = "as_template")]
    host: Option<String>,
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
    let golden = match &arguments.as_template {
        Some(name) => Some((name, material.one_host(arguments.host.as_deref())?)),
        None => None,
    };
    let manifest = material.in_threads(|request| {
        let plan = bake::plan(request)?;
        let said = (plan.notes(), making::warnings(&plan));
        let root = golden.as_ref().and_then(|(_, host)| root_partition(&plan, host));
        bake::bake(&plan, &execution).map(|manifest| (said, root, manifest))
    });
    let ((notes, warnings), root, manifest) =
        manifest.map_err(|error| making::command_error(error, context))?;
    for note in notes {
        context.ui.note(&note);
    }
    for warning in warnings {
        context.ui.warning(&warning);
    }
    if let Some((name, host)) = &golden {
        keep_golden(name, host, root, &manifest, &projects, context)?;
    }
    answer(&manifest, &projects, context)
}

/// The number of `host`'s root partition, if it is a whole disk.
fn root_partition(plan: &Plan<'_>, host: &str) -> Option<u32> {
    let host = plan
        .hosts()
        .iter()
        .find(|planned| planned.name.as_str() == host)?;
    host.root_partition
}

/// Takes the image of `host` into the templates.
fn keep_golden(
    name: &TemplateName,
    host: &str,
    root: Option<u32>,
    manifest: &Manifest,
    projects: &Projects,
    context: &Context<'_>,
) -> Result<(), CommandError> {
    let project = &manifest.project;
    let baked = manifest.hosts.iter().find(|baked| baked.name == host);
    let baked = baked.ok_or_else(|| CommandError::work(format!("host `{host}` was not baked")))?;
    let parent = manifest
        .templates
        .iter()
        .find(|template| template.name == baked.template);
    let parent =
        parent.ok_or_else(|| CommandError::work(format!("nothing is known of `{}`", baked.template)))?;
    let directory = projects
        .project(&project.name)
        .map_err(CommandError::work)?
        .directory();
    let order = ImportOrder {
        file: directory.join(&baked.image.file),
        name: name.clone(),
        message: format!("host {host} of project {}", project.name),
        partition: root.map(|number| number.to_string()),
        lineage: Some(Lineage {
            parent: parent.name.clone(),
            parent_sha256: parent.sha256,
            project: project.name.clone(),
            project_sha256: project.sha256,
            host: host.to_owned(),
        }),
        time: Timestamp::now(),
    };
    let entry = Store::open(&context.places.templates).import(&order, || {
        context
            .ui
            .note("waiting for another process that changes the templates");
    })?;
    context
        .ui
        .note(&format!("kept host {host} as the template {}", entry.file));
    Ok(())
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
