//! What stands against starting and stopping, and what a person should know of it.

use std::fmt;
use std::path::PathBuf;

use crate::base::PathError;
use crate::base::process::ProcessError;
use crate::project::Moment;

/// Says why a project was not started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Something is missing or in the way; nothing was started.
    #[error("nothing was started: {} in the way", if .0.len() == 1 { "one thing is".to_owned() } else { format!("{} things are", .0.len()) })]
    Obstacles(Vec<Obstacle>),
    /// Another process starts or stops the project.
    #[error("another process is starting or stopping project `{project}`")]
    Busy {
        /// The project.
        project: String,
    },
    /// The runtime directory belongs to somebody else, or anybody may write to it.
    #[error("`{}` cannot be used: it has to be a directory that is yours alone", path.display())]
    RuntimeNotOurs {
        /// The directory.
        path: PathBuf,
    },
    /// A switch could not be started or stopped.
    #[error("switch `{switch}`")]
    Switch {
        /// The switch.
        switch: String,
        /// What its program said.
        source: ProcessError,
    },
    /// A machine's programs could not be run.
    #[error("host `{host}`")]
    Machine {
        /// The machine.
        host: String,
        /// What the program said.
        source: ProcessError,
    },
    /// A switch was started and is not there.
    #[error("switch `{switch}` was started, and does not listen on `{}`", socket.display())]
    NoSwitch {
        /// The switch.
        switch: String,
        /// Its socket.
        socket: PathBuf,
    },
    /// One of the project's own commands failed.
    #[error("the commands of `{}` failed", moment.name())]
    Hook {
        /// When they were run.
        moment: Moment,
        /// What they said.
        source: ProcessError,
    },
    /// A file or directory is not as it should be.
    #[error(transparent)]
    Path(#[from] PathError),
}

/// Something that has to be mended before anything can start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// A program is not installed.
    NoProgram {
        /// The program.
        program: String,
        /// The Debian package that has it.
        package: Option<&'static str>,
    },
    /// A machine's kernel is not there.
    NoKernel {
        /// The machine.
        host: String,
        /// The kernel, as the project or the configuration names it.
        kernel: String,
        /// The Debian package that has it.
        package: Option<&'static str>,
    },
    /// A file of a machine is not there.
    NoFile {
        /// The machine.
        host: String,
        /// The file.
        path: PathBuf,
    },
    /// Another process uses a machine's disk.
    ImageInUse {
        /// The machine.
        host: String,
        /// The image.
        path: PathBuf,
        /// The process.
        pid: u32,
    },
    /// Only root can start a machine as somebody else.
    RunsAs {
        /// The machine.
        host: String,
        /// The account.
        user: String,
    },
    /// There is no account of that name.
    NoUser {
        /// The machine.
        host: String,
        /// The account.
        user: String,
    },
    /// There is no group of that name.
    NoGroup {
        /// The machine.
        host: String,
        /// The group.
        group: String,
    },
    /// Only root can do something.
    NeedsRoot {
        /// What.
        what: String,
        /// The commands that do it.
        commands: Vec<String>,
    },
    /// The account that runs a machine may not open tap devices.
    TapsClosed {
        /// The machine.
        host: String,
    },
    /// A bridge that the project does not make is not there.
    NoBridge {
        /// The machine.
        host: String,
        /// The bridge.
        bridge: String,
    },
    /// Something is where a switch's socket shall be.
    SocketInTheWay {
        /// The place.
        path: PathBuf,
    },
    /// A switch that others run is not there.
    NoSocket {
        /// The switch.
        switch: String,
        /// Its socket.
        path: PathBuf,
    },
    /// The path of a socket is too long for the kernel.
    LongSocket {
        /// The path.
        path: PathBuf,
    },
    /// There is no memory file system for guests' memory.
    NoSharedMemory,
}

/// Something that a person should know, and that stops nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// An earlier run has left a socket.
    StaleSocket {
        /// The switch.
        switch: String,
        /// The socket.
        path: PathBuf,
    },
    /// An earlier run of a machine has crashed.
    CleanedUp {
        /// The machine.
        host: String,
    },
    /// There is no screen for a window.
    NoDisplay {
        /// The machine.
        host: String,
    },
    /// A switch was up already.
    SwitchIsUp {
        /// The switch.
        switch: String,
    },
    /// A machine did not shut down by itself in time.
    Forced {
        /// The machine.
        host: String,
    },
    /// What one of the project's own commands printed.
    Said {
        /// When it was run.
        moment: Moment,
        /// What it printed.
        text: String,
    },
    /// A machine could not be asked to shut down.
    NotAsked {
        /// The machine.
        host: String,
        /// Why.
        reason: String,
    },
}

impl fmt::Display for Obstacle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProgram { program, .. } => write!(formatter, "`{program}` is not installed"),
            Self::NoKernel { host, kernel, .. } => {
                write!(formatter, "{host}: its kernel `{kernel}` is not there")
            }
            Self::NoFile { host, path } => {
                write!(formatter, "{host}: its file `{}` is not there", path.display())
            }
            Self::ImageInUse { host, path, pid } => {
                write!(
                    formatter,
                    "{host}: process {pid} uses its disk `{}`",
                    path.display()
                )
            }
            Self::RunsAs { host, user } => {
                write!(
                    formatter,
                    "{host}: only root and `{user}` can start it as `{user}`"
                )
            }
            Self::NoUser { host, user } => write!(formatter, "{host}: this server has no user `{user}`"),
            Self::NoGroup { host, group } => write!(formatter, "{host}: this server has no group `{group}`"),
            Self::NeedsRoot { what, .. } => write!(formatter, "only root can make {what}"),
            Self::TapsClosed { host } => {
                write!(formatter, "{host}: who runs it may not open `/dev/net/tun`")
            }
            Self::NoBridge { host, bridge } => {
                write!(formatter, "{host}: this server has no bridge `{bridge}`")
            }
            Self::SocketInTheWay { path } => {
                write!(
                    formatter,
                    "`{}` is in the way: another program's socket, or no socket",
                    path.display()
                )
            }
            Self::NoSocket { switch, path } => write!(
                formatter,
                "switch `{switch}` is run by others, and nobody listens on `{}`",
                path.display()
            ),
            Self::LongSocket { path } => write!(
                formatter,
                "the path of the socket `{}` is longer than the {} bytes that the kernel takes",
                path.display(),
                super::super::runtime::SOCKET_PATH_MAX
            ),
            Self::NoSharedMemory => write!(formatter, "there is no `/dev/shm` for the guests' memory"),
        }
    }
}

impl Obstacle {
    /// Ways out.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::NoProgram {
                package: Some(package),
                ..
            } => {
                vec![format!("install the Debian package {package}")]
            }
            Self::NoKernel { package, .. } => {
                let install = package.map(|package| format!("install the Debian package {package}, or "));
                vec![format!(
                    "{}name a kernel: `kernel` in the project, `default_kernel` or `xen_kernel` in mln.conf",
                    install.unwrap_or_default()
                )]
            }
            Self::NoFile { .. } => vec!["bake the project again".to_owned()],
            Self::NeedsRoot { commands, .. } => {
                vec![format!(
                    "start as root, or let root run: {}",
                    commands.join(" && ")
                )]
            }
            Self::TapsClosed { .. } => vec!["let root run: chmod 666 /dev/net/tun".to_owned()],
            Self::NoBridge { bridge, .. } => vec![format!(
                "make it, as root: ip link add name {bridge} type bridge && ip link set {bridge} up; or name the \
                 server's own by `xen_bridge` in mln.conf"
            )],
            Self::LongSocket { .. } => vec!["set MLN_RUNTIME_DIR to a shorter directory".to_owned()],
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StaleSocket { switch, path } => write!(
                formatter,
                "switch `{switch}`: removed the socket `{}` that a crashed run has left",
                path.display()
            ),
            Self::CleanedUp { host } => write!(formatter, "{host}: cleaned up after a crashed run"),
            Self::NoDisplay { host } => {
                write!(
                    formatter,
                    "{host}: there is no display for a window, so that its console is in `screen`"
                )
            }
            Self::SwitchIsUp { switch } => write!(formatter, "switch `{switch}` is up already"),
            Self::Said { moment, text } => write!(formatter, "{}: {text}", moment.name()),
            Self::Forced { host } => write!(formatter, "{host}: did not shut down in time, so it was ended"),
            Self::NotAsked { host, reason } => {
                write!(formatter, "{host}: cannot be asked to shut down: {reason}")
            }
        }
    }
}
