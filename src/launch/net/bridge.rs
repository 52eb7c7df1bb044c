//! Bridges and tap devices of the server, made and removed with `ip`, which takes root.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::base::process::ProcessError;

use super::super::command::{CommandLine, LaunchHost};
use super::super::run::Obstacle;
use super::super::spec::{Attachment, DomainSpec};

/// What opens a tap device.
pub(in crate::launch) const TUN: &str = "/dev/net/tun";

/// What a machine needs of the server's bridges: a tap device on each that it cannot be plugged into by itself.
#[derive(Debug, Clone)]
pub(in crate::launch) struct Bridges {
    /// The taps with their bridges.
    taps: Vec<(String, String)>,
    /// Who may use the taps.
    user: Option<String>,
    /// The bridges that machines are plugged into without our doing.
    bridges: Vec<String>,
    /// The bridges that the project itself makes.
    own: Vec<String>,
    host: String,
}

/// The commands that make `bridge`.
pub(super) fn add(bridge: &str) -> Vec<CommandLine> {
    vec![
        CommandLine::new(["ip", "link", "add", "name", bridge, "type", "bridge"]),
        CommandLine::new(["ip", "link", "set", bridge, "up"]),
    ]
}

/// Whether there is a bridge of this name.
pub(in crate::launch) fn is_up(bridge: &str) -> bool {
    device(bridge).join("bridge").is_dir()
}

/// Removes `bridge` unless something is plugged into it.
pub(super) fn remove(bridge: &str, host: &LaunchHost) -> Result<(), ProcessError> {
    let ports = fs::read_dir(device(bridge).join("brif"));
    if !is_up(bridge) || ports.is_ok_and(|mut ports| ports.next().is_some()) {
        return Ok(());
    }
    CommandLine::new(["ip", "link", "del", bridge])
        .run(host)
        .map(drop)
}

/// Says that only root can make `what`, and by which commands.
pub(in crate::launch) fn needs_root(what: &str, commands: &[CommandLine]) -> Obstacle {
    Obstacle::NeedsRoot {
        what: what.to_owned(),
        commands: commands.iter().map(CommandLine::shown).collect(),
    }
}

impl Bridges {
    /// What `spec` needs; `own` are the bridges that its project makes, and `with_taps` whether the machine takes taps.
    pub(in crate::launch) fn of(spec: &DomainSpec, own: &[String], with_taps: bool) -> Self {
        let plugs = spec.vifs.iter().filter_map(|vif| match &vif.attachment {
            Attachment::Bridge { bridge, tap } => Some((tap.clone(), bridge.clone())),
            _ => None,
        });
        let plugs: Vec<(String, String)> = plugs.collect();
        Self {
            bridges: plugs.iter().map(|(_, bridge)| bridge.clone()).collect(),
            taps: if with_taps { plugs } else { Vec::new() },
            user: spec.run_as.clone(),
            own: own.to_vec(),
            host: spec.host.to_string(),
        }
    }

    /// What keeps the machine from being plugged in.
    pub(in crate::launch) fn obstacles(&self, host: &LaunchHost, found: &mut Vec<Obstacle>) {
        for bridge in self.bridges.iter().filter(|bridge| !self.own.contains(bridge)) {
            if !is_up(bridge) {
                found.push(Obstacle::NoBridge {
                    host: self.host.clone(),
                    bridge: bridge.clone(),
                });
            }
        }
        let is_open = match &self.user {
            Some(_) => fs::metadata(TUN).is_ok_and(|found| found.mode() & 0o006 == 0o006),
            None => OpenOptions::new().read(true).write(true).open(TUN).is_ok(),
        };
        if !self.taps.is_empty() && !is_open {
            found.push(Obstacle::TapsClosed {
                host: self.host.clone(),
            });
        }
        if host.is_root() {
            return;
        }
        for (tap, bridge) in self.taps.iter().filter(|(tap, _)| !device(tap).exists()) {
            let what = format!("the tap device `{tap}` of host `{}`", self.host);
            let commands = commands(tap, bridge, Some("USER"));
            found.push(needs_root(&what, &commands));
        }
    }

    /// What makes the taps that are not there.
    pub(in crate::launch) fn commands(&self) -> Vec<CommandLine> {
        self.taps
            .iter()
            .filter(|(tap, _)| !device(tap).exists())
            .flat_map(|(tap, bridge)| commands(tap, bridge, self.user.as_deref()))
            .collect()
    }

    /// Removes the taps that root made.
    pub(in crate::launch) fn remove(&self, host: &LaunchHost) {
        for (tap, _) in self
            .taps
            .iter()
            .filter(|(tap, _)| host.is_root() && device(tap).exists())
        {
            // A tap that does not go is found and used again by the next start.
            drop(CommandLine::new(["ip", "link", "del", tap]).run(host));
        }
    }
}

fn commands(tap: &str, bridge: &str, user: Option<&str>) -> Vec<CommandLine> {
    let mut add = CommandLine::new(["ip", "tuntap", "add", "dev", tap, "mode", "tap"]);
    add.words.extend(
        user.iter()
            .flat_map(|user| ["user".to_owned(), (*user).to_owned()]),
    );
    vec![
        add,
        CommandLine::new(["ip", "link", "set", tap, "master", bridge]),
        CommandLine::new(["ip", "link", "set", tap, "up"]),
    ]
}

fn device(name: &str) -> PathBuf {
    Path::new("/sys/class/net").join(name)
}
