//! Starting a project.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::base::cleanup::Undo;
use crate::base::report::Reporter;
use crate::project::{HostName, Moment};

use super::super::command::CommandLine;
use super::super::net::Segment;
use super::super::runtime::RuntimeLock;
use super::machine::is_local;
use super::ready::{self, Waited, Watched};
use super::{Machine, Notice, Obstacle, RunError, Running, StartOptions, State, Until, hooks, is_wanted};

/// How a start went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StartReport {
    /// Every machine that was wanted, in the order in which it was started.
    pub hosts: Vec<(HostName, Outcome)>,
}

/// How one machine's start went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is up, and has been since before.
    AlreadyUp,
    /// It was started and nobody waited.
    Started,
    /// It was started and came up.
    Up(Duration),
    /// Another server runs it.
    Elsewhere {
        /// The server.
        server: String,
    },
    /// It did not come up.
    Failed {
        /// Why, in words.
        reason: String,
        /// The last lines of its console.
        last_lines: Vec<String>,
    },
}

impl StartReport {
    /// The machines that did not come up.
    pub fn failures(&self) -> impl Iterator<Item = &(HostName, Outcome)> {
        self.hosts
            .iter()
            .filter(|(_, outcome)| matches!(outcome, Outcome::Failed { .. }))
    }
}

/// What this start has set going, to be ended again should a signal end this process.
#[derive(Debug, Default)]
struct Begun {
    machines: Vec<Machine>,
    segments: Vec<Segment>,
}

/// Starts the machines that `options` name, with the switches that they need.
///
/// # Errors
/// [`RunError::Obstacles`] with everything that is in the way, before anything is started. A machine that does not
/// come up is no error of this kind: the others go on, and the report names it.
pub fn start(
    running: &Running,
    options: &StartOptions,
    reporter: &dyn Reporter,
    notice: &dyn Fn(Notice),
) -> Result<StartReport, RunError> {
    let was_begun = running.runtime.exists();
    let lock = running.runtime.lock(&running.host, &running.project.project)?;
    let mut machines = running.machines(options.terminal);
    machines.retain(|machine| is_wanted(machine.name(), &options.hosts));
    // Without the machines' own files in the way, so that those that are up are left alone.
    let mut report = StartReport::default();
    elsewhere(running, options, &mut report);
    machines.retain(|machine| {
        let is_up = machine.state() == State::Up;
        if is_up {
            report.hosts.push((machine.name().clone(), Outcome::AlreadyUp));
        }
        !is_up
    });
    for machine in &mut machines {
        clean_up_crash(machine, notice);
        machine.settle_terminal(notice);
    }
    let found = obstacles(running, &machines, &[], options.until);
    if !found.is_empty() {
        if !was_begun {
            running.runtime.remove(&lock)?;
        }
        return Err(RunError::Obstacles(found));
    }
    let begun = Arc::new(Mutex::new(Begun::default()));
    let undo = undo_on_signal(running, &begun);
    reporter.begin(machines.len());
    let started = start_all(running, options, &machines, &begun, reporter, notice);
    reporter.end();
    drop(undo);
    if started.is_err() && !running.is_up() {
        take_back(running, &begun, &lock)?;
    }
    report.hosts.extend(started?);
    Ok(report)
}

/// Stops the switches of a start that came to nothing.
fn take_back(running: &Running, begun: &Mutex<Begun>, lock: &RuntimeLock) -> Result<(), RunError> {
    for segment in &locked(begun).segments {
        segment.stop(&running.host)?;
    }
    if !running.segments().iter().any(Segment::is_up) {
        running.runtime.remove(lock)?;
    }
    Ok(())
}

/// Everything between the first hook and the last.
fn start_all(
    running: &Running,
    options: &StartOptions,
    machines: &[Machine],
    begun: &Mutex<Begun>,
    reporter: &dyn Reporter,
    notice: &dyn Fn(Notice),
) -> Result<Vec<(HostName, Outcome)>, RunError> {
    hooks::run(running, Moment::BeforeProjectStart, notice)?;
    let is_shared = machines.iter().any(|machine| machine.spec.run_as.is_some());
    for segment in running.segments() {
        let mut begun = locked(begun);
        if segment.start(&running.host, notice)? {
            begun.segments.push(segment.clone());
            if is_shared {
                segment.open_to_all()?;
            }
        }
    }
    hooks::run(running, Moment::BeforeHostsStart, notice)?;
    let mut outcomes = Vec::new();
    let orders: BTreeSet<u32> = machines.iter().map(|machine| machine.spec.order).collect();
    for order in orders {
        let of_order = machines.iter().filter(|machine| machine.spec.order == order);
        let mut watched = Vec::new();
        for machine in of_order {
            if !outcomes.is_empty() || !watched.is_empty() {
                sleep(options.pause);
            }
            let started = Instant::now();
            match start_one(machine, begun, reporter) {
                Ok(()) => watched.push((machine, started)),
                Err(error) => {
                    let reason = crate::base::report::chain(&error);
                    reporter.failed(machine.name().as_str(), &reason);
                    machine.note_crash(&reason);
                    let last_lines = Vec::new();
                    outcomes.push((machine.name().clone(), Outcome::Failed { reason, last_lines }));
                }
            }
        }
        outcomes.extend(wait_for(&watched, options, begun, reporter));
    }
    hooks::run(running, Moment::AfterHostsStart, notice)?;
    hooks::run(running, Moment::AfterProjectStart, notice)?;
    Ok(outcomes)
}

fn start_one(machine: &Machine, begun: &Mutex<Begun>, reporter: &dyn Reporter) -> Result<(), RunError> {
    // Held until the machine is written down, so that a signal finds either nothing or all of it.
    let mut begun = locked(begun);
    reporter.stage(machine.name().as_str(), "start");
    begun.machines.push(machine.clone());
    machine.start()
}

/// Removes what a crashed run of the machine has left, which would be in its way.
fn clean_up_crash(machine: &Machine, notice: &dyn Fn(Notice)) {
    if machine.state() == State::Crashed {
        // What does not go is told as an obstacle.
        drop(machine.end());
        notice(Notice::CleanedUp {
            host: machine.name().to_string(),
        });
    }
}

/// Waits for machines that were started one after the other, each at its time.
fn wait_for(
    machines: &[(&Machine, Instant)],
    options: &StartOptions,
    begun: &Mutex<Begun>,
    reporter: &dyn Reporter,
) -> Vec<(HostName, Outcome)> {
    let Some(limit) = options.wait else {
        for (machine, _) in machines {
            reporter.done(machine.name().as_str(), "started");
        }
        let started = machines
            .iter()
            .map(|(machine, _)| (machine.name().clone(), Outcome::Started));
        return started.collect();
    };
    let watched = machines
        .iter()
        .map(|(machine, started)| Watched::new(machine, *started))
        .collect();
    for (machine, _) in machines {
        reporter.stage(machine.name().as_str(), "boot");
    }
    let waited = ready::wait(watched, limit, options.until, &|| drop(locked(begun)), reporter);
    let outcome = |((machine, _), waited): (&(&Machine, Instant), Waited)| {
        let outcome = match waited {
            Waited::Up(elapsed) => Outcome::Up(elapsed),
            Waited::Failed { reason, last_lines } => {
                if !is_alive_after_failure(machine, &last_lines) {
                    machine.note_crash(&reason);
                }
                Outcome::Failed { reason, last_lines }
            }
        };
        (machine.name().clone(), outcome)
    };
    machines.iter().zip(waited).map(outcome).collect()
}

/// Whether a machine that is not up yet may still become so: it runs, and its kernel has not given up.
fn is_alive_after_failure(machine: &Machine, last_lines: &[String]) -> bool {
    let has_panicked = last_lines.iter().any(|line| line.contains("Kernel panic"));
    !has_panicked && machine.platform().is_up(machine)
}

/// The machines that other servers run.
fn elsewhere(running: &Running, options: &StartOptions, report: &mut StartReport) {
    for spec in &running.project.hosts {
        if is_wanted(&spec.host, &options.hosts)
            && !is_local(spec, &running.host)
            && let Some(server) = spec.server.clone()
        {
            report
                .hosts
                .push((spec.host.clone(), Outcome::Elsewhere { server }));
        }
    }
}

/// What keeps `machines`, those that are wanted of them, from being started.
pub(super) fn obstacles(
    running: &Running,
    machines: &[Machine],
    wanted: &[HostName],
    until: Until,
) -> Vec<Obstacle> {
    let mut found = Vec::new();
    if until == Until::Ping && running.host.find("ping").is_none() {
        found.push(Obstacle::NoProgram {
            program: "ping".to_owned(),
            package: Some("iputils-ping"),
        });
    }
    for program in ["setsid", "setarch"] {
        if running.host.find(program).is_none() {
            found.push(Obstacle::NoProgram {
                program: program.to_owned(),
                package: Some("util-linux"),
            });
        }
    }
    let machines = machines
        .iter()
        .filter(|machine| is_wanted(machine.name(), wanted) && !machine.platform().is_up(machine));
    let mut needs_network = false;
    for machine in machines {
        needs_network = true;
        machine.obstacles(&mut found);
    }
    if needs_network {
        for segment in running.segments() {
            segment.obstacles(&running.host, &mut found);
        }
    }
    let mut told: Vec<Obstacle> = Vec::new();
    for obstacle in found {
        if !told.contains(&obstacle) {
            told.push(obstacle);
        }
    }
    told
}

/// What a start would run, in order.
pub(super) fn rehearse(running: &Running, options: &StartOptions) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let hook = |moment| hooks::command(running, moment).map(|command| command.shown());
    lines.extend(hook(Moment::BeforeProjectStart));
    for segment in running.segments() {
        if segment.is_up() {
            continue;
        }
        lines.extend(segment.commands(&running.host).iter().map(CommandLine::shown));
    }
    lines.extend(hook(Moment::BeforeHostsStart));
    let mut machines = running.machines(options.terminal);
    machines.retain(|machine| is_wanted(machine.name(), &options.hosts) && machine.state() != State::Up);
    machines.sort_by_key(|machine| machine.spec.order);
    for machine in &mut machines {
        machine.settle_terminal(&|_| ());
        lines.extend(
            machine
                .commands()
                .iter()
                .map(|launching| launching.command.shown()),
        );
    }
    lines.extend(hook(Moment::AfterHostsStart));
    lines.extend(hook(Moment::AfterProjectStart));
    lines
}

/// Ends what this start has begun, should a signal end this process.
fn undo_on_signal(running: &Running, begun: &Arc<Mutex<Begun>>) -> Undo {
    let running = running.clone();
    let begun = Arc::clone(begun);
    Undo::register(Box::new(move || {
        let begun = locked(&begun);
        for machine in &begun.machines {
            drop(machine.end());
        }
        for segment in &begun.segments {
            drop(segment.stop(&running.host));
        }
        if !running.is_up() && !running.segments().iter().any(Segment::is_up) {
            running.runtime.remove_all();
        }
        // The thread that starts machines must not go on while the process ends.
        std::mem::forget(begun);
    }))
}

fn locked(begun: &Mutex<Begun>) -> MutexGuard<'_, Begun> {
    begun.lock().unwrap_or_else(PoisonError::into_inner)
}
