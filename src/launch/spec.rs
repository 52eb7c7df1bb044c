//! A machine's definition as plain values, before any platform's syntax.

use std::path::PathBuf;

use crate::project::{HostName, Platform, Terminal};

/// Everything that it takes to start one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainSpec {
    /// The project's name.
    pub project: String,
    /// The host's name.
    pub host: HostName,
    /// What runs it.
    pub platform: Platform,
    /// Start order, lower first.
    pub order: u32,
    /// The server that runs it; `None` for this one.
    pub server: Option<String>,
    /// The directory that holds the machine's images and scripts, absolute.
    pub directory: PathBuf,
    /// The machine's memory in MiB.
    pub memory_mib: u64,
    /// How many processors it has; `None` leaves it to the platform.
    pub vcpus: Option<u32>,
    /// The kernel that is started; `None` starts what the disk holds.
    pub kernel: Option<Kernel>,
    /// The disks in the order of the guest's names.
    pub disks: Vec<Disk>,
    /// The interfaces in the order of the guest's names.
    pub vifs: Vec<Vif>,
    /// Where the console goes.
    pub terminal: Terminal,
    /// Lines for the platform's configuration, verbatim.
    pub extra: Vec<String>,
}

/// A kernel outside the machine's disks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// The kernel's file; for User-Mode Linux the program.
    pub file: String,
    /// The initial ramdisk.
    pub ramdisk: Option<String>,
    /// The kernel's command line, word by word.
    pub arguments: Vec<String>,
}

/// One disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// The image or device; relative to the machine's directory unless absolute.
    pub image: String,
    /// The guest's name of it, such as `/dev/xvda`.
    pub device: String,
    /// Whether the guest may only read it.
    pub read_only: bool,
}

/// One network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vif {
    /// The guest's name of it, such as `eth0`.
    pub name: String,
    /// Its hardware address.
    pub mac: String,
    /// What it is plugged into.
    pub attachment: Attachment,
}

/// What an interface is plugged into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attachment {
    /// A bridge of the server.
    Bridge {
        /// The bridge.
        bridge: String,
        /// The tap device that plugs in a machine which cannot do so by itself.
        tap: String,
    },
    /// The socket of a User-Mode Linux switch.
    Socket {
        /// The socket; relative to the machine's directory unless absolute.
        path: String,
        /// Whether the switch behind it repeats to all ports.
        hub: bool,
    },
}

impl DomainSpec {
    /// What the machine is called on its server: `<host>.<project>`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.host, self.project)
    }
}
