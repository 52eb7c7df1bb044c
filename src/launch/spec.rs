//! A machine's definition as plain values, before any platform's syntax.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::base::digest::Sha256Digest;
use crate::project::{HostName, ImageFormat, Platform, Terminal};

/// The longest short name of a machine: with it, every socket's path is short enough.
const HANDLE_MAX: usize = 24;

/// Everything that it takes to start one machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The directory that holds the machine's images and scripts, absolute; found anew wherever the project lies.
    #[serde(skip)]
    pub directory: PathBuf,
    /// The name of the project's runtime directory, found anew too.
    #[serde(skip)]
    pub runtime: String,
    /// The account that runs the machine's process; `None` for whoever starts it.
    #[serde(default)]
    pub run_as: Option<String>,
    /// The group that gets the machine's images when it is started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_group: Option<String>,
    /// How the machine's process stands back for others: nice(1).
    #[serde(default)]
    pub nice: Option<i32>,
    /// The machine's memory in MiB.
    pub memory_mib: u64,
    /// How many processors it has; `None` leaves it to the platform.
    pub vcpus: Option<u32>,
    /// The kernel that is started; `None` starts what the disk holds.
    pub kernel: Option<Kernel>,
    /// What starts the boot loader of a whole disk; `None` where there is a kernel, or the platform knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<Firmware>,
    /// The disks in the order of the guest's names.
    pub disks: Vec<Disk>,
    /// The interfaces in the order of the guest's names.
    pub vifs: Vec<Vif>,
    /// Where the console goes.
    pub terminal: Terminal,
    /// Lines for the platform's configuration, verbatim.
    pub extra: Vec<String>,
}

/// What starts a boot loader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Firmware {
    /// The BIOS of a PC.
    Bios,
    /// UEFI.
    Uefi,
}

/// A kernel outside the machine's disks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kernel {
    /// The kernel's file; for User-Mode Linux the program.
    pub file: String,
    /// The initial ramdisk.
    pub ramdisk: Option<String>,
    /// The kernel's command line, word by word.
    pub arguments: Vec<String>,
}

/// One disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// The image or device; relative to the machine's directory unless absolute.
    pub image: String,
    /// What kind of file the image is.
    #[serde(default)]
    pub format: ImageFormat,
    /// The guest's name of it, such as `/dev/xvda`.
    pub device: String,
    /// Whether the guest may only read it.
    pub read_only: bool,
}

/// One network interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vif {
    /// The guest's name of it, such as `eth0`.
    pub name: String,
    /// Its hardware address.
    pub mac: String,
    /// Its network address, where that is fixed.
    #[serde(default)]
    pub address: Option<Ipv4Addr>,
    /// What it is plugged into.
    pub attachment: Attachment,
}

/// What an interface is plugged into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attachment {
    /// A bridge of the server.
    Bridge {
        /// The bridge.
        bridge: String,
        /// The tap device that plugs in a machine which cannot do so by itself.
        tap: String,
    },
    /// A switch of the project, of User-Mode Linux's own kind.
    Switch {
        /// The switch.
        switch: String,
        /// Whether it repeats to all ports.
        hub: bool,
    },
    /// The socket of a User-Mode Linux switch elsewhere.
    Socket {
        /// The socket, absolute.
        path: String,
    },
    /// A switch of the project, of VDE's kind, which QEMU can be plugged into too.
    Vde {
        /// The switch.
        switch: String,
    },
    /// A network of the project's own that reaches the outside through a process of the user, by DHCP.
    Nat,
}

impl DomainSpec {
    /// What the machine is called on its server: `<host>.<project>`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.host, self.project)
    }

    /// What the machine is called where names have to be short: its name, else the start of it and a digest.
    pub fn handle(&self) -> String {
        let name = self.host.as_str();
        if name.len() <= HANDLE_MAX {
            return name.to_owned();
        }
        let digest = Sha256Digest::of(name.as_bytes()).to_string();
        format!("{}-{}", &name[..HANDLE_MAX - 9], &digest[..8])
    }
}
