//! The addresses that a project's switches hand out by DHCP: which interface gets which, so that names and addresses
//! are known before anything starts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::model::{Host, HostName, Interface, InterfaceAddress, InterfaceAddress6, Project, Switch};
use crate::base::Origin;

/// An address that a switch hands out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// The machine.
    pub host: HostName,
    /// Its interface.
    pub interface: String,
    /// The address; `None` where the switch has no address left.
    pub address: Option<Ipv4Addr>,
    /// The project's line for the address.
    pub origin: Origin,
}

/// What `switch` hands out, in the order of the hosts: to an interface with a fixed address that one, to one that asks
/// by DHCP the next free of the range. Empty for a switch that hands out nothing.
pub fn reservations(project: &Project, switch: &Switch) -> Vec<Reservation> {
    let Some(range) = &switch.dhcp else {
        return Vec::new();
    };
    let mut taken = taken(project, switch);
    let mut free = (u32::from(range.value.0)..=u32::from(range.value.1)).map(Ipv4Addr::from);
    let mut made = Vec::new();
    for (host, interface) in plugged(project, switch) {
        let Some(wanted) = &interface.address else {
            continue;
        };
        let address = match wanted.value {
            InterfaceAddress::Static(address) => Some(address),
            InterfaceAddress::Dhcp => free.find(|address| taken.insert(*address)),
        };
        made.push(Reservation {
            host: host.name.clone(),
            interface: interface.name.clone(),
            address,
            origin: wanted.origin.clone(),
        });
    }
    made
}

/// The addresses that the interfaces of a project are known by before anything starts.
#[derive(Debug, Clone, Default)]
pub struct AddressBook {
    handed_out: BTreeMap<(HostName, String), (Ipv4Addr, Origin)>,
    lines: Arc<[u8]>,
    /// Where the lines come from, one more place than is told at the most.
    origins: Vec<Origin>,
    lines_count: usize,
}

/// An address, the names that it has, and the line that it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The address.
    pub address: IpAddr,
    /// Its names, the shortest first.
    pub names: Vec<String>,
    /// The project's line.
    pub origin: Origin,
}

/// How many places a list of all addresses of a project is said to come from; more would help nobody.
const ORIGINS_MAX: usize = 16;

impl AddressBook {
    /// The addresses of `project`.
    pub fn of(project: &Project) -> Self {
        let mut book = Self::default();
        for made in project
            .switches
            .iter()
            .flat_map(|switch| reservations(project, switch))
        {
            if let Some(address) = made.address {
                book.handed_out
                    .insert((made.host, made.interface), (address, made.origin));
            }
        }
        book.write_lines(project);
        book
    }

    fn write_lines(&mut self, project: &Project) {
        let mut lines = String::new();
        for host in &project.hosts {
            for named in self.named(project, host) {
                let _infallible = writeln!(lines, "{}\t{}", named.address, named.names.join(" "));
                self.lines_count += 1;
                if self.origins.len() <= ORIGINS_MAX && !self.origins.contains(&named.origin) {
                    self.origins.push(named.origin);
                }
            }
        }
        self.lines = lines.into_bytes().into();
    }

    /// A line of hosts(5) for every address of the project.
    pub fn lines(&self) -> Arc<[u8]> {
        Arc::clone(&self.lines)
    }

    /// Where the lines come from; of more than a person would read, only how many they are.
    pub fn origins(&self) -> Result<&[Origin], usize> {
        if self.origins.len() > ORIGINS_MAX {
            return Err(self.lines_count);
        }
        Ok(&self.origins)
    }

    /// The addresses of `host` with their names: its first interface that has any has the bare name, the others have
    /// `NAME-INTERFACE`.
    pub fn named(&self, project: &Project, host: &Host) -> Vec<Named> {
        let mut found: Vec<Named> = Vec::new();
        for interface in &host.interfaces {
            let names = if found.is_empty() {
                vec![host.name.to_string(), format!("{}.{}", host.name, project.name)]
            } else {
                vec![format!("{}-{}", host.name, interface.name)]
            };
            let known = self.addresses(host, interface).into_iter();
            found.extend(known.map(|(address, origin)| Named {
                address,
                names: names.clone(),
                origin,
            }));
        }
        found
    }

    /// The addresses of one interface, each with the line that it comes from: the fixed ones of its own, and the one
    /// that its switch hands out.
    pub fn addresses(&self, host: &Host, interface: &Interface) -> Vec<(IpAddr, Origin)> {
        let mut found = Vec::new();
        match interface
            .address
            .as_ref()
            .map(|address| (address.value, &address.origin))
        {
            Some((InterfaceAddress::Static(address), origin)) => found.push((address.into(), origin.clone())),
            Some((InterfaceAddress::Dhcp, _)) => {
                let place = (host.name.clone(), interface.name.clone());
                let handed_out = self.handed_out.get(&place).cloned();
                found.extend(handed_out.map(|(address, origin)| (address.into(), origin)));
            }
            None => {}
        }
        if let Some(address) = &interface.address6
            && let InterfaceAddress6::Static(net) = address.value
        {
            found.push((net.addr().into(), address.origin.clone()));
        }
        found
    }
}

/// The interfaces that are plugged into `switch`.
fn plugged<'p>(project: &'p Project, switch: &'p Switch) -> impl Iterator<Item = (&'p Host, &'p Interface)> {
    let is_plugged = |interface: &&Interface| {
        let name = interface.switch.as_ref().map(|name| name.value.as_str());
        interface.bridge.is_none() && interface.vlan.is_none() && name == Some(switch.name.as_str())
    };
    project.hosts.iter().flat_map(move |host| {
        host.interfaces
            .iter()
            .filter(is_plugged)
            .map(move |interface| (host, interface))
    })
}

/// The addresses that the range must not hand out: the project's fixed ones and the server's own.
fn taken(project: &Project, switch: &Switch) -> BTreeSet<Ipv4Addr> {
    let of_hosts = project
        .hosts
        .iter()
        .flat_map(|host| &host.interfaces)
        .flat_map(|interface| {
            let fixed = interface
                .address
                .as_ref()
                .and_then(|address| match address.value {
                    InterfaceAddress::Static(address) => Some(IpAddr::V4(address)),
                    InterfaceAddress::Dhcp => None,
                });
            let further = interface.addresses.iter().map(|address| address.value.addr());
            let gateway = interface
                .gateway
                .as_ref()
                .map(|gateway| IpAddr::V4(gateway.value));
            fixed.into_iter().chain(further).chain(gateway)
        });
    let own = switch.address.as_ref().map(|address| address.value.addr());
    of_hosts
        .chain(own)
        .filter_map(|address| match address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        })
        .collect()
}
