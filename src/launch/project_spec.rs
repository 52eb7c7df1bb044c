//! Everything that it takes to start a project, as it lies beside its machines: `launch.json`.
//!
//! A bake writes it, so that starting needs neither the project's text nor the settings of that day.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::base::digest::Sha256Digest;
use crate::project::HostName;

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

/// Shell lines that the server runs at one moment of a start or a stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// The moment.
    pub moment: Moment,
    /// The lines, run by one shell.
    pub lines: Vec<String>,
}

/// The moments at which a project's own commands are run, called as MLN calls them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Moment {
    BeforeProjectStart,
    BeforeHostsStart,
    AfterHostsStart,
    AfterProjectStart,
    BeforeProjectStop,
    BeforeHostsStop,
    AfterHostsStop,
    AfterProjectStop,
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

    /// The file's text: JSON with a final newline.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        Ok(text)
    }
}

impl Moment {
    /// What MLN calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::BeforeProjectStart => "beforeProjectStart",
            Self::BeforeHostsStart => "beforeHostsStart",
            Self::AfterHostsStart => "afterHostsStart",
            Self::AfterProjectStart => "afterProjectStart",
            Self::BeforeProjectStop => "beforeProjectStop",
            Self::BeforeHostsStop => "beforeHostsStop",
            Self::AfterHostsStop => "afterHostsStop",
            Self::AfterProjectStop => "afterProjectStop",
        }
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
