//! `bake`: every host of a project as finished images.

use std::path::PathBuf;

use serde_json::json;

use super::super::error::CommandError;
use super::super::progress::{self, Timings};
use super::Context;
use super::durability::DurabilityArgs;
use super::making::{self, MakingArgs};
use crate::bake::{self, BakeError, Baked, Execution, Plan, Selection, Shard, Verify, Written};
use crate::base::Timestamp;
use crate::base::atomic::{self, Durability};
use crate::base::report::Reporter;
use crate::image;
use crate::store::{Existing, Projects};
use crate::template::{ImportOrder, Lineage, Store, TemplateName};

/// Bake a project: every host's images, configured, and the files to start it
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    making: MakingArgs,
    /// Replace the project if it has been baked already; hosts of which nothing has changed are kept
    #[arg(short, long)]
    replace: bool,
    /// With --replace, make every host again, even if nothing has changed
    #[arg(long)]
    fresh: bool,
    /// Make hosts again whose images machines, or people, have written to since they were baked, and lose that
    #[arg(long)]
    discard_changes: bool,
    /// Bake only this host, and leave the others as they are; may be given again. With --as-template, the host whose
    /// image becomes the template
    #[arg(
        long = "host",
        value_name = "NAME",
        value_delimiter = ',',
        conflicts_with = "shard"
    )]
    hosts: Vec<String>,
    /// Bake part I of N, so that N machines bake the whole: which part a host is in depends on its name alone
    #[arg(long, value_name = "I/N", conflicts_with = "as_template")]
    shard: Option<Shard>,
    /// Tell on standard error what took how long, and write a trace for Chrome to FILE
    #[arg(long, value_name = "FILE")]
    timings: Option<PathBuf>,
    /// How much to prove before an image gets its name
    #[arg(long, value_enum, default_value_t = VerifyArg::Quick)]
    verify: VerifyArg,
    /// Keep a host's image as a template of this name, too, with the record of what it was made from
    #[arg(long, value_name = "NAME")]
    as_template: Option<TemplateName>,
    #[command(flatten)]
    durability: DurabilityArgs,
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

impl Args {
    fn selection(&self) -> Selection {
        match self.shard {
            Some(shard) => Selection::Shard(shard),
            None if self.hosts.is_empty() || self.as_template.is_some() => Selection::All,
            None => Selection::Hosts(self.hosts.iter().cloned().collect()),
        }
    }

    /// How to bake, all told to `reporter`.
    fn execution<'a>(&self, projects: &'a Projects, reporter: &'a dyn Reporter) -> Execution<'a> {
        Execution {
            projects,
            existing: if self.replace {
                Existing::Replace
            } else {
                Existing::Refuse
            },
            keep: !self.fresh,
            written: if self.discard_changes {
                Written::Discard
            } else {
                Written::Refuse
            },
            verify: match self.verify {
                VerifyArg::None => Verify::None,
                VerifyArg::Quick => Verify::Quick,
                VerifyArg::Full => Verify::Full,
            },
            durability: self.durability.choice(),
            reporter,
        }
    }
}

/// The thing that a project as a whole is in the timings.
const WHOLE: &str = "project";

/// Bakes, and tells where the images are.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let timings = Timings::new(progress::reporter(context), arguments.timings.is_some());
    timings.turn(WHOLE, Some("load"));
    let material = arguments.making.gather(context)?;
    material.refuse_while_running()?;
    material.require_hosts(&arguments.hosts)?;
    let projects = Projects::at(&context.places.projects);
    let execution = arguments.execution(&projects, &timings);
    let golden = match (&arguments.as_template, &arguments.hosts[..]) {
        (None, _) => None,
        (Some(name), hosts @ ([] | [_])) => {
            Some((name, material.one_host(hosts.first().map(String::as_str))?))
        }
        (Some(_), _) => return Err(CommandError::usage("only one host can become a template")),
    };
    let baked = material.in_threads(&arguments.selection(), |request| {
        timings.turn(WHOLE, Some("plan"));
        let plan = bake::plan(request)?;
        let said = (plan.notes(), making::warnings(&plan));
        let root = match &golden {
            Some((_, wanted)) => root_partition(&plan, wanted)?,
            None => None,
        };
        timings.turn(WHOLE, Some("bake"));
        bake::bake(&plan, &execution).map(|baked| (said, root, baked))
    });
    timings.turn(WHOLE, None);
    let ((notes, warnings), root, baked) = baked.map_err(|error| making::command_error(error, context))?;
    for note in notes {
        context.ui.note(&note);
    }
    for warning in warnings {
        context.ui.warning(&warning);
    }
    if let Some((name, host)) = &golden {
        keep_golden(name, host, root, &baked, &projects, context)?;
    }
    if let Some(file) = &arguments.timings {
        context.ui.remark(&timings.table());
        let trace = format!("{}\n", timings.trace());
        atomic::write(file, trace.as_bytes(), Durability::NoSync)?;
    }
    answer(&baked, &projects, context)
}

/// The number of `wanted`'s root partition, if it is a whole disk.
fn root_partition(plan: &Plan<'_>, wanted: &str) -> Result<Option<u32>, BakeError> {
    let host = plan.hosts(|name| name.as_str() == wanted).next().transpose()?;
    Ok(host.and_then(|host| host.root_partition))
}

/// Takes the image of `host` into the templates.
fn keep_golden(
    name: &TemplateName,
    host: &str,
    root: Option<u32>,
    baked: &Baked,
    projects: &Projects,
    context: &Context<'_>,
) -> Result<(), CommandError> {
    let project = &baked.project;
    let places = projects.project(&project.name).map_err(CommandError::work)?;
    let known = bake::image_of(&places, host).map_err(CommandError::work)?;
    let (template, record) =
        known.ok_or_else(|| CommandError::work(format!("host `{host}` was not baked")))?;
    let parent = baked.templates.iter().find(|known| known.name == template);
    let parent = parent.ok_or_else(|| CommandError::work(format!("nothing is known of `{template}`")))?;
    let image = places.directory().join(&record.file);
    // A template is raw: of what lies over another, a raw image is made and removed again.
    let raw = if record.format.is_delta() {
        let opened = image::open(&image).map_err(CommandError::work)?;
        let place = image.with_extension("raw");
        Some(image::flatten(&opened, &place).map_err(CommandError::work)?)
    } else {
        None
    };
    let order = ImportOrder {
        file: raw
            .as_ref()
            .map_or(image, |raw| raw.temporary_path().to_path_buf()),
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

fn answer(baked: &Baked, projects: &Projects, context: &Context<'_>) -> Result<(), CommandError> {
    let name = &baked.project.name;
    let directory = projects.project(name).map_err(CommandError::work)?.directory();
    if context.json {
        progress::event(&json!({
            "event": "baked",
            "project": name,
            "directory": directory.display().to_string(),
            "hosts": baked.hosts,
            "kept": baked.kept,
        }));
        return Ok(());
    }
    let hosts = baked.hosts;
    let noun = if hosts == 1 { "host" } else { "hosts" };
    let kept = match baked.kept {
        0 => String::new(),
        kept => format!(" ({kept} kept)"),
    };
    context.ui.answer(&format!(
        "baked {name}: {hosts} {noun}{kept} in {}\n",
        directory.display()
    ))
}
