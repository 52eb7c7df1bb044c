//! One machine on this server, and what every platform has to offer to run it.

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use crate::base::PathError;
use crate::base::atomic::{self, Durability};
use crate::base::process::ProcessError;
use crate::project::{self, HostName, Terminal};

use super::super::command::{Account, CommandLine, LaunchHost};
use super::super::console::Launching;
use super::super::net::Bridges;
use super::super::process;
use super::super::project_spec::{ProjectSpec, SwitchKind};
use super::super::runtime::{MachinePlace, Record, Runtime};
use super::super::spec::DomainSpec;
use super::super::uml::UserModeLinux;
use super::super::xen::Xen;
use super::super::{console, qemu};
use super::error::{Notice, Obstacle, RunError};

/// A machine, defined and in its place.
#[derive(Debug, Clone)]
pub(in crate::launch) struct Machine {
    /// Its definition.
    pub(in crate::launch) spec: DomainSpec,
    /// Where its console goes.
    pub(in crate::launch) terminal: Terminal,
    /// Where what belongs to it while it runs lies.
    pub(in crate::launch) place: MachinePlace,
    /// Where what belongs to its project lies.
    pub(in crate::launch) runtime: Runtime,
    /// The server.
    pub(in crate::launch) host: Arc<LaunchHost>,
    bridges: Bridges,
}

/// What a machine is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It runs.
    Up,
    /// It does not.
    Down,
    /// It was started and has ended otherwise than by shutting down.
    Crashed,
    /// Somebody else runs something with its disk.
    Foreign {
        /// The process.
        pid: u32,
    },
}

/// How a machine's console is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConsoleAccess {
    /// Not at all; its output may be in a file.
    None,
    /// A pseudo-terminal.
    Terminal(PathBuf),
    /// A socket.
    Socket(PathBuf),
    /// A program's business, such as `screen`.
    Program(CommandLine),
}

/// What runs machines.
pub(in crate::launch) trait Platform: std::fmt::Debug + Sync {
    /// What keeps the machine from being started, beside its files and its network.
    fn obstacles(&self, machine: &Machine, found: &mut Vec<Obstacle>);

    /// What a start runs, in order.
    fn commands(&self, machine: &Machine) -> Vec<Launching>;

    /// What is left to do once its commands have been run.
    fn started(&self, _machine: &Machine) {}

    /// Whether the machine runs.
    fn is_up(&self, machine: &Machine) -> bool;

    /// Whether a machine that does not run has left anything that only a crash leaves.
    fn has_left_overs(&self, machine: &Machine) -> bool;

    /// Asks the guest to shut down.
    fn ask_to_stop(&self, machine: &Machine) -> Result<(), String>;

    /// Ends the machine and all that belongs to it, whatever its state.
    fn end(&self, machine: &Machine) -> Result<(), String>;

    /// How the console is reached where that is not a terminal program's business.
    fn console(&self, machine: &Machine) -> Result<ConsoleAccess, ProcessError>;

    /// What the machine says of itself, if it can be asked.
    fn describe(&self, machine: &Machine) -> Option<String>;
}

impl Machine {
    /// The machines of `project` that this server runs, in the project's order.
    pub(in crate::launch) fn of_project(
        project: &ProjectSpec,
        runtime: &Runtime,
        host: &Arc<LaunchHost>,
        terminal: Option<Terminal>,
    ) -> Vec<Self> {
        let own_bridges: Vec<String> = project
            .switches
            .iter()
            .filter_map(|switch| match &switch.kind {
                SwitchKind::Bridge { bridge } => Some(bridge.clone()),
                _ => None,
            })
            .collect();
        project
            .hosts
            .iter()
            .filter(|spec| is_local(spec, host))
            .map(|spec| Self {
                bridges: Bridges::of(spec, &own_bridges, takes_taps(spec, host)),
                terminal: terminal.unwrap_or(spec.terminal),
                place: runtime.machine(&spec.handle()),
                runtime: runtime.clone(),
                host: Arc::clone(host),
                spec: spec.clone(),
            })
            .collect()
    }

    /// What runs it.
    pub(in crate::launch) fn platform(&self) -> &'static dyn Platform {
        match self.spec.platform {
            project::Platform::Uml => &UserModeLinux,
            project::Platform::Xen | project::Platform::XenHvm => &Xen,
            project::Platform::Qemu => &qemu::Qemu,
        }
    }

    /// Its name in the project.
    pub(in crate::launch) fn name(&self) -> &HostName {
        &self.spec.host
    }

    /// What it prints.
    pub(in crate::launch) fn console(&self) -> PathBuf {
        match self.terminal {
            // A log is for keeps.
            Terminal::Log => self.spec.directory.join("console.log"),
            _ => self.place.console(),
        }
    }

    /// Where its console went when it was started.
    pub(in crate::launch) fn started_in(&self) -> Terminal {
        self.place
            .record()
            .map_or(self.terminal, |record| record.terminal)
    }

    /// What it is doing.
    pub(in crate::launch) fn state(&self) -> State {
        let platform = self.platform();
        if platform.is_up(self) {
            return State::Up;
        }
        // Helpers of a crashed machine still hold its locks, so that these come first.
        let has_crashed = self.place.record().is_some_and(|record| record.crash.is_some());
        if has_crashed || platform.has_left_overs(self) {
            return State::Crashed;
        }
        match self.foreign_process() {
            Some((_, pid)) => State::Foreign { pid },
            None => State::Down,
        }
    }

    /// Somebody else's process that has locked one of the machine's disks for writing, with the disk.
    fn foreign_process(&self) -> Option<(PathBuf, u32)> {
        let disks = self.spec.disks.iter().filter(|disk| !disk.read_only);
        disks
            .map(|disk| self.spec.directory.join(&disk.image))
            .find_map(|path| {
                let holder = process::lock_holders(&path).first().copied()?;
                Some((path, holder))
            })
    }

    /// What keeps it from being started.
    pub(in crate::launch) fn obstacles(&self, found: &mut Vec<Obstacle>) {
        let host = self.name().to_string();
        self.platform().obstacles(self, found);
        for disk in &self.spec.disks {
            let path = self.spec.directory.join(&disk.image);
            if !path.exists() {
                found.push(Obstacle::NoFile {
                    host: host.clone(),
                    path,
                });
            }
        }
        if let Some((path, pid)) = self.foreign_process() {
            found.push(Obstacle::ImageInUse { host, path, pid });
        }
        let takes_terminal = self.spec.platform != project::Platform::Qemu || self.terminal != Terminal::Pty;
        if let Some((program, package)) = console::program(self.terminal).filter(|_| takes_terminal)
            && self.host.find(program).is_none()
        {
            found.push(Obstacle::NoProgram {
                program: program.to_owned(),
                package: Some(package),
            });
        }
        self.account_obstacles(found);
        self.bridges.obstacles(&self.host, found);
    }

    /// Whether the account that is to run it is there, and whether that is up to us.
    fn account_obstacles(&self, found: &mut Vec<Obstacle>) {
        if let Some(group) = &self.spec.image_group
            && CommandLine::new(["getent", "group", group])
                .run(&self.host)
                .is_err()
        {
            let (host, group) = (self.name().to_string(), group.clone());
            found.push(Obstacle::NoGroup { host, group });
        }
        let Some(user) = &self.spec.run_as else {
            return;
        };
        let (host, user) = (self.name().to_string(), user.clone());
        match self.host.account(&user) {
            Account::Missing => found.push(Obstacle::NoUser { host, user }),
            Account::Others => found.push(Obstacle::RunsAs { host, user }),
            Account::Ours => {}
        }
    }

    /// Takes `screen` where there is nowhere for a window to be.
    pub(in crate::launch) fn settle_terminal(&mut self, notice: &dyn Fn(Notice)) {
        if self.terminal == Terminal::Xterm && !self.host.has_display {
            self.terminal = Terminal::Screen;
            notice(Notice::NoDisplay {
                host: self.name().to_string(),
            });
        }
    }

    /// What a start runs, in order.
    pub(in crate::launch) fn commands(&self) -> Vec<Launching> {
        let taps = self.bridges.commands().into_iter().map(|command| Launching {
            command,
            stays: false,
        });
        let user = |launching: Launching| match &self.spec.run_as {
            Some(user) if self.host.is_root() => Launching {
                command: launching.command.after(["runuser", "-u", user, "--"]),
                ..launching
            },
            _ => launching,
        };
        taps.chain(self.platform().commands(self).into_iter().map(user))
            .collect()
    }

    /// `command`, on the user's own terminal, as the account that runs the machine.
    pub(super) fn as_its_user(&self, command: CommandLine) -> CommandLine {
        match &self.spec.run_as {
            Some(user) if self.host.is_root() => command.after(["runuser", "--pty", "-u", user, "--"]),
            _ => command,
        }
    }

    /// Starts it, without waiting for more than its programs to have been run.
    pub(in crate::launch) fn start(&self) -> Result<(), RunError> {
        self.place.begin(&Record {
            terminal: self.terminal,
            crash: None,
        })?;
        let console = self.console();
        let log = File::create(&console).map_err(PathError::on("create", &console))?;
        if self.terminal == Terminal::Screen {
            let settings = self.place.directory.join("console.screenrc");
            atomic::write(&settings, console::SCREEN_SETTINGS.as_bytes(), Durability::NoSync)?;
        }
        self.prepare_directory()?;
        for Launching { command, stays } in self.commands() {
            let started = if stays {
                log.try_clone()
                    .map_err(|source| ProcessError::Start {
                        program: command.shown(),
                        source,
                    })
                    .and_then(|log| command.spawn(&self.host, Some(log)))
            } else {
                command.run(&self.host).map(drop)
            };
            started.map_err(|source| RunError::Machine {
                host: self.name().to_string(),
                source,
            })?;
        }
        self.platform().started(self);
        Ok(())
    }

    /// Lets the account that runs the machine in, and the group that its images are for.
    fn prepare_directory(&self) -> Result<(), RunError> {
        // Images elsewhere, and devices, are their owners' business.
        let images = self.spec.disks.iter().map(|disk| &disk.image);
        let images = images.filter(|image| !image.contains('/'));
        let images: Vec<String> = images
            .map(|image| self.spec.directory.join(image).display().to_string())
            .collect();
        let mut commands = Vec::new();
        if let Some(user) = self.spec.run_as.as_ref().filter(|_| self.host.is_root()) {
            let place = self.place.directory.display().to_string();
            commands.push(CommandLine::new(["chown", "-R", user, &place]));
        }
        if let Some(group) = &self.spec.image_group {
            commands.push(CommandLine::new(["chgrp", "--", group]));
            commands.push(CommandLine::new(["chmod", "--", "g+rw"]));
        }
        for mut command in commands {
            command.words.extend(images.iter().cloned());
            command.run(&self.host).map_err(|source| RunError::Machine {
                host: self.name().to_string(),
                source,
            })?;
        }
        Ok(())
    }

    /// Ends it by force, and removes everything that belongs to its run.
    pub(in crate::launch) fn end(&self) -> Result<(), String> {
        self.platform().end(self)?;
        console::end_left_over(self.started_in(), &self.place.console());
        self.clean_up();
        Ok(())
    }

    /// Removes what is left of a run that is over.
    pub(in crate::launch) fn clean_up(&self) {
        self.bridges.remove(&self.host);
        // What cannot be removed now is in nobody's way: the next start removes it again.
        drop(self.place.forget());
    }

    /// Writes down that it has crashed, once everything but that is cleaned up.
    pub(in crate::launch) fn note_crash(&self, reason: &str) {
        drop(self.platform().end(self));
        console::end_left_over(self.terminal, &self.place.console());
        self.bridges.remove(&self.host);
        let directory = self.place.directory.join(self.spec.handle());
        drop(fs::remove_dir_all(directory));
        // Without the note the machine merely counts as down.
        drop(self.place.write(&Record {
            terminal: self.terminal,
            crash: Some(reason.to_owned()),
        }));
    }
}

/// Whether the machine is plugged into bridges by tap devices that are made for it. QEMU has a helper that lets an
/// ordinary user in.
fn takes_taps(spec: &DomainSpec, host: &LaunchHost) -> bool {
    match spec.platform {
        project::Platform::Uml => true,
        project::Platform::Qemu => host.is_root(),
        project::Platform::Xen | project::Platform::XenHvm => false,
    }
}

/// Whether this server runs the machine.
pub(in crate::launch) fn is_local(spec: &DomainSpec, host: &LaunchHost) -> bool {
    spec.server.is_none() || spec.server == host.name
}
