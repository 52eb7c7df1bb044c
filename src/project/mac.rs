//! Hardware addresses: the project's own, else made from its secret and the names of project, host and interface, so
//! that a machine keeps its address from bake to bake. No two interfaces of a project have the same one.

use std::collections::BTreeMap;

use super::model::{Host, HostName, Interface, Platform, Project};
use crate::base::digest::Sha256Digest;
use crate::base::{IdentityKey, Origin};

/// The hardware address of every interface of a project, by host and interface.
#[derive(Debug, Clone, Default)]
pub struct MacTable(BTreeMap<(HostName, String), String>);

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
        let interfaces = || {
            project
                .hosts
                .iter()
                .flat_map(|host| host.interfaces.iter().map(move |interface| (host, interface)))
                .filter(|(_, interface)| interface.vlan.is_none())
        };
        let mut owners: BTreeMap<String, String> = BTreeMap::new();
        let mut table = BTreeMap::new();
        for (host, interface) in interfaces() {
            let Some(mac) = &interface.mac else {
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
            table.insert(place(host, interface), mac.value.clone());
        }
        for (host, interface) in interfaces().filter(|(_, interface)| interface.mac.is_none()) {
            // A second try only where another interface has the address already.
            let free = (0..u32::MAX)
                .map(|attempt| derived(key, project, host, &interface.name, attempt))
                .find(|mac| !owners.contains_key(mac))
                .expect("a project has fewer interfaces than there are addresses");
            owners.insert(free.clone(), String::new());
            table.insert(place(host, interface), free);
        }
        Ok(Self(table))
    }

    /// The address of one interface of the project; empty for a VLAN.
    pub fn get(&self, host: &Host, interface: &Interface) -> String {
        let mac = self.0.get(&place(host, interface));
        mac.cloned().unwrap_or_default()
    }
}

fn place(host: &Host, interface: &Interface) -> (HostName, String) {
    (host.name.clone(), interface.name.clone())
}

/// An address in the platform's own range.
fn derived(
    key: Option<&IdentityKey>,
    project: &Project,
    host: &Host,
    interface: &str,
    attempt: u32,
) -> String {
    let names = [
        &*project.name,
        host.name.as_str(),
        interface,
        &attempt.to_string(),
    ];
    let bytes: [u8; 4] = key.map_or_else(
        || Sha256Digest::of(names.join("\0").as_bytes()).first(),
        |key| key.derive("hardware address", &names),
    );
    let hexadecimal: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    match host.platform.value {
        Platform::Uml => format!("fe:fd:{}", hexadecimal.join(":")),
        Platform::Xen | Platform::XenHvm => format!("00:16:3e:{}", hexadecimal[..3].join(":")),
        Platform::Qemu => format!("52:54:00:{}", hexadecimal[..3].join(":")),
    }
}
