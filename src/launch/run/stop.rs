//! Stopping a project: asked from inside first, ended by force after a while, and nothing left over.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::base::report::Reporter;
use crate::project::{HostName, Moment};

use super::{Machine, Notice, RunError, Running, State, StopOptions, hooks, is_wanted};

/// How often a machine that shuts down is looked at.
const INTERVAL: Duration = Duration::from_millis(50);

/// How a stop went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StopReport {
    /// Every machine that was wanted, in the order in which it was stopped.
    pub hosts: Vec<(HostName, StopOutcome)>,
}

/// How one machine's stop went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopOutcome {
    /// It was down already.
    AlreadyDown,
    /// It had crashed; what was left of it is gone now.
    CleanedUp,
    /// It has shut down.
    Down,
    /// It was ended by force.
    Forced,
    /// Somebody else runs it, who has to stop it.
    Foreign(u32),
    /// It cannot be stopped.
    Failed(String),
}

impl StopOutcome {
    /// Why the machine could not be stopped; `None` where it is down now.
    pub fn obstacle(&self) -> Option<String> {
        match self {
            Self::Foreign(pid) => Some(format!("process {pid}, which is not ours, uses its disk")),
            Self::Failed(reason) => Some(reason.clone()),
            Self::AlreadyDown | Self::CleanedUp | Self::Down | Self::Forced => None,
        }
    }
}

/// Stops the machines that `options` name; once none of the project is up, its switches too.
pub fn stop(
    running: &Running,
    options: &StopOptions,
    reporter: &dyn Reporter,
    notice: &dyn Fn(Notice),
) -> Result<StopReport, RunError> {
    let mut report = StopReport::default();
    let mut machines = running.machines(None);
    machines.retain(|machine| is_wanted(machine.name(), &options.hosts));
    let is_running = |machine: &Machine| matches!(machine.state(), State::Up | State::Crashed);
    if !running.runtime.exists() && !machines.iter().any(is_running) {
        // Nothing was started; what else runs with the machines' disks is told all the same.
        report.hosts.extend(machines.iter().map(|machine| {
            let outcome = match machine.state() {
                State::Foreign { pid } => StopOutcome::Foreign(pid),
                _ => StopOutcome::AlreadyDown,
            };
            (machine.name().clone(), outcome)
        }));
        return Ok(report);
    }
    let lock = running.runtime.lock(&running.host, &running.project.project)?;
    reporter.begin(machines.len());
    hooks::run(running, Moment::BeforeProjectStop, notice)?;
    hooks::run(running, Moment::BeforeHostsStop, notice)?;
    let orders: BTreeSet<u32> = machines.iter().map(|machine| machine.spec.order).collect();
    for order in orders.into_iter().rev() {
        let of_order: Vec<&Machine> = machines
            .iter()
            .filter(|machine| machine.spec.order == order)
            .collect();
        report
            .hosts
            .extend(stop_together(&of_order, options, reporter, notice));
    }
    hooks::run(running, Moment::AfterHostsStop, notice)?;
    if !running.is_up() {
        for segment in running.segments() {
            segment.stop(&running.host)?;
        }
        running.runtime.remove(&lock)?;
    }
    reporter.end();
    hooks::run(running, Moment::AfterProjectStop, notice)?;
    Ok(report)
}

/// Stops machines of one boot order.
fn stop_together(
    machines: &[&Machine],
    options: &StopOptions,
    reporter: &dyn Reporter,
    notice: &dyn Fn(Notice),
) -> Vec<(HostName, StopOutcome)> {
    let mut asked = Vec::new();
    for (place, machine) in machines.iter().enumerate() {
        if place > 0 {
            sleep(options.pause);
        }
        asked.push(ask(machine, options, reporter, notice));
    }
    let began = Instant::now();
    let outcomes = machines.iter().zip(asked).map(|(machine, decided)| {
        let outcome = decided.unwrap_or_else(|| wait_for(machine, began, options.wait, notice));
        tell(machine, &outcome, reporter);
        (machine.name().clone(), outcome)
    });
    outcomes.collect()
}

/// Asks a machine to shut down; gives the outcome where that decides already.
fn ask(
    machine: &Machine,
    options: &StopOptions,
    reporter: &dyn Reporter,
    notice: &dyn Fn(Notice),
) -> Option<StopOutcome> {
    match machine.state() {
        State::Down => {
            machine.clean_up();
            return Some(StopOutcome::AlreadyDown);
        }
        State::Foreign { pid } => return Some(StopOutcome::Foreign(pid)),
        State::Crashed => {
            return Some(
                machine
                    .end()
                    .map_or_else(StopOutcome::Failed, |()| StopOutcome::CleanedUp),
            );
        }
        State::Up => {}
    }
    if options.by_force {
        return Some(
            machine
                .end()
                .map_or_else(StopOutcome::Failed, |()| StopOutcome::Forced),
        );
    }
    reporter.stage(machine.name().as_str(), "shut down");
    if let Err(reason) = machine.platform().ask_to_stop(machine) {
        notice(Notice::NotAsked {
            host: machine.name().to_string(),
            reason,
        });
        return Some(
            machine
                .end()
                .map_or_else(StopOutcome::Failed, |()| StopOutcome::Forced),
        );
    }
    None
}

/// Waits for a machine that was asked to shut down at `began`.
fn wait_for(
    machine: &Machine,
    began: Instant,
    limit: Option<Duration>,
    notice: &dyn Fn(Notice),
) -> StopOutcome {
    while machine.platform().is_up(machine) {
        if limit.is_some_and(|limit| began.elapsed() > limit) {
            notice(Notice::Forced {
                host: machine.name().to_string(),
            });
            return machine
                .end()
                .map_or_else(StopOutcome::Failed, |()| StopOutcome::Forced);
        }
        sleep(INTERVAL);
    }
    machine
        .end()
        .map_or_else(StopOutcome::Failed, |()| StopOutcome::Down)
}

fn tell(machine: &Machine, outcome: &StopOutcome, reporter: &dyn Reporter) {
    let name = machine.name().as_str();
    match outcome {
        StopOutcome::Down => reporter.done(name, "down"),
        StopOutcome::Forced => reporter.done(name, "ended"),
        StopOutcome::AlreadyDown => reporter.done(name, "is down already"),
        StopOutcome::CleanedUp => reporter.done(name, "had crashed; cleaned up"),
        StopOutcome::Foreign(pid) => reporter.failed(name, &format!("process {pid} runs it")),
        StopOutcome::Failed(reason) => reporter.failed(name, reason),
    }
}
