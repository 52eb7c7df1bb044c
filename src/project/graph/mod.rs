//! A project as a picture: every server as a box, its networks as bars, its hosts as cards that hang on them.
//!
//! ```text
//!   +- server ----------------------------+
//!   |  ======= lan ====================   |      one bar for each network that a host of the server is on
//!   |   |          |          |           |
//!   | +------+   +------+   +------+      |      one card for each host, its interfaces on the colour of their bar
//!   | | www1 |   | www2 |   | db   |      |
//!   | +------+   +------+   +------+      |
//!   +-------------------------------------+
//! ```

mod dot;
mod layout;
mod svg;

use std::collections::BTreeMap;

use super::model::{Host, Interface, InterfaceAddress, Project};

pub use dot::dot;
pub use svg::svg;

/// What hosts without a server of their own are drawn in.
const THIS_SERVER: &str = "this server";
/// What interfaces without switch and bridge are on.
const LOCAL_NETWORK: &str = "local network";

/// A server and the hosts that it runs.
struct Server<'p> {
    name: &'p str,
    hosts: Vec<&'p Host>,
}

/// The servers in the order of their first hosts, with their hosts in the project's order.
fn servers(hosts: &[Host]) -> Vec<Server<'_>> {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut servers: Vec<Server<'_>> = Vec::new();
    for host in hosts {
        let name = host
            .service_host
            .as_ref()
            .map_or(THIS_SERVER, |server| server.value.as_str());
        let place = *places.entry(name).or_insert_with(|| {
            servers.push(Server {
                name,
                hosts: Vec::new(),
            });
            servers.len() - 1
        });
        servers[place].hosts.push(host);
    }
    servers
}

/// The network that `interface` is on, as a reader would call it.
fn network_of(interface: &Interface) -> String {
    match (&interface.bridge, &interface.switch) {
        (Some(bridge), _) => format!("bridge {}", bridge.value),
        (None, Some(switch)) => switch.value.clone(),
        (None, None) => LOCAL_NETWORK.to_owned(),
    }
}

/// Every network of the project: its switches first, then what else interfaces are on.
fn networks(project: &Project, hosts: &[Host]) -> Vec<String> {
    let mut networks: Vec<String> = project
        .switches
        .iter()
        .map(|switch| switch.name.clone())
        .collect();
    for interface in hosts.iter().flat_map(|host| &host.interfaces) {
        let network = network_of(interface);
        if network != LOCAL_NETWORK && !networks.contains(&network) {
            networks.push(network);
        }
    }
    networks.push(LOCAL_NETWORK.to_owned());
    networks
}

/// The address of `interface` as a card shows it.
fn address_of(interface: &Interface) -> String {
    match interface.address.as_ref().map(|address| address.value) {
        None => "no address".to_owned(),
        Some(InterfaceAddress::Dhcp) => "dhcp".to_owned(),
        Some(InterfaceAddress::Static(address)) => address.to_string(),
    }
}
