//! Everything that it takes to start a project, as it lies beside its machines: `launch.json`.
//!
//! A bake writes it, so that starting needs neither the project's text nor the settings of that day.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::base::digest::Sha256Digest;
use crate::project::{Hook, HostName};

use super::spec::DomainSpec;

/// The version of the file's own form.
pub const FORMAT: u32 = 1;

/// The longest part of a project's name in the name of its runtime directory, so that sockets below it can be named.
const NAME_MAX: usize = 16;

/// A project's machines and what connects them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectSpec {
    /// The version of this form: [`FORMAT`].
    pub format: u32,
    /// The project's name.
    pub project: String,
    /// The switches, sorted by name.
    pub switches: Vec<SwitchSpec>,
    /// The machines, in the project's order.
    pub hosts: Vec<DomainSpec>,
    /// What the server runs around start and stop.
    #[serde(default)]
    pub hooks: Vec<Hook>,
    /// Whether the project is to be kept up.
    #[serde(default)]
    pub persist: bool,
    /// The directory that the project lies in, found anew wherever that is.
    #[serde(skip)]
    pub directory: PathBuf,
}

/// A virtual Ethernet segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchSpec {
    /// Its name.
    pub name: String,
    /// What makes it.
    pub kind: SwitchKind,
    /// The server that runs it; `None` for this one.
    #[serde(default)]
    pub server: Option<String>,
    /// This server's own address on it, with the length of the prefix.
    #[serde(default)]
    pub address: Option<String>,
    /// Whether this server hands out addresses on it.
    #[serde(default)]
    pub dhcp: bool,
    /// Who owns its socket; `None` for whoever starts it.
    #[serde(default)]
    pub owner: Option<String>,
    /// The group that may use its socket.
    #[serde(default)]
    pub group: Option<String>,
    /// The account that runs its process; `None` for whoever starts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_as: Option<String>,
}

/// What makes a switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SwitchKind {
    /// A process of User-Mode Linux's own kind.
    UmlSwitch {
        /// The socket, where it is not the project's own.
        socket: Option<String>,
        /// Whether it repeats to all ports.
        hub: bool,
        /// The host's tap device that it is plugged into.
        tap: Option<String>,
    },
    /// A process of VDE's kind.
    Vde {
        /// Whether it repeats to all ports.
        hub: bool,
        /// The host's tap device that it is plugged into.
        tap: Option<String>,
    },
    /// A bridge of the kernel.
    Bridge {
        /// The bridge's name.
        bridge: String,
    },
    /// A switch that others made and care for.
    External {
        /// Its socket.
        socket: String,
    },
}

impl ProjectSpec {
    /// The machine called `name`.
    pub fn host(&self, name: &str) -> Option<&DomainSpec> {
        self.hosts.iter().find(|spec| spec.host.as_str() == name)
    }

    /// The names of the machines.
    pub fn names(&self) -> Vec<&HostName> {
        self.hosts.iter().map(|spec| &spec.host).collect()
    }

    /// The configuration of what hands out addresses on the switch `name`.
    pub(super) fn dnsmasq_file(&self, name: &str) -> PathBuf {
        self.directory.join(format!("dnsmasq.{name}.conf"))
    }

    /// The file's text: JSON with a final newline.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        Ok(text)
    }
}

/// The name of the runtime directory of the project called `project` in `directory`: short, and another one for a
/// project of the same name elsewhere.
pub fn runtime_name(project: &str, directory: &Path) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    let name: String = project
        .chars()
        .take(NAME_MAX)
        .map(|letter| if plain(letter) { letter } else { '_' })
        .collect();
    let digest = Sha256Digest::of(directory.as_os_str().as_encoded_bytes()).to_string();
    format!("{name}-{}", &digest[..8])
}
