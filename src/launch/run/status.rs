//! What a project's machines and switches are doing, found out anew each time.

use serde::Serialize;

use super::machine::is_local;
use super::{Machine, Running, State};

/// What a project is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProjectStatus {
    /// The project.
    pub project: String,
    /// Its machines, in the project's order.
    pub hosts: Vec<HostStatus>,
    /// Its switches.
    pub switches: Vec<SwitchStatus>,
}

/// What a machine is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostStatus {
    /// The machine.
    pub name: String,
    /// What runs it.
    pub platform: &'static str,
    /// What it is doing.
    pub state: State,
    /// More about that, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What a switch is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SwitchStatus {
    /// The switch.
    pub name: String,
    /// Whether it is there.
    pub is_up: bool,
}

/// Looks at every machine and switch that this server runs. `is_asking` also asks the machines what they are.
pub fn status(running: &Running, is_asking: bool) -> ProjectStatus {
    let mut machines = running.machines(None).into_iter();
    let hosts = running.project.hosts.iter().map(|spec| {
        let machine = if is_local(spec, &running.host) {
            machines.next()
        } else {
            None
        };
        let (state, detail) = match &machine {
            Some(machine) => look(machine, is_asking),
            None => (
                State::Down,
                spec.server.as_ref().map(|server| format!("runs on {server}")),
            ),
        };
        HostStatus {
            name: spec.host.to_string(),
            platform: spec.platform.name(),
            state,
            detail,
        }
    });
    let switch = |segment: &super::Segment| SwitchStatus {
        name: segment.name.clone(),
        is_up: segment.is_up(),
    };
    ProjectStatus {
        project: running.project.project.clone(),
        hosts: hosts.collect(),
        switches: running.segments().iter().map(switch).collect(),
    }
}

fn look(machine: &Machine, is_asking: bool) -> (State, Option<String>) {
    let state = machine.state();
    let detail = match state {
        State::Up if is_asking => machine.platform().describe(machine),
        State::Crashed => machine.place.record().and_then(|record| record.crash),
        State::Foreign { pid } => Some(format!("process {pid} uses its disk")),
        _ => None,
    };
    (state, detail)
}
