//! Hardware addresses: the project's own, else made from its secret and the names of project, host and interface, so
//! that a machine keeps its address from bake to bake. No two interfaces of a project have the same one.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Host, HostName, Interface, Platform, Project};
use crate::base::digest::Sha256Digest;
use crate::base::{IdentityKey, Origin};

/// The hardware addresses of a project's interfaces.
#[derive(Debug, Clone)]
pub struct MacTable {
    project: String,
    key: Option<IdentityKey>,
    /// The interfaces, by host and name, that only a later attempt gave an address that no other one has.
    attempts: BTreeMap<(HostName, String), u32>,
}

/// Two interfaces of a project have the same hardware address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{mac}` is the hardware address of {first} and of {second} ({origin})")]
pub struct MacError {
    /// The address.
    pub mac: String,
    /// The first interface, as `HOST INTERFACE`.
    pub first: String,
    /// The second one.
    pub second: String,
    /// The project's line for the second.
    pub origin: Origin,
}

impl MacTable {
    /// Gives every interface of `project` an address: first those that the project sets, then the others in order,
    /// which follow from `key`, or from the names alone where nobody has one. An interface that is a VLAN has the address of the one that carries it.
    pub fn assign(project: &Project, key: Option<&IdentityKey>) -> Result<Self, MacError> {
        let mut table = Self {
            project: project.name.clone(),
            key: key.cloned(),
            attempts: BTreeMap::new(),
        };
        let mut owners: BTreeMap<String, String> = BTreeMap::new();
        let mut derived = Vec::new();
        for host in project.hosts.iter() {
            for interface in host
                .interfaces
                .iter()
                .filter(|interface| interface.vlan.is_none())
            {
                let Some(mac) = &interface.mac else {
                    derived.push((host.name.clone(), host.platform.value, interface.name.clone()));
                    continue;
                };
                let owner = format!("`{} {}`", host.name, interface.name);
                if let Some(first) = owners.insert(mac.value.clone(), owner.clone()) {
                    return Err(MacError {
                        mac: mac.value.clone(),
                        first,
                        second: owner,
                        origin: mac.origin.clone(),
                    });
                }
            }
        }
        let mut taken: BTreeSet<Box<str>> = owners.into_keys().map(String::into_boxed_str).collect();
        for (host, platform, interface) in derived {
            // A second try only where another interface has the address already.
            let attempt = (0..u32::MAX)
                .find(|attempt| taken.insert(table.derived(&host, platform, &interface, *attempt).into()))
                .expect("a project has fewer interfaces than there are addresses");
            if attempt > 0 {
                table.attempts.insert((host, interface), attempt);
            }
        }
        Ok(table)
    }

    /// The address of one interface of the project; empty for a VLAN.
    pub fn get(&self, host: &Host, interface: &Interface) -> String {
        if interface.vlan.is_some() {
            return String::new();
        }
        if let Some(mac) = &interface.mac {
            return mac.value.clone();
        }
        let attempt = if self.attempts.is_empty() {
            None
        } else {
            self.attempts.get(&(host.name.clone(), interface.name.clone()))
        };
        let attempt = attempt.copied().unwrap_or_default();
        self.derived(&host.name, host.platform.value, &interface.name, attempt)
    }

    /// An address in the platform's own range.
    fn derived(&self, host: &HostName, platform: Platform, interface: &str, attempt: u32) -> String {
        let names = [&*self.project, host.as_str(), interface, &attempt.to_string()];
        let bytes: [u8; 4] = self.key.as_ref().map_or_else(
            || Sha256Digest::of(names.join("\0").as_bytes()).first(),
            |key| key.derive("hardware address", &names),
        );
        let hexadecimal: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        match platform {
            Platform::Uml => format!("fe:fd:{}", hexadecimal.join(":")),
            Platform::Xen | Platform::XenHvm => format!("00:16:3e:{}", hexadecimal[..3].join(":")),
            Platform::Qemu => format!("52:54:00:{}", hexadecimal[..3].join(":")),
        }
    }
}
