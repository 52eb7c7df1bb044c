//! `upgrade`: brings a baked project to a new description, and keeps what its machines have written.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::json;

use super::super::error::CommandError;
use super::super::progress;
use super::Context;
use super::durability::DurabilityArgs;
use super::launch::seconds;
use super::making::{self, MakingArgs, Material};
use super::running;
use crate::bake::{self, Action, Execution, HostChange, Plan, Selection, Upgrade, Verify, Written};
use crate::base::Timestamp;
use crate::launch::run::{HostStatus, Running, StartOptions, State, StopOptions, Until, start, status, stop};
use crate::project::HostName;
use crate::store::{Existing, ProjectPlaces, Projects};

/// Bring a baked project to a new description, and keep what its machines have written
///
/// Tells first what becomes of every host, and why. A host whose machine has run is changed in its own image: resized,
/// and configured anew where the description asks for something else; it is never baked anew unless --fresh says so. A
/// host that has not run is baked anew if anything it is made from has changed. Users and groups that the description
/// has no more stay; other files go back to what the template has, unless the machine has changed them.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    making: MakingArgs,
    /// Tell what would be done, and do nothing
    #[arg(short = 'n', long, visible_short_alias = 's')]
    dry_run: bool,
    /// Stop machines that have to change, and start them again, with the new ones
    #[arg(short = 'S', long)]
    start: bool,
    /// Give each machine so long to shut down before it is ended by force, and to come up again
    #[arg(short, long, value_name = "SECONDS", default_value = "300", value_parser = seconds)]
    wait: Duration,
    /// Bake this host anew from its template, and lose what its machine has written; may be given again
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    fresh: Vec<String>,
    /// Lay the files of hosts that the description has no more aside, in `.removed` of the project's directory
    #[arg(short, long)]
    keep: bool,
    /// Let this host, which the description has no more, go with what its machine has written; may be given again
    #[arg(long, value_name = "HOST", value_delimiter = ',', conflicts_with = "keep")]
    discard: Vec<String>,
    #[command(flatten)]
    durability: DurabilityArgs,
}

/// What is to be done, and what of it runs.
struct Known {
    changes: Vec<HostChange>,
    running: Option<Running>,
    /// Hosts that change and are up.
    busy: Vec<HostName>,
}

/// Tells the plan, and carries it out.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let material = arguments.making.gather(context)?;
    material.require_hosts(&arguments.fresh)?;
    let places = places(material.name(), context)?;
    let (fresh, discard) = (set(&arguments.fresh), set(&arguments.discard));
    let upgrade = Upgrade {
        fresh: &fresh,
        discard: &discard,
        keep_removed: arguments.keep,
        now: context
            .environment
            .source_date_epoch()?
            .unwrap_or_else(Timestamp::now),
    };
    let changes = compare(&material, &upgrade, context)?;
    if let Some(unknown) = arguments.discard.iter().find(|name| !goes(&changes, name)) {
        return Err(CommandError::usage(format!("no host `{unknown}` goes")));
    }
    let known = look(changes, &places, context);
    tell(&known, arguments, context)?;
    refuse(&known, arguments, context)?;
    if arguments.dry_run {
        return Ok(());
    }
    if !known.busy.is_empty()
        && let Some(running) = &known.running
    {
        stop_busy(running, &known.busy, arguments, context)?;
    }
    let baked = carry_out(&material, &upgrade, arguments, context);
    let wanted = to_start(&known, arguments, baked.is_ok());
    let failed = start_again(&wanted, &places, arguments, context);
    baked?;
    let failed = failed?;
    answer(&known, &places, context)?;
    running::verdict(failed, "did not come up")
}

fn set(names: &[String]) -> BTreeSet<String> {
    names.iter().cloned().collect()
}

/// Whether the host called `name` goes.
fn goes(changes: &[HostChange], name: &str) -> bool {
    let mut gone = changes.iter().filter(|change| change.action == Action::Remove);
    gone.any(|change| change.host.as_str() == name)
}

/// The place of the project, which has been baked at least in part: an upgrade that was cut off is done again.
fn places(name: &str, context: &Context<'_>) -> Result<ProjectPlaces, CommandError> {
    let projects = Projects::at(&context.places.projects);
    let places = projects.project(name).map_err(CommandError::usage)?;
    if places.is_baked() || places.launch().is_file() {
        return Ok(places);
    }
    Err(CommandError::work(format!(
        "no project `{name}` has been baked in `{}`",
        context.places.projects.display()
    ))
    .hint("bake it: mln-image bake FILE"))
}

/// What becomes of every host.
fn compare(
    material: &Material<'_>,
    upgrade: &Upgrade<'_>,
    context: &Context<'_>,
) -> Result<Vec<HostChange>, CommandError> {
    let compared = material.in_threads(&Selection::All, |request| {
        let plan: Plan<'_> = bake::plan(request)?;
        Ok((
            plan.notes(),
            making::warnings(&plan),
            bake::changes(&plan, upgrade)?,
        ))
    });
    let (notes, warnings, changes) = compared.map_err(|error| making::command_error(error, context))?;
    for note in notes {
        context.ui.note(&note);
    }
    for warning in warnings {
        context.ui.warning(&warning);
    }
    Ok(changes)
}

/// Finds out which of the hosts that change are up.
fn look(changes: Vec<HostChange>, places: &ProjectPlaces, context: &Context<'_>) -> Known {
    let running = running::load_unfinished(places, context);
    let states = running
        .as_ref()
        .map_or_else(Vec::new, |running| status(running, false).hosts);
    let is_busy = |host: &HostStatus| matches!(host.state, State::Up | State::Foreign { .. });
    let busy: BTreeSet<String> = states
        .into_iter()
        .filter(is_busy)
        .map(|host| host.name.clone())
        .collect();
    let changing = changes.iter().filter(|change| change.action != Action::Keep);
    let busy = changing.filter(|change| busy.contains(change.host.as_str()));
    Known {
        busy: busy.map(|change| change.host.clone()).collect(),
        running,
        changes,
    }
}

/// Shows the plan: on standard output where that is all, else beside the work.
fn tell(known: &Known, arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let is_busy = |change: &HostChange| known.busy.contains(&change.host);
    if context.json {
        let hosts: Vec<_> = known
            .changes
            .iter()
            .map(|change| {
                let mut value = json!(change);
                value["is_up"] = is_busy(change).into();
                value
            })
            .collect();
        if arguments.dry_run {
            return context.ui.answer_json(&json!({ "hosts": hosts }));
        }
        progress::event(&json!({"event": "upgrade-plan", "hosts": hosts}));
        return Ok(());
    }
    let mut text = String::new();
    for change in &known.changes {
        let mut facts = change.reasons.clone();
        if change.is_written && change.action != Action::Keep {
            facts.push(match change.action {
                Action::Rebake => "what was written to its image is lost".to_owned(),
                Action::Remove if arguments.keep => "its files are laid aside".to_owned(),
                Action::Remove => "what was written to its image goes".to_owned(),
                _ => "what was written to its image stays".to_owned(),
            });
        }
        if is_busy(change) {
            facts.push("it is up".to_owned());
        }
        let facts = if facts.is_empty() {
            String::new()
        } else {
            format!(" {}", facts.join("; "))
        };
        let _infallible = writeln!(
            text,
            "{:11} {}{}{facts}",
            change.action,
            change.host,
            colon(&facts)
        );
        for note in &change.notes {
            let _infallible = writeln!(text, "            note: {note}");
        }
    }
    if arguments.dry_run {
        return context.ui.answer(&text);
    }
    context.ui.remark(&text);
    Ok(())
}

fn colon(facts: &str) -> &'static str {
    if facts.is_empty() { "" } else { ":" }
}

/// Refuses what cannot be done as things are, and running machines that nobody asked to stop.
fn refuse(known: &Known, arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let mut hints: Vec<String> = Vec::new();
    for change in &known.changes {
        if let Some(obstacle) = &change.obstacle {
            context
                .ui
                .failure(&format!("{}: {}", change.host, obstacle.reason));
            hints.push(obstacle.hint.clone());
        }
    }
    if !hints.is_empty() {
        let error = CommandError::work("the project cannot be upgraded so; nothing was done");
        return Err(hints.into_iter().fold(error, CommandError::hint));
    }
    if known.busy.is_empty() || arguments.start || arguments.dry_run {
        return Ok(());
    }
    let names: Vec<String> = known.busy.iter().map(|name| format!("`{name}`")).collect();
    Err(CommandError::work(format!(
        "{} would change, and is up; nothing was done",
        names.join(", ")
    ))
    .hint("give -S to stop what has to change, and to start it again"))
}

/// Stops the machines called `busy`.
fn stop_busy(
    running: &Running,
    busy: &[HostName],
    arguments: &Args,
    context: &Context<'_>,
) -> Result<(), CommandError> {
    let options = StopOptions {
        hosts: busy.to_vec(),
        pause: Duration::ZERO,
        wait: Some(arguments.wait),
        by_force: false,
    };
    let reporter = progress::reporter(context);
    let report = stop(running, &options, &*reporter, &|notice| {
        running::tell_notice(context, &notice);
    });
    let report = report.map_err(|error| running::command_error(error, context))?;
    let mut failed = 0;
    for (host, outcome) in &report.hosts {
        if let Some(reason) = outcome.obstacle() {
            failed += 1;
            context.ui.failure(&format!("{host}: {reason}"));
        }
    }
    running::verdict(failed, "could not be stopped; no image was changed")
}

/// Does to images and files what the plan says.
fn carry_out(
    material: &Material<'_>,
    upgrade: &Upgrade<'_>,
    arguments: &Args,
    context: &Context<'_>,
) -> Result<(), CommandError> {
    let projects = Projects::at(&context.places.projects);
    let reporter = progress::reporter(context);
    let execution = Execution {
        projects: &projects,
        existing: Existing::Replace,
        keep: true,
        written: Written::CarryOver(upgrade),
        verify: Verify::Quick,
        durability: arguments.durability.choice(),
        reporter: &*reporter,
    };
    let baked = material.in_threads(&Selection::All, |request| {
        bake::bake(&bake::plan(request)?, &execution)
    });
    baked
        .map(drop)
        .map_err(|error| making::command_error(error, context))
}

/// The machines to start: those that were stopped, and the new ones if all went well.
fn to_start(known: &Known, arguments: &Args, is_done: bool) -> Vec<String> {
    let wanted = known.changes.iter().filter(|change| match change.action {
        Action::Remove => false,
        Action::Bake => arguments.start && is_done,
        _ => known.busy.contains(&change.host),
    });
    wanted.map(|change| change.host.to_string()).collect()
}

/// Starts the machines called `wanted`; gives the number of those that did not come up.
fn start_again(
    wanted: &[String],
    places: &ProjectPlaces,
    arguments: &Args,
    context: &Context<'_>,
) -> Result<usize, CommandError> {
    let running = running::load_unfinished(places, context);
    let (Some(running), false) = (running, wanted.is_empty()) else {
        return Ok(0);
    };
    let options = StartOptions {
        hosts: running::hosts(wanted, &running)?,
        pause: Duration::ZERO,
        terminal: None,
        wait: Some(arguments.wait),
        until: Until::Console,
    };
    let reporter = progress::reporter(context);
    let report = start(&running, &options, &*reporter, &|notice| {
        running::tell_notice(context, &notice);
    });
    let report = report.map_err(|error| running::command_error(error, context))?;
    super::launch::tell(&running, &report, context)?;
    Ok(report.failures().count())
}

/// Tells in a line what was done.
fn answer(known: &Known, places: &ProjectPlaces, context: &Context<'_>) -> Result<(), CommandError> {
    let count = |action: Action| {
        known
            .changes
            .iter()
            .filter(|change| change.action == action)
            .count()
    };
    let counts = [
        (Action::Keep, "as before"),
        (Action::Restart, "started otherwise"),
        (Action::Reconfigure, "changed in place"),
        (Action::Rebake, "baked anew"),
        (Action::Bake, "new"),
        (Action::Remove, "gone"),
    ]
    .map(|(action, words)| (count(action), words));
    let name = places.name();
    if context.json {
        let counts = counts.map(|(count, words)| (words.replace(' ', "_"), json!(count)));
        let counts: serde_json::Map<_, _> = counts.into_iter().collect();
        progress::event(&json!({"event": "upgraded", "project": name, "hosts": counts}));
        return Ok(());
    }
    let told = counts.iter().filter(|(count, _)| *count > 0);
    let told: Vec<String> = told.map(|(count, words)| format!("{count} {words}")).collect();
    context
        .ui
        .answer(&format!("upgraded {name}: {}\n", told.join(", ")))
}
