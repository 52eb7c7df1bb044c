//! What makes a switch: processes with a socket, a bridge of the kernel, or somebody else.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::command::CommandLine;
use super::super::process;
use super::super::project_spec::{SwitchKind, SwitchSpec};
use super::super::runtime::Runtime;

/// What a switch is.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// Processes that go together, with the socket that has to be there in the end.
    Processes {
        socket: PathBuf,
        parts: Vec<Part>,
        /// Whether the socket may be that of another project's switch, which is as good.
        is_shared: bool,
        /// The directory of the account that runs them, which may not write to the project's own, and the link there by
        /// which machines find the socket.
        own: Option<OwnPlace>,
    },
    Bridge(String),
    External(PathBuf),
}

/// Where a switch that runs as another user has its socket.
#[derive(Debug, Clone)]
pub(super) struct OwnPlace {
    pub(super) directory: PathBuf,
    pub(super) link: Option<PathBuf>,
}

/// One process of a switch.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) command: CommandLine,
    /// The Debian package that has the program.
    pub(super) package: &'static str,
    /// The path among its arguments by which it is recognised.
    pub(super) path: String,
}

/// What the switch `switch` is on this server.
pub(super) fn kind(switch: &SwitchSpec, runtime: &Runtime) -> Kind {
    let name = &switch.name;
    match &switch.kind {
        SwitchKind::UmlSwitch { socket, hub, tap } => {
            let usual = format!("{}/{name}.ctl", runtime.shown());
            let own = (switch.run_as.is_some() && socket.is_none()).then(|| OwnPlace {
                directory: runtime.directory().join(format!("{name}.of")),
                link: Some(PathBuf::from(&usual)),
            });
            let path = match (socket, &own) {
                (Some(socket), _) => socket.clone(),
                (None, Some(own)) => own.directory.join("socket").display().to_string(),
                (None, None) => usual,
            };
            let mut words = vec!["uml_switch".to_owned(), "-unix".to_owned(), path.clone()];
            words.extend(hub.then(|| "-hub".to_owned()));
            words.extend(tap.iter().flat_map(|tap| ["-tap".to_owned(), tap.clone()]));
            // Without it the switch ends with its standard input.
            words.push("-daemon".to_owned());
            let part = Part {
                command: CommandLine::new(words),
                package: "uml-utilities",
                path: path.clone(),
            };
            Kind::Processes {
                socket: PathBuf::from(path),
                parts: vec![part],
                is_shared: socket.is_some(),
                own,
            }
        }
        SwitchKind::Vde { hub, tap } => {
            let path = format!("{}/{name}.vde", runtime.shown());
            Kind::Processes {
                socket: Path::new(&path).join("ctl"),
                parts: vec![vde_switch(&path, *hub, tap.as_deref())],
                is_shared: false,
                own: switch.run_as.as_ref().map(|_| OwnPlace {
                    directory: PathBuf::from(&path),
                    link: None,
                }),
            }
        }
        SwitchKind::Bridge { bridge } => Kind::Bridge(bridge.clone()),
        SwitchKind::External { socket } => Kind::External(PathBuf::from(socket)),
    }
}

/// The process of a switch that several platforms can be plugged into, with its sockets in the directory `path`.
pub(super) fn vde_switch(path: &str, hub: bool, tap: Option<&str>) -> Part {
    let mut words = ["vde_switch", "-s", path, "-m", "600", "-d"]
        .map(str::to_owned)
        .to_vec();
    words.extend(hub.then(|| "-x".to_owned()));
    words.extend(tap.iter().flat_map(|tap| ["-t".to_owned(), (*tap).to_owned()]));
    Part {
        command: CommandLine::new(words),
        package: "vde2",
        path: path.to_owned(),
    }
}

impl OwnPlace {
    /// What makes it, for `user` if root does.
    pub(super) fn commands(&self, user: Option<&str>) -> Vec<CommandLine> {
        let directory = self.directory.display().to_string();
        let mut make = CommandLine::new(["install", "-d", "-m", "755"]);
        make.words
            .extend(user.iter().flat_map(|user| ["-o".to_owned(), (*user).to_owned()]));
        make.words.push(directory);
        let link = self.link.as_ref().map(|link| {
            let socket = self.directory.join("socket").display().to_string();
            CommandLine::new(["ln", "-sfn", &socket, &link.display().to_string()])
        });
        std::iter::once(make).chain(link).collect()
    }

    pub(super) fn remove(&self) {
        // What does not go goes with the project's directory.
        drop(self.link.as_ref().map(fs::remove_file));
        drop(fs::remove_dir_all(&self.directory));
    }
}

impl Part {
    pub(super) fn program(&self) -> &str {
        self.command.words.first().map_or("", String::as_str)
    }

    pub(super) fn pids(&self) -> Vec<u32> {
        process::running(self.program(), &[&self.path])
    }
}
