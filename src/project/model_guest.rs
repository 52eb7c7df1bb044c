//! The parts of the model that are about what a guest is inside: its family, its identity, its accounts.

use crate::base::{GuestPath, Sourced};

/// The families of distributions that can be configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Debian and what is made from it.
    Debian,
    /// Ubuntu and what is made from it.
    Ubuntu,
    /// Red Hat, Fedora and what is made from them.
    RedHat,
    /// SUSE, free or not.
    Suse,
    /// Arch Linux and what is made from it.
    Arch,
    /// Alpine Linux.
    Alpine,
    /// Busybox and little else, as an embedded system has it.
    Busybox,
}

/// Where what tells a machine from all others comes from: its machine-id and its ssh host keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentityChoice {
    /// Each host gets its own from the project.
    Own,
    /// Each host makes its own at its first start; the template's are removed.
    FirstStart,
    /// The template's are kept.
    Template,
}

/// The kinds of ssh host key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostKeyKind {
    /// Edwards curve 25519.
    Ed25519,
    /// NIST's curve P-256.
    Ecdsa,
    /// RSA of 3072 bits.
    Rsa,
}

/// An account of the guest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Account {
    /// The login name.
    pub name: String,
    /// The password; `None` locks the password of a new account and leaves an existing one's alone.
    pub password: Option<Password>,
    /// The home directory; `None` for `/home/NAME`.
    pub home: Option<GuestPath>,
    /// The numeric id; `None` for the next free one.
    pub uid: Option<u32>,
    /// The primary group, by number or name; `None` for one of the account's own name.
    pub gid: Option<String>,
    /// The login shell; `None` for the template's usual one.
    pub shell: Option<GuestPath>,
    /// The full name.
    pub gecos: Option<String>,
    /// Whether a service rather than a person uses it.
    pub is_system: bool,
    /// Whether nobody can log in by its password.
    pub is_locked: bool,
    /// The day, counted from 1970-01-01, after which it is closed.
    pub expires_days: Option<u32>,
    /// What it may do as root.
    pub sudo: Option<Sudo>,
    /// Further groups.
    pub groups: Vec<String>,
    /// Its ssh public keys, one a line.
    pub authorized_keys: Vec<Sourced<String>>,
    /// Its first subordinate user number and how many there are.
    pub subuid: Option<(u32, u32)>,
    /// Its first subordinate group number and how many there are.
    pub subgid: Option<(u32, u32)>,
}

/// A password, as a project has it.
#[derive(Clone, PartialEq, Eq)]
pub enum Password {
    /// Its hash, written as it is.
    Hash(String),
    /// The password itself, which is hashed and never shown.
    Plain(String),
}

/// What an account may do by `sudo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sudo {
    /// Everything, after its password.
    Password,
    /// Everything, at once.
    NoPassword,
    /// What stands after `USER` in a rule of sudoers(5).
    Rule(String),
}

impl Family {
    /// The names that the keyword `family` takes.
    pub const NAMES: [&'static str; 7] = ["debian", "ubuntu", "redhat", "suse", "arch", "alpine", "busybox"];
    const ALL: [Self; 7] = [
        Self::Debian,
        Self::Ubuntu,
        Self::RedHat,
        Self::Suse,
        Self::Arch,
        Self::Alpine,
        Self::Busybox,
    ];

    /// The family's name, as the keyword `family` takes it.
    pub fn name(self) -> &'static str {
        let place = Self::ALL.iter().position(|family| *family == self);
        place.map_or("", |place| Self::NAMES[place])
    }

    /// The family called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.name() == name)
    }
}

impl IdentityChoice {
    /// The names that the keyword `identity` takes.
    pub const NAMES: [&'static str; 3] = ["own", "first_start", "template"];

    /// The choice called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "own" => Some(Self::Own),
            "first_start" => Some(Self::FirstStart),
            "template" => Some(Self::Template),
            _ => None,
        }
    }
}

impl HostKeyKind {
    /// Every kind, with its name in the names of files.
    pub const ALL: [Self; 3] = [Self::Ed25519, Self::Ecdsa, Self::Rsa];

    /// The kind's name, as in `ssh_host_NAME_key`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::Ecdsa => "ecdsa",
            Self::Rsa => "rsa",
        }
    }

    /// The kind called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Hash(_) => "Hash(..)",
            Self::Plain(_) => "Plain(..)",
        })
    }
}
