//! The project as the later stages see it: plain values, each with the line that set it.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::hooks::Hook;
use super::hosts::Hosts;
use super::image_format::ImageFormat;
use crate::base::{ByteSize, GuestPath, Origin, Sourced};

pub use super::model_guest::{Account, Family, HostKeyKind, IdentityChoice, Password, Sudo};
pub use super::model_network::{
    Interface, InterfaceAddress, InterfaceAddress6, Renderer, Route, Switch, Vlan,
};

/// A whole project, checked.
#[derive(Debug, Clone)]
pub struct Project {
    /// The project's name.
    pub name: String,
    /// The hosts.
    pub hosts: Hosts,
    /// The switches, sorted by name.
    pub switches: Vec<Switch>,
    /// What the server runs around start and stop.
    pub hooks: Vec<Hook>,
    /// Whether the project is to be kept up.
    pub persist: bool,
    /// The file from which keys and identifiers are derived, as written.
    pub secret: Option<Sourced<String>>,
}

/// A host's short name: letters, digits and inner hyphens, at most 63; what the guest calls itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(Arc<str>);

/// One virtual machine.
#[derive(Debug, Clone)]
pub struct Host {
    /// Its name.
    pub name: HostName,
    /// Where the host's block begins.
    pub origin: Origin,
    /// What runs it.
    pub platform: Sourced<Platform>,
    /// The template's name, as written.
    pub template: Sourced<String>,
    /// The partition that is the root of a whole disk: its number, label or PARTUUID; `None` where it is clear.
    pub root_partition: Option<Sourced<String>>,
    /// How large the root file system shall be.
    pub size: Sourced<SizeRequest>,
    /// The format of the root image; `None` for raw.
    pub format: Option<Sourced<ImageFormat>>,
    /// The size of the swap image.
    pub swap: Option<Sourced<ByteSize>>,
    /// The machine's memory.
    pub memory: Sourced<ByteSize>,
    /// How many processors it has; `None` leaves it to the platform.
    pub vcpus: Option<Sourced<u32>>,
    /// Where its console goes.
    pub term: Sourced<Terminal>,
    /// The server that runs it; `None` for this one.
    pub service_host: Option<Sourced<String>>,
    /// Start order, 1 to 99 (0 before all); lower first.
    pub boot_order: Sourced<u32>,
    /// The account that runs its process, where root starts it.
    pub run_as: Option<Sourced<String>>,
    /// The group that gets its images.
    pub image_group: Option<Sourced<String>>,
    /// How its process stands back for others, as nice(1) has it.
    pub nice: Option<Sourced<i32>>,
    /// The kernel file on the server.
    pub kernel: Option<Sourced<String>>,
    /// The initial ramdisk file on the server.
    pub ramdisk: Option<Sourced<String>>,
    /// The addresses of its name servers; empty leaves the template's.
    pub nameservers: Vec<Sourced<IpAddr>>,
    /// The domains in which short names are looked up.
    pub search: Vec<Sourced<String>>,
    /// Root's password.
    pub root_password: Option<Sourced<Password>>,
    /// Accounts to have, in order.
    pub users: Vec<Sourced<Account>>,
    /// Groups to have, in order.
    pub groups: Vec<Sourced<Group>>,
    /// Network interfaces, sorted by name.
    pub interfaces: Vec<Interface>,
    /// What configures the network in the guest (keyword `renderer`); `None` goes by what the template holds.
    pub renderer: Option<Sourced<Renderer>>,
    /// What distribution the guest is; `None` goes by what the template holds.
    pub family: Option<Sourced<Family>>,
    /// Where machine-id and ssh host keys come from.
    pub identity: Sourced<IdentityChoice>,
    /// The kinds of ssh host key to make; `None` goes by what the template's server reads.
    pub host_keys: Option<Sourced<Vec<HostKeyKind>>>,
    /// Shell lines run once at every start, in order, verbatim.
    pub startup: Vec<Sourced<String>>,
    /// Shell lines run at shutdown, in order, verbatim.
    pub shutdown: Vec<Sourced<String>>,
    /// Kernel modules to load at start; `None` leaves the template's list.
    pub modules: Option<Sourced<Vec<String>>>,
    /// Files and trees to copy in, in order.
    pub files: Vec<Sourced<FileCopy>>,
    /// Further disks and file systems.
    pub mounts: Vec<Sourced<ExtraMount>>,
    /// Lines for the Xen configuration, verbatim.
    pub xen_extra: Vec<Sourced<String>>,
}

/// What runs a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Platform {
    /// User-Mode Linux, the language's default.
    Uml,
    /// Xen, paravirtual.
    Xen,
    /// Xen with full virtualisation (keyword `hvm`).
    XenHvm,
    /// QEMU (keywords `qemu` and `kvm`).
    Qemu,
}

/// How large a root file system shall be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SizeRequest {
    /// `size`: this long; the default, which nobody asked for, never shorter than the template.
    Total(ByteSize),
    /// `free_space`: the template's length and this much more; for 0 the smallest image that is sensible.
    FreeSpace(ByteSize),
}

/// Where a console goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Terminal {
    /// A window of its own.
    Xterm,
    /// A `screen` session called `<host>.<project>`.
    Screen,
    /// A `tmux` session.
    Tmux,
    /// A pseudo-terminal.
    Pty,
    /// A log file.
    Log,
    /// Nowhere.
    None,
}

/// A group of the guest and its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The group's name.
    pub name: String,
    /// The login names to add, in order.
    pub members: Vec<Sourced<String>>,
}

/// A file or tree to copy into the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileCopy {
    /// The source, relative to the files directory unless absolute.
    pub source: String,
    /// The destination in the guest; a trailing slash in the project means "into this directory".
    pub destination: GuestPath,
    /// Whether the destination was written with a trailing slash.
    pub into_directory: bool,
    /// The mode of every file copied; `None` keeps each source's.
    pub mode: Option<u16>,
}

/// A further disk or file system of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraMount {
    /// An image file or device of the server, or the remote part of an `nfs` mount.
    pub source: String,
    /// Where the guest mounts it.
    pub mount_point: GuestPath,
    /// The file system's type.
    pub file_system: String,
    /// The mount options; `defaults` where the project gives none.
    pub options: String,
}

/// The device names that a platform gives a guest's disks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RootDevice {
    /// The name up to the letter, such as `xvd`.
    prefix: &'static str,
}

impl Platform {
    /// What the platform calls a guest's disks.
    pub fn root_device(self) -> RootDevice {
        let prefix = match self {
            Self::Uml => "ubd",
            Self::Xen | Self::XenHvm => "xvd",
            Self::Qemu => "vd",
        };
        RootDevice { prefix }
    }

    /// The platform called `name`, as messages and files have it.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Uml, Self::Xen, Self::XenHvm, Self::Qemu]
            .into_iter()
            .find(|platform| platform.name() == name)
    }

    /// The platform's name in messages and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uml => "uml",
            Self::Xen => "xen",
            Self::XenHvm => "xen-hvm",
            Self::Qemu => "qemu",
        }
    }
}

impl RootDevice {
    /// The guest's name of its disk number `index` from 0, such as `/dev/xvda`.
    ///
    /// # Panics
    /// If `index` is 26 or more.
    pub fn disk(self, index: usize) -> String {
        let letter = ('a'..='z')
            .nth(index)
            .expect("a host has fewer than 26 disks, as the project check holds");
        format!("/dev/{}{letter}", self.prefix)
    }
}

impl HostName {
    /// Takes `name` if a guest can be called so.
    pub fn new(name: &str) -> Option<Self> {
        Self::shared(Arc::from(name))
    }

    /// The same without a copy of `name`.
    pub(crate) fn shared(name: Arc<str>) -> Option<Self> {
        let inner = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let fits = (1..=63).contains(&name.len()) && !name.starts_with('-') && !name.ends_with('-');
        (inner && fits).then_some(Self(name))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for HostName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for HostName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::new(&name).ok_or_else(|| format!("`{name}` is no host's name"))
    }
}

impl From<HostName> for String {
    fn from(name: HostName) -> Self {
        name.0.to_string()
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Terminal {
    /// The names that the keyword `term` takes.
    pub const NAMES: [&'static str; 6] = ["xterm", "screen", "tmux", "pty", "log", "none"];

    /// The terminal's name, as the keyword `term` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Xterm => "xterm",
            Self::Screen => "screen",
            Self::Tmux => "tmux",
            Self::Pty => "pty",
            Self::Log => "log",
            Self::None => "none",
        }
    }

    /// The terminal called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        let terminals = [
            Self::Xterm,
            Self::Screen,
            Self::Tmux,
            Self::Pty,
            Self::Log,
            Self::None,
        ];
        let place = Self::NAMES.iter().position(|known| *known == name)?;
        terminals.get(place).copied()
    }
}
