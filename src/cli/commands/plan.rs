//! `plan`: what a bake would do, without doing it.

use std::fmt::Write as _;

use serde_json::json;

use super::super::error::CommandError;
use super::Context;
use super::making::{self, MakingArgs};
use crate::bake::{self, FileDiff, HostPlan, Plan, Selection};
use crate::base::ByteSize;

/// Show what a bake would do: sizes, and every guest file that changes
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    making: MakingArgs,
    /// Show each file's diff, and the project lines that caused it
    #[arg(long)]
    diff: bool,
    /// Show only this host; may be given again
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
}

/// Prints the plan.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let material = arguments.making.gather(context)?;
    material.require_hosts(&arguments.hosts)?;
    let answer = material.in_threads(&Selection::All, |request| {
        let plan = bake::plan(request)?;
        for note in plan.notes() {
            context.ui.note(&note);
        }
        let hosts = wanted(&plan, &arguments.hosts);
        let mut shown = Vec::new();
        for host in hosts {
            let diffs = if arguments.diff {
                Some(plan.diff(host)?)
            } else {
                None
            };
            shown.push((host, diffs));
        }
        Ok(if context.json {
            let hosts = shown.iter().map(|(host, diffs)| match diffs {
                Some(diffs) => json!({"host": host, "diff": diffs}),
                None => json!({"host": host}),
            });
            format!(
                "{:#}\n",
                json!({"project": plan.name(), "hosts": hosts.collect::<Vec<_>>()})
            )
        } else {
            shown
                .iter()
                .map(|(host, diffs)| text(host, diffs.as_deref()))
                .collect::<Vec<_>>()
                .join("\n")
        })
    });
    let answer = answer.map_err(|error| making::command_error(error, context))?;
    context.ui.answer(&answer)
}

/// The hosts called `names`, or all of them.
fn wanted<'p>(plan: &'p Plan<'_>, names: &[String]) -> impl Iterator<Item = &'p HostPlan> {
    let is_wanted =
        |host: &&HostPlan| names.is_empty() || names.iter().any(|name| name == host.name.as_str());
    plan.hosts()
        .iter()
        .filter(is_wanted)
        .collect::<Vec<_>>()
        .into_iter()
}

/// A host's part of the plan.
fn text(host: &HostPlan, diffs: Option<&[FileDiff]>) -> String {
    let mut text = format!(
        "{}: {} ({}) from {}",
        host.name,
        ByteSize(host.len_bytes),
        host.file_system,
        host.template
    );
    if let Some(swap) = host.swap_len_bytes {
        let _infallible = write!(text, ", swap {}", ByteSize(swap));
    }
    let _infallible = writeln!(
        text,
        "\n  needs {} of {} free blocks, {} of {} free inodes",
        host.blocks.needed, host.blocks.free, host.inodes.needed, host.inodes.free
    );
    let told = [
        Some((&host.family, "family")),
        host.renderer.as_ref().map(|told| (told, "network by")),
        host.init.as_ref().map(|told| (told, "started by")),
    ];
    for (told, what) in told.into_iter().flatten() {
        let _infallible = writeln!(text, "  {what} {}: {}", told.name, told.reason);
    }
    for warning in &host.warnings {
        let _infallible = writeln!(text, "  warning: {warning}");
    }
    match diffs {
        Some(diffs) => {
            for diff in diffs {
                let _infallible = write!(text, "\n{diff}");
            }
        }
        None => {
            for file in &host.files {
                let _infallible = writeln!(
                    text,
                    "  {:10} {} {}:{} {:>9} {}",
                    file.effect.name(),
                    file.mode,
                    file.uid,
                    file.gid,
                    file.len_bytes,
                    file.path
                );
            }
        }
    }
    text
}
