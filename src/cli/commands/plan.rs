//! `plan`: what a bake would do, without doing it.

use std::fmt::Write as _;

use serde_json::json;

use super::super::error::CommandError;
use super::Context;
use super::making::{self, MakingArgs};
use crate::bake::{self, BakeError, FileDiff, HostPlan, Plan, Selection};
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
    let told = material.in_threads(&Selection::All, |request| {
        let plan = bake::plan(request)?;
        for note in plan.notes() {
            context.ui.note(&note);
        }
        tell(&plan, arguments, context)
    });
    told.map_err(|error| making::command_error(error, context))?
}

/// Tells the plans of the wanted hosts one after the other, so that none has to be held; the inner error is that of the
/// telling.
fn tell(
    plan: &Plan<'_>,
    arguments: &Args,
    context: &Context<'_>,
) -> Result<Result<(), CommandError>, BakeError> {
    let names = &arguments.hosts;
    let hosts = plan.hosts(|host| names.is_empty() || names.iter().any(|name| name == host.as_str()));
    let mut before = if context.json {
        format!("{{\n  \"project\": {},\n  \"hosts\": [\n    ", json!(plan.name()))
    } else {
        String::new()
    };
    for host in hosts {
        let host = &*host?;
        let diffs = arguments.diff.then(|| plan.diff(host)).transpose()?;
        let part = if context.json {
            let value = match diffs {
                Some(diffs) => json!({"host": host, "diff": diffs}),
                None => json!({"host": host}),
            };
            format!("{value:#}").replace('\n', "\n    ")
        } else {
            text(host, diffs.as_deref())
        };
        if let Err(error) = context.ui.answer(&(before + &part)) {
            return Ok(Err(error));
        }
        before = String::from(if context.json { ",\n    " } else { "\n" });
    }
    Ok(if context.json {
        context.ui.answer("\n  ]\n}\n")
    } else {
        Ok(())
    })
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
