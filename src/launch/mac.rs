//! Hardware addresses: the project's own, else made from the names of project, host and interface, so that a machine
//! keeps its address from bake to bake. No two interfaces of a project have the same one.

use std::collections::BTreeMap;

use crate::base::digest::Sha256Digest;
use crate::project::{Host, HostName, Interface, Platform, Project};

use super::error::LaunchError;

/// The hardware address of every interface of a project, by host and interface.
#[derive(Debug)]
pub(super) struct MacTable(BTreeMap<(HostName, String), String>);

impl MacTable {
    /// Gives every interface of `project` an address: first those that the project sets, then the others in order.
    pub(super) fn assign(project: &Project) -> Result<Self, LaunchError> {
        let interfaces = || {
            project
                .hosts
                .iter()
                .flat_map(|host| host.interfaces.iter().map(move |interface| (host, interface)))
        };
        let mut owners: BTreeMap<String, String> = BTreeMap::new();
        let mut table = BTreeMap::new();
        for (host, interface) in interfaces() {
            let Some(mac) = &interface.mac else {
                continue;
            };
            let owner = format!("`{} {}`", host.name, interface.name);
            if let Some(first) = owners.insert(mac.value.clone(), owner.clone()) {
                return Err(LaunchError::DuplicateMac {
                    mac: mac.value.clone(),
                    first,
                    second: owner,
                    origin: mac.origin.clone(),
                });
            }
            table.insert(key(host, interface), mac.value.clone());
        }
        for (host, interface) in interfaces().filter(|(_, interface)| interface.mac.is_none()) {
            // A second try only where another interface has the address already.
            let free = (0..u32::MAX)
                .map(|attempt| derived(&project.name, host, &interface.name, attempt))
                .find(|mac| !owners.contains_key(mac))
                .expect("a project has fewer interfaces than there are addresses");
            owners.insert(free.clone(), String::new());
            table.insert(key(host, interface), free);
        }
        Ok(Self(table))
    }

    /// The address of one interface of the project.
    pub(super) fn get(&self, host: &Host, interface: &Interface) -> String {
        let mac = self.0.get(&key(host, interface));
        mac.cloned().unwrap_or_default()
    }
}

fn key(host: &Host, interface: &Interface) -> (HostName, String) {
    (host.name.clone(), interface.name.clone())
}

/// An address in the platform's own range, from a digest of the names.
fn derived(project: &str, host: &Host, interface: &str, attempt: u32) -> String {
    let names = format!("{project}\0{}\0{interface}\0{attempt}", host.name);
    let digest = Sha256Digest::of(names.as_bytes()).to_string();
    let bytes: Vec<&str> = (0..4).map(|index| &digest[2 * index..2 * index + 2]).collect();
    match host.platform.value {
        Platform::Uml => format!("fe:fd:{}", bytes.join(":")),
        Platform::Xen | Platform::XenHvm => format!("00:16:3e:{}", bytes[..3].join(":")),
        Platform::Qemu => format!("52:54:00:{}", bytes[..3].join(":")),
    }
}
