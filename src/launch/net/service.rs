//! This server's own place on a switch: its address, and the program that hands out addresses and names there.
//!
//! What is handed out stands in the file that a bake wrote beside the project's machines; dnsmasq(8) reads it.

use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::super::command::{CommandLine, LaunchHost};
use super::super::process;
use super::super::project_spec::{ProjectSpec, SwitchKind, SwitchSpec};
use super::super::run::Obstacle;
use super::super::runtime::Runtime;
use super::bridge::needs_root;

/// The program that hands out addresses.
const PROGRAM: &str = "dnsmasq";

/// How long it may take to end when asked.
const END_LIMIT: Duration = Duration::from_secs(2);

/// The server on one switch.
#[derive(Debug, Clone)]
pub(super) struct Service {
    /// The device of the kernel that the address belongs to.
    device: String,
    /// The address with the length of its prefix.
    address: String,
    /// What hands out addresses, if anything does.
    dhcp: Option<Dhcp>,
}

#[derive(Debug, Clone)]
struct Dhcp {
    configuration: PathBuf,
    pid_file: PathBuf,
}

impl Service {
    /// What `switch` asks of this server.
    pub(super) fn of(switch: &SwitchSpec, project: &ProjectSpec, runtime: &Runtime) -> Option<Self> {
        let device = match &switch.kind {
            SwitchKind::Bridge { bridge } => bridge.clone(),
            SwitchKind::UmlSwitch { tap, .. } | SwitchKind::Vde { tap, .. } => tap.clone()?,
            SwitchKind::External { .. } => return None,
        };
        Some(Self {
            device,
            address: switch.address.clone()?,
            dhcp: switch.dhcp.then(|| Dhcp {
                configuration: project.dnsmasq_file(&switch.name),
                pid_file: runtime.directory().join(format!("{}.dnsmasq.pid", switch.name)),
            }),
        })
    }

    /// What keeps it from being there.
    pub(super) fn obstacles(&self, switch: &str, host: &LaunchHost, found: &mut Vec<Obstacle>) {
        if self.dhcp.is_some() && host.find(PROGRAM).is_none() {
            found.push(Obstacle::NoProgram {
                program: PROGRAM.to_owned(),
                package: Some("dnsmasq-base"),
            });
        }
        if !host.is_root() && !self.is_up() {
            let what = format!("this server's address `{}` on switch `{switch}`", self.address);
            found.push(needs_root(&what, &self.commands()));
        }
    }

    /// What puts it there.
    pub(super) fn commands(&self) -> Vec<CommandLine> {
        let mut commands = vec![CommandLine::new([
            "ip",
            "address",
            "replace",
            &self.address,
            "dev",
            &self.device,
        ])];
        commands.extend(self.dhcp.iter().map(Dhcp::command));
        commands
    }

    /// Whether all that can end by itself is there.
    pub(super) fn is_up(&self) -> bool {
        self.dhcp.iter().all(|dhcp| !dhcp.pids().is_empty())
    }

    /// Takes it away again; the address of a bridge goes with the bridge.
    pub(super) fn stop(&self, host: &LaunchHost) {
        if let Some(dhcp) = &self.dhcp {
            dhcp.stop();
        }
        let address = CommandLine::new(["ip", "address", "del", &self.address, "dev", &self.device]);
        // One that is gone already, with its device, is as good.
        drop(address.run(host));
    }
}

impl Dhcp {
    fn command(&self) -> CommandLine {
        let pid_file = format!("--pid-file={}", self.pid_file.display());
        CommandLine::new([PROGRAM, &self.configuration_word(), &pid_file])
    }

    fn configuration_word(&self) -> String {
        format!("--conf-file={}", self.configuration.display())
    }

    fn pids(&self) -> Vec<u32> {
        process::running(PROGRAM, &[&self.configuration_word()])
    }

    fn stop(&self) {
        for pid in self.pids() {
            process::ask_to_end(pid);
        }
        let deadline = Instant::now() + END_LIMIT;
        while !self.pids().is_empty() && Instant::now() < deadline {
            sleep(Duration::from_millis(10));
        }
        process::end(&self.pids());
    }
}
