//! Running a project: switches first, then machines by boot order; what is up already stays, what is down stays down.
//!
//! Nothing of ours stays in memory: machines and switches are processes of the user, and what is told of them is found
//! out by looking at processes, sockets and locks each time. A record beside a machine's sockets says no more than that
//! it was started, so that a crash can be told from a shutdown.

mod error;
mod hooks;
mod machine;
mod ready;
mod start;
mod status;
mod stop;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::project::{HostName, Terminal};

use super::command::{CommandLine, LaunchHost};
use super::console::relay;
use super::net::{Segment, segments};
use super::project_spec::ProjectSpec;
use super::runtime::Runtime;

pub use super::console::RelayEnd;
pub use error::{Notice, Obstacle, RunError};
pub use machine::{ConsoleAccess, State};
pub(super) use machine::{Machine, Platform};
pub use ready::Until;
pub use start::{Outcome, StartReport, start};
pub use status::{HostStatus, ProjectStatus, SwitchStatus, status};
pub use stop::{StopOutcome, StopReport, stop};

/// A project in its directory, on a server.
#[derive(Debug, Clone)]
pub struct Running {
    /// What there is to run.
    pub project: ProjectSpec,
    /// The server.
    host: Arc<LaunchHost>,
    runtime: Runtime,
}

/// How a project is started.
#[derive(Debug, Clone)]
pub struct StartOptions {
    /// The machines to start; empty for all.
    pub hosts: Vec<HostName>,
    /// How long to wait between one machine and the next.
    pub pause: Duration,
    /// Where consoles go instead of where the project says.
    pub terminal: Option<Terminal>,
    /// How long to wait for each machine to be up; `None` for not at all.
    pub wait: Option<Duration>,
    /// By what a machine is known to be up.
    pub until: Until,
}

/// How a project is stopped.
#[derive(Debug, Clone)]
pub struct StopOptions {
    /// The machines to stop; empty for all.
    pub hosts: Vec<HostName>,
    /// How long to wait between one machine and the next.
    pub pause: Duration,
    /// How long each machine may take to shut down before it is ended; `None` for as long as it likes.
    pub wait: Option<Duration>,
    /// Whether to end machines at once.
    pub by_force: bool,
}

impl Running {
    /// The project `project`, which lies in `directory`, on this server.
    pub fn new(mut project: ProjectSpec, directory: &Path, host: LaunchHost) -> Self {
        // A project may have been moved since its bake.
        let name = super::runtime_name(&project.project, directory);
        for spec in &mut project.hosts {
            spec.directory = directory.join(spec.host.as_str());
            spec.runtime.clone_from(&name);
        }
        project.directory = directory.to_path_buf();
        Self {
            runtime: Runtime::new(&host, &name),
            host: Arc::new(host),
            project,
        }
    }

    /// Whether any machine or switch of it is up on this server.
    pub fn is_up(&self) -> bool {
        self.machines(None)
            .iter()
            .any(|machine| machine.state() == State::Up)
    }

    /// How the console of the machine `name` is reached; `None` if the machine does not run.
    pub fn console(&self, name: &str) -> Result<Option<ConsoleAccess>, RunError> {
        let machines = self.machines(None);
        let found = machines.iter().find(|machine| machine.name().as_str() == name);
        let Some(machine) = found.filter(|machine| machine.platform().is_up(machine)) else {
            return Ok(None);
        };
        let terminal = machine.started_in();
        if let Some(command) =
            super::console::attach(terminal, &machine.spec.name(), &machine.place.console())
        {
            return Ok(Some(ConsoleAccess::Program(machine.as_its_user(command))));
        }
        let access = machine.platform().console(machine);
        let access = access.map_err(|source| RunError::Machine {
            host: name.to_owned(),
            source,
        })?;
        Ok(Some(access))
    }

    /// Where what the machine `name` prints is kept.
    pub fn console_log(&self, name: &str) -> Option<std::path::PathBuf> {
        let machines = self.machines(None);
        let mut machine = machines
            .into_iter()
            .find(|machine| machine.name().as_str() == name)?;
        machine.terminal = machine.started_in();
        Some(machine.console())
    }

    /// What a start would run, in order, as lines for the shell.
    pub fn rehearse(&self, options: &StartOptions) -> Vec<String> {
        start::rehearse(self, options)
    }

    /// Everything that keeps the project from being started; also for those that look before they leap.
    pub fn obstacles(&self, options: &StartOptions) -> Vec<Obstacle> {
        let machines = self.machines(options.terminal);
        start::obstacles(self, &machines, &options.hosts, options.until)
    }

    fn machines(&self, terminal: Option<Terminal>) -> Vec<Machine> {
        Machine::of_project(&self.project, &self.runtime, &self.host, terminal)
    }

    fn segments(&self) -> Vec<Segment> {
        segments(&self.project, &self.runtime, &self.host)
    }
}

/// Connects the user's terminal with a machine's console, until the user or the machine ends it.
pub fn attach(access: &ConsoleAccess) -> std::io::Result<RelayEnd> {
    use std::os::fd::OwnedFd;
    let mut console = match access {
        ConsoleAccess::Terminal(path) => super::console::open_terminal(path)?,
        ConsoleAccess::Socket(path) => {
            std::fs::File::from(OwnedFd::from(std::os::unix::net::UnixStream::connect(path)?))
        }
        ConsoleAccess::None | ConsoleAccess::Program(_) => {
            return Err(std::io::ErrorKind::Unsupported.into());
        }
    };
    relay(&mut console)
}

/// The command as the system is to run it in this process's place.
pub fn program(
    command: &CommandLine,
    host: &LaunchHost,
) -> Result<std::process::Command, crate::base::process::ProcessError> {
    command.command(host)
}

/// Whether `host` is one of those that are wanted; nothing wanted means all.
fn is_wanted(host: &HostName, wanted: &[HostName]) -> bool {
    wanted.is_empty() || wanted.contains(host)
}
