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
    /// The machine's place in the project.
    pub place: usize,
    /// The machine.
    pub host: HostName,
    /// Its interface.
    pub interface: String,
    /// The address; `None` where the switch has no address left.
    pub address: Option<Ipv4Addr>,
    /// The project's line for the address.
    pub origin: Origin,
}

/// What each switch of `project` hands out, in the order of the switches and the hosts: to an interface with a fixed
/// address that one, to one that asks by DHCP the next free of the range. Nothing for a switch that hands out nothing.
pub fn reservations(project: &Project) -> Vec<Vec<Reservation>> {
    let switches = &project.switches;
    let mut made = vec![Vec::new(); switches.len()];
    if switches.iter().all(|switch| switch.dhcp.is_none()) {
        return made;
    }
    let handing_out = switches
        .iter()
        .enumerate()
        .filter(|(_, switch)| switch.dhcp.is_some());
    let places: BTreeMap<&str, usize> = handing_out
        .map(|(place, switch)| (switch.name.as_str(), place))
        .collect();
    let mut fixed = BTreeSet::new();
    for (host_place, host) in project.hosts.iter().enumerate() {
        fixed.extend(host.interfaces.iter().flat_map(fixed_addresses));
        for interface in &host.interfaces {
            let switch = plugged_into(interface).and_then(|name| places.get(name));
            if let (Some(switch), Some(wanted)) = (switch, &interface.address) {
                made[*switch].push(Reservation {
                    place: host_place,
                    host: host.name.clone(),
                    interface: interface.name.clone(),
                    address: match wanted.value {
                        InterfaceAddress::Static(address) => Some(address),
                        InterfaceAddress::Dhcp => None,
                    },
                    origin: wanted.origin.clone(),
                });
            }
        }
    }
    for (switch, made) in switches.iter().zip(&mut made) {
        hand_out(switch, fixed.clone(), made);
    }
    made
}

/// Gives those of `made` that have no address one of the range of `switch` that is not `taken`, as long as there are any.
fn hand_out(switch: &Switch, mut taken: BTreeSet<Ipv4Addr>, made: &mut [Reservation]) {
    let Some(range) = &switch.dhcp else {
        return;
    };
    // The range must not hand out the server's own address.
    let own = switch.address.as_ref().map(|address| address.value.addr());
    if let Some(IpAddr::V4(own)) = own {
        taken.insert(own);
    }
    let mut free = (u32::from(range.value.0)..=u32::from(range.value.1)).map(Ipv4Addr::from);
    for asking in made.iter_mut().filter(|made| made.address.is_none()) {
        asking.address = free.find(|address| taken.insert(*address));
    }
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
        for made in reservations(project).into_iter().flatten() {
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
        for host in project.hosts.iter() {
            for named in self.named(project, &host) {
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

/// The switch of the project that `interface` is plugged into.
fn plugged_into(interface: &Interface) -> Option<&str> {
    let is_plugged = interface.bridge.is_none() && interface.vlan.is_none();
    let name = interface.switch.as_ref().map(|name| name.value.as_str());
    name.filter(|_| is_plugged)
}

/// The addresses that `interface` says, which no range must hand out.
fn fixed_addresses(interface: &Interface) -> impl Iterator<Item = Ipv4Addr> {
    let own = interface
        .address
        .as_ref()
        .and_then(|address| match address.value {
            InterfaceAddress::Static(address) => Some(address),
            InterfaceAddress::Dhcp => None,
        });
    let further = interface.addresses.iter().map(|address| address.value.addr());
    let further = further.filter_map(|address| match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    });
    let gateway = interface.gateway.as_ref().map(|gateway| gateway.value);
    own.into_iter().chain(further).chain(gateway)
}
