//! The files beside a project's hosts that tell others of them before they start: `known_hosts` for ssh(1), `etc_hosts`
//! for hosts(5), and for each switch that hands out addresses a configuration of dnsmasq(8).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use super::error::{BakeError, HostError, HostFailure};
use super::plan::HostPlan;
use crate::base::IdentityKey;
use crate::guest::GuestIdentity;
use crate::project::{AddressBook, Host, MacTable, Project, Switch, reservations};

/// A file in the project's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkFile {
    /// Its name.
    pub name: String,
    /// Its text.
    pub content: String,
}

/// What is given to the interfaces of the whole project.
pub(super) struct Numbers {
    pub(super) macs: Arc<MacTable>,
    pub(super) addresses: AddressBook,
}

impl Numbers {
    /// The numbers of `project`, which follow from `key` where it does not say them.
    pub(super) fn of(project: &Project, key: &IdentityKey) -> Result<Self, BakeError> {
        Ok(Self {
            macs: Arc::new(MacTable::assign(project, Some(key))?),
            addresses: AddressBook::of(project),
        })
    }
}

/// The file that tells ssh(1) the hosts' keys.
pub(super) const KNOWN_HOSTS: &str = "known_hosts";

/// The first line of each file.
const HEAD: &str = "# Written by mln-image from the project's description.\n";

/// The files of `project`, whose directory will be `directory`.
pub(super) fn files(
    project: &Project,
    hosts: &[HostPlan],
    numbers: &Numbers,
    directory: &Path,
) -> Vec<NetworkFile> {
    let Numbers { macs, addresses } = numbers;
    let identities: BTreeMap<&str, &GuestIdentity> = hosts
        .iter()
        .map(|host| (host.name.as_str(), &host.identity))
        .collect();
    let mut files = vec![
        NetworkFile {
            name: "etc_hosts".to_owned(),
            content: etc_hosts(project, addresses),
        },
        NetworkFile {
            name: KNOWN_HOSTS.to_owned(),
            content: known_hosts(project, &identities, addresses),
        },
    ];
    for switch in &project.switches {
        if let Some(content) = dnsmasq(project, switch, macs, directory) {
            files.push(NetworkFile {
                name: format!("dnsmasq.{}.conf", switch.name),
                content,
            });
        }
    }
    files
}

/// The names that an interface's addresses have: the first one with any has the host's own.
fn named(host: &Host, project: &Project, addresses: &AddressBook) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for interface in &host.interfaces {
        let names = if found.is_empty() {
            vec![host.name.to_string(), format!("{}.{}", host.name, project.name)]
        } else {
            vec![format!("{}-{}", host.name, interface.name)]
        };
        let known = addresses.addresses(host, interface);
        found.extend(
            known
                .into_iter()
                .map(|(address, _)| (address.to_string(), names.clone())),
        );
    }
    found
}

fn etc_hosts(project: &Project, addresses: &AddressBook) -> String {
    let mut text = HEAD.to_owned();
    for host in &project.hosts {
        for (address, names) in named(host, project, addresses) {
            let _infallible = writeln!(text, "{address}\t{}", names.join(" "));
        }
    }
    text
}

fn known_hosts(
    project: &Project,
    identities: &BTreeMap<&str, &GuestIdentity>,
    addresses: &AddressBook,
) -> String {
    let mut text = HEAD.to_owned();
    for host in &project.hosts {
        let Some(identity) = identities.get(host.name.as_str()) else {
            continue;
        };
        let mut patterns = vec![host.name.to_string(), format!("{}.{}", host.name, project.name)];
        for (address, names) in named(host, project, addresses) {
            patterns.push(address);
            patterns.extend(names);
        }
        let mut seen = std::collections::BTreeSet::new();
        patterns.retain(|pattern| seen.insert(pattern.clone()));
        for key in &identity.host_keys {
            let _infallible = writeln!(text, "{} {key}", patterns.join(","));
        }
    }
    text
}

/// What a switch hands out; `None` for one that hands out nothing.
fn dnsmasq(project: &Project, switch: &Switch, macs: &MacTable, directory: &Path) -> Option<String> {
    let (first, last) = switch.dhcp.as_ref()?.value;
    let own = switch.address.as_ref()?.value;
    let directory = directory.display();
    let mut text = format!(
        "{HEAD}bind-interfaces\n\
         listen-address={}\n\
         no-hosts\n\
         addn-hosts={directory}/etc_hosts\n\
         domain={}\n\
         dhcp-authoritative\n\
         dhcp-leasefile={directory}/dnsmasq.{}.leases\n\
         dhcp-range={first},{last},{},12h\n",
        own.addr(),
        project.name,
        switch.name,
        own.netmask(),
    );
    for made in reservations(project, switch) {
        let host = project.hosts.iter().find(|host| host.name == made.host)?;
        let interface = host
            .interfaces
            .iter()
            .find(|interface| interface.name == made.interface)?;
        if let Some(address) = made.address {
            let _infallible = writeln!(
                text,
                "dhcp-host={},{address},{}",
                macs.get(host, interface),
                host.name
            );
        }
    }
    Some(text)
}

/// The hosts that are known by the same number or key as another, which only a defect here or a broken secret can do.
pub(super) fn same_identities(hosts: &[HostPlan]) -> Vec<HostFailure> {
    let mut owners: BTreeMap<&str, &HostPlan> = BTreeMap::new();
    let mut failures = Vec::new();
    for host in hosts {
        let mut own = host.identity.machine_id.iter().chain(&host.identity.host_keys);
        let other = own.find_map(|id| owners.insert(id, host));
        if let Some(other) = other.filter(|other| other.name != host.name) {
            failures.push(HostFailure {
                hosts: vec![host.name.clone()],
                error: Box::new(HostError::SameIdentity {
                    other: other.name.to_string(),
                }),
            });
        }
    }
    failures
}
