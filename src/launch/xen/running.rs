//! Xen at work: domains of the server, managed by xl(1), which takes root.

use crate::base::process::ProcessError;
use crate::project::Terminal;

use super::super::command::CommandLine;
use super::super::console::{self, Launching};
use super::super::run::{ConsoleAccess, Machine, Obstacle, Platform};

/// Machines under Xen.
#[derive(Debug, Clone, Copy)]
pub(in crate::launch) struct Xen;

impl Xen {
    fn xl(machine: &Machine, action: &[&str]) -> CommandLine {
        let mut command = CommandLine::new(["xl"]);
        command.words.extend(action.iter().map(|word| (*word).to_owned()));
        command.words.push(machine.spec.name());
        command
    }
}

impl Platform for Xen {
    fn obstacles(&self, machine: &Machine, found: &mut Vec<Obstacle>) {
        if machine.host.find("xl").is_none() {
            found.push(Obstacle::NoProgram {
                program: "xl".to_owned(),
                package: Some("xen-utils-common"),
            });
        }
        if !machine.host.is_root() {
            found.push(Obstacle::NeedsRoot {
                what: format!("the Xen domain of host `{}`", machine.name()),
                commands: vec!["xl create xl.cfg".to_owned()],
            });
        }
        for file in machine.spec.kernel.iter().flat_map(|kernel| {
            let ramdisk = kernel.ramdisk.iter();
            std::iter::once(&kernel.file).chain(ramdisk)
        }) {
            if !machine.spec.directory.join(file).exists() {
                found.push(Obstacle::NoKernel {
                    host: machine.name().to_string(),
                    kernel: file.clone(),
                    package: None,
                });
            }
        }
    }

    fn commands(&self, machine: &Machine) -> Vec<Launching> {
        let create = CommandLine::new(["xl", "create", "xl.cfg"]).within(&machine.spec.directory);
        let mut commands = vec![Launching {
            command: create,
            stays: false,
        }];
        // Without a terminal, what the console says is still kept.
        let name = machine.spec.name();
        let terminal = match machine.terminal {
            Terminal::Pty => Terminal::Log,
            terminal => terminal,
        };
        let console = Self::xl(machine, &["console"]);
        commands.extend(console::in_terminal(console, terminal, &name, &machine.console()));
        commands
    }

    fn is_up(&self, machine: &Machine) -> bool {
        Self::xl(machine, &["domid"]).run(&machine.host).is_ok()
    }

    fn has_left_overs(&self, machine: &Machine) -> bool {
        // A domain that crashed is destroyed by Xen itself, as its configuration asks.
        machine.place.record().is_some()
    }

    fn ask_to_stop(&self, machine: &Machine) -> Result<(), String> {
        let asked = Self::xl(machine, &["shutdown"]).run(&machine.host);
        asked.map(drop).map_err(|error| error.to_string())
    }

    fn end(&self, machine: &Machine) -> Result<(), String> {
        if !self.is_up(machine) {
            return Ok(());
        }
        let ended = Self::xl(machine, &["destroy"]).run(&machine.host);
        ended.map(drop).map_err(|error| error.to_string())
    }

    fn console(&self, machine: &Machine) -> Result<ConsoleAccess, ProcessError> {
        Ok(ConsoleAccess::Program(Self::xl(machine, &["console"])))
    }

    fn describe(&self, machine: &Machine) -> Option<String> {
        let output = Self::xl(machine, &["domid"]).run(&machine.host).ok()?;
        Some(format!("domain {}", output.trim()))
    }
}
