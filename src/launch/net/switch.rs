//! The project's switches while it runs: processes of the user, or bridges of the kernel.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::base::PathError;
use crate::base::atomic::{self, Durability};

use super::super::command::{Account, CommandLine, LaunchHost};
use super::super::process;
use super::super::project_spec::{ProjectSpec, SwitchSpec};
use super::super::run::{Notice, Obstacle, RunError};
use super::super::runtime::{Runtime, SOCKET_PATH_MAX};
use super::super::spec::Attachment;
use super::bridge::{self, needs_root};
use super::kind::{Kind, OwnPlace, Part, kind, vde_switch};
use super::service::Service;
use super::socket::{Way, in_the_way};

/// How long a switch may take until its socket is there.
const START_LIMIT: Duration = Duration::from_secs(5);

/// What the network that leads outside is called.
const NAT: &str = "nat";

/// A switch as it is run.
#[derive(Debug, Clone)]
pub(in crate::launch) struct Segment {
    /// Its name.
    pub(in crate::launch) name: String,
    kind: Kind,
    /// This server's own place on it.
    service: Option<Service>,
    /// Who may use its socket, as chown(1) has it.
    owner: Option<String>,
    /// The account that runs its processes.
    run_as: Option<String>,
    /// That this project started it, and so may stop it.
    mark: PathBuf,
}

/// The switches that this server runs for `project`, with the one that leads outside where a machine needs it.
pub(in crate::launch) fn segments(
    project: &ProjectSpec,
    runtime: &Runtime,
    host: &LaunchHost,
) -> Vec<Segment> {
    let is_ours = |switch: &&SwitchSpec| switch.server.is_none() || switch.server == host.name;
    let mut segments: Vec<Segment> = project
        .switches
        .iter()
        .filter(is_ours)
        .map(|switch| Segment {
            service: Service::of(switch, project, runtime),
            owner: owner(switch),
            run_as: switch.run_as.clone(),
            ..Segment::new(&switch.name, kind(switch, runtime), runtime)
        })
        .collect();
    let needs_nat = project
        .hosts
        .iter()
        .filter(|spec| spec.platform == crate::project::Platform::Uml)
        .flat_map(|spec| &spec.vifs)
        .any(|vif| vif.attachment == Attachment::Nat);
    if needs_nat {
        let socket = format!("{}/{NAT}.vde", runtime.shown());
        let mut parts = vec![vde_switch(&socket, false, None)];
        parts.push(Part {
            command: CommandLine::new(["slirpvde", "-s", &socket, "-dhcp", "-d"]),
            package: "vde2",
            path: socket.clone(),
        });
        let socket = Path::new(&socket).join("ctl");
        segments.push(Segment::new(
            NAT,
            Kind::Processes {
                socket,
                parts,
                is_shared: false,
                own: None,
            },
            runtime,
        ));
    }
    segments
}

/// Whose the socket of a switch shall be: `OWNER:GROUP`, either of which may be missing.
fn owner(switch: &SwitchSpec) -> Option<String> {
    let group = switch.group.as_ref().map(|group| format!(":{group}"));
    let owner = switch.owner.clone();
    (owner.is_some() || group.is_some()).then(|| owner.unwrap_or_default() + &group.unwrap_or_default())
}

impl Segment {
    fn new(name: &str, kind: Kind, runtime: &Runtime) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            service: None,
            owner: None,
            run_as: None,
            mark: runtime.directory().join(format!("{name}.started")),
        }
    }

    /// What keeps the switch from being started.
    pub(in crate::launch) fn obstacles(&self, host: &LaunchHost, found: &mut Vec<Obstacle>) {
        if self.is_up() {
            return;
        }
        if let Some(service) = &self.service {
            service.obstacles(&self.name, host, found);
        }
        if let Some(command) = self.give().filter(|_| !host.is_root()) {
            let what = format!("the owner of the socket of switch `{}`", self.name);
            found.push(needs_root(&what, &[command]));
        }
        match &self.kind {
            Kind::Processes { socket, parts, .. } => {
                self.account_obstacle(host, found);
                for part in parts.iter().filter(|part| host.find(part.program()).is_none()) {
                    found.push(Obstacle::NoProgram {
                        program: part.program().to_owned(),
                        package: Some(part.package),
                    });
                }
                if socket.as_os_str().len() > SOCKET_PATH_MAX {
                    found.push(Obstacle::LongSocket { path: socket.clone() });
                } else if !matches!(in_the_way(socket), Way::Free | Way::Stale) {
                    found.push(Obstacle::SocketInTheWay { path: socket.clone() });
                }
            }
            Kind::Bridge(bridge) => {
                if !host.is_root() && !bridge::is_up(bridge) {
                    let what = format!("the bridge `{bridge}` of switch `{}`", self.name);
                    found.push(needs_root(&what, &bridge::add(bridge)));
                }
            }
            Kind::External(socket) => found.push(Obstacle::NoSocket {
                switch: self.name.clone(),
                path: socket.clone(),
            }),
        }
    }

    /// Whether the account that is to run it is there, and whether that is up to us.
    fn account_obstacle(&self, host: &LaunchHost, found: &mut Vec<Obstacle>) {
        let Some(user) = &self.run_as else {
            return;
        };
        let name = format!("switch `{}`", self.name);
        let (host, user) = match host.account(user) {
            Account::Ours => return,
            Account::Missing => (name, user.clone()),
            Account::Others => {
                found.push(Obstacle::RunsAs {
                    host: name,
                    user: user.clone(),
                });
                return;
            }
        };
        found.push(Obstacle::NoUser { host, user });
    }

    /// What a start runs.
    pub(in crate::launch) fn commands(&self, host: &LaunchHost) -> Vec<CommandLine> {
        let mut commands = self.makers(host);
        commands.extend(self.followers());
        commands
    }

    /// What makes it.
    fn makers(&self, host: &LaunchHost) -> Vec<CommandLine> {
        match &self.kind {
            Kind::Processes { parts, own, .. } => {
                let user = self.run_as.as_deref().filter(|_| host.is_root());
                let mut commands: Vec<CommandLine> = own.iter().flat_map(|own| own.commands(user)).collect();
                commands.extend(parts.iter().map(|part| match user {
                    Some(user) => part.command.clone().after(["runuser", "-u", user, "--"]),
                    None => part.command.clone(),
                }));
                commands
            }
            Kind::Bridge(bridge) if bridge::is_up(bridge) => Vec::new(),
            Kind::Bridge(bridge) => bridge::add(bridge),
            Kind::External(_) => Vec::new(),
        }
    }

    /// What is done once its socket is there.
    fn followers(&self) -> Vec<CommandLine> {
        let services = self.service.iter().flat_map(Service::commands);
        self.give().into_iter().chain(services).collect()
    }

    /// What gives the socket to its owner.
    fn give(&self) -> Option<CommandLine> {
        let Kind::Processes { socket, .. } = &self.kind else {
            return None;
        };
        // VDE has its sockets in a directory.
        let place = match socket.file_name() {
            Some(name) if name == "ctl" => socket.parent()?,
            _ => socket,
        };
        let place = place.display().to_string();
        let owner = self.owner.as_ref()?;
        Some(CommandLine::new(["chown", "-R", owner, &place]))
    }

    /// Whether it is there.
    pub(in crate::launch) fn is_up(&self) -> bool {
        let is_served = self.service.as_ref().is_none_or(Service::is_up);
        is_served && self.is_plugged_in()
    }

    /// Whether machines can be plugged in.
    fn is_plugged_in(&self) -> bool {
        match &self.kind {
            Kind::Processes {
                parts,
                socket,
                is_shared,
                ..
            } => {
                let is_served = || *is_shared && !self.mark.exists() && in_the_way(socket) == Way::Served;
                parts.iter().all(|part| !part.pids().is_empty()) || is_served()
            }
            Kind::Bridge(bridge) => bridge::is_up(bridge),
            Kind::External(socket) => in_the_way(socket) == Way::Served,
        }
    }

    /// Starts it; tells whether there was anything to do.
    pub(in crate::launch) fn start(
        &self,
        host: &LaunchHost,
        notice: &dyn Fn(Notice),
    ) -> Result<bool, RunError> {
        if self.is_up() {
            return Ok(false);
        }
        let failed = |source| RunError::Switch {
            switch: self.name.clone(),
            source,
        };
        self.mark()?;
        if let Kind::Processes { socket, parts, .. } = &self.kind {
            self.clear(socket, notice)?;
            for part in parts {
                // One half of a pair may have outlived the other.
                process::end(&part.pids());
            }
        }
        for command in self.makers(host) {
            command.run(host).map_err(failed)?;
        }
        self.wait_for_socket()?;
        for command in self.followers() {
            command.run(host).map_err(failed)?;
        }
        Ok(true)
    }

    fn mark(&self) -> Result<(), PathError> {
        atomic::write(&self.mark, b"", Durability::NoSync)
    }

    /// Removes what an earlier run has left in the socket's place.
    fn clear(&self, socket: &Path, notice: &dyn Fn(Notice)) -> Result<(), RunError> {
        match in_the_way(socket) {
            Way::Free => Ok(()),
            Way::Stale => {
                notice(Notice::StaleSocket {
                    switch: self.name.clone(),
                    path: socket.to_path_buf(),
                });
                Ok(fs::remove_file(socket).map_err(PathError::on("remove", socket))?)
            }
            Way::Served | Way::Blocked => Err(RunError::Obstacles(vec![Obstacle::SocketInTheWay {
                path: socket.to_path_buf(),
            }])),
        }
    }

    fn wait_for_socket(&self) -> Result<(), RunError> {
        let Kind::Processes { socket, .. } = &self.kind else {
            return Ok(());
        };
        let deadline = Instant::now() + START_LIMIT;
        while in_the_way(socket) != Way::Served {
            if Instant::now() > deadline {
                return Err(RunError::NoSwitch {
                    switch: self.name.clone(),
                    socket: socket.clone(),
                });
            }
            sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Lets machines that run as another user be plugged in.
    pub(in crate::launch) fn open_to_all(&self) -> Result<(), PathError> {
        use std::os::unix::fs::PermissionsExt as _;
        if let Kind::Processes { socket, .. } = &self.kind {
            fs::set_permissions(socket, fs::Permissions::from_mode(0o666))
                .map_err(PathError::on("change the mode of", socket))?;
        }
        Ok(())
    }

    /// Stops it if this project started it; tells whether there was anything to do.
    pub(in crate::launch) fn stop(&self, host: &LaunchHost) -> Result<bool, RunError> {
        if !self.mark.exists() {
            return Ok(false);
        }
        let was_up = self.is_plugged_in();
        if let Some(service) = &self.service {
            service.stop(host);
        }
        match &self.kind {
            Kind::Processes {
                socket, parts, own, ..
            } => {
                let pids: Vec<u32> = parts.iter().flat_map(Part::pids).collect();
                for pid in &pids {
                    process::ask_to_end(*pid);
                }
                let deadline = Instant::now() + Duration::from_millis(500);
                while parts.iter().any(|part| !part.pids().is_empty()) && Instant::now() < deadline {
                    sleep(Duration::from_millis(10));
                }
                process::end(&parts.iter().flat_map(Part::pids).collect::<Vec<_>>());
                drop(fs::remove_file(socket));
                own.iter().for_each(OwnPlace::remove);
            }
            Kind::Bridge(bridge) => bridge::remove(bridge, host).map_err(|source| RunError::Switch {
                switch: self.name.clone(),
                source,
            })?,
            Kind::External(_) => {}
        }
        drop(fs::remove_file(&self.mark));
        Ok(was_up)
    }
}
