//! The parts of the model that are about networks: interfaces, switches, and what configures them in a guest.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};

use crate::base::{Origin, Sourced};

/// One network interface.
#[derive(Debug, Clone)]
pub struct Interface {
    /// Its name in the guest, such as `eth0`.
    pub name: String,
    /// Where its block begins.
    pub origin: Origin,
    /// How it gets its address; `None` leaves it unconfigured.
    pub address: Option<Sourced<InterfaceAddress>>,
    /// The network mask.
    pub netmask: Option<Sourced<Ipv4Addr>>,
    /// The broadcast address.
    pub broadcast: Option<Sourced<Ipv4Addr>>,
    /// The default gateway.
    pub gateway: Option<Sourced<Ipv4Addr>>,
    /// How it gets its IPv6 address; `None` leaves that to the guest.
    pub address6: Option<Sourced<InterfaceAddress6>>,
    /// The default gateway for IPv6.
    pub gateway6: Option<Sourced<Ipv6Addr>>,
    /// Further addresses, in order.
    pub addresses: Vec<Sourced<IpNet>>,
    /// Further routes, in order.
    pub routes: Vec<Sourced<Route>>,
    /// The largest packet, in bytes.
    pub mtu: Option<Sourced<u32>>,
    /// The VLAN that it is; such an interface is no device of the machine.
    pub vlan: Option<Sourced<Vlan>>,
    /// Whether the guest knows it by its hardware address rather than its name.
    pub match_mac: bool,
    /// The project switch it is plugged into.
    pub switch: Option<Sourced<String>>,
    /// The host bridge it is plugged into; goes before `switch`.
    pub bridge: Option<Sourced<String>>,
    /// Its hardware address, `xx:xx:xx:xx:xx:xx` in lower case.
    pub mac: Option<Sourced<String>>,
}

/// How an interface gets its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InterfaceAddress {
    /// From a DHCP server.
    Dhcp,
    /// Fixed.
    Static(Ipv4Addr),
}

/// How an interface gets its IPv6 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InterfaceAddress6 {
    /// From the routers' announcements.
    Auto,
    /// From a DHCP server.
    Dhcp,
    /// Fixed.
    Static(Ipv6Net),
}

/// A route beside the default one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Where to.
    pub destination: IpNet,
    /// By which router.
    pub gateway: IpAddr,
    /// How dear it is; the least wins.
    pub metric: Option<u32>,
}

/// A virtual network on another interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vlan {
    /// Its number.
    pub id: u16,
    /// The interface that carries it.
    pub parent: String,
}

/// What configures the network inside a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Renderer {
    /// `ifup` by `/etc/network/interfaces`.
    Ifupdown,
    /// Netplan by `/etc/netplan/*.yaml`.
    Netplan,
    /// systemd-networkd by `/etc/systemd/network/*.network`.
    Networkd,
    /// `NetworkManager` by its connection profiles.
    NetworkManager,
    /// The scripts of Red Hat by `/etc/sysconfig/network-scripts/ifcfg-*`.
    Ifcfg,
    /// Wicked by `/etc/sysconfig/network/ifcfg-*`, as SUSE has it.
    Wicked,
}

/// A virtual Ethernet segment of the project.
#[derive(Debug, Clone)]
pub struct Switch {
    /// Its name.
    pub name: String,
    /// Where its block begins.
    pub origin: Origin,
    /// Whether it repeats to all ports, as a hub.
    pub hub: bool,
    /// The host bridge that stands for it; `None` for a name made from switch and project.
    pub bridge: Option<Sourced<String>>,
    /// The socket of a switch that others made.
    pub socket: Option<Sourced<String>>,
    /// The host's tap device to attach.
    pub tap: Option<Sourced<String>>,
    /// Who owns its socket.
    pub owner: Option<Sourced<String>>,
    /// The group that may use its socket.
    pub group: Option<Sourced<String>>,
    /// The account that runs its process, where root starts it.
    pub run_as: Option<Sourced<String>>,
    /// The server that runs it.
    pub service_host: Option<Sourced<String>>,
    /// The server's own address on it.
    pub address: Option<Sourced<IpNet>>,
    /// The first and the last address to be handed out.
    pub dhcp: Option<Sourced<(Ipv4Addr, Ipv4Addr)>>,
}

impl Renderer {
    /// The names that the keyword `renderer` takes.
    pub const NAMES: [&'static str; 6] = [
        "ifupdown",
        "netplan",
        "networkd",
        "networkmanager",
        "ifcfg",
        "wicked",
    ];
    const ALL: [Self; 6] = [
        Self::Ifupdown,
        Self::Netplan,
        Self::Networkd,
        Self::NetworkManager,
        Self::Ifcfg,
        Self::Wicked,
    ];

    /// The renderer's name, as the keyword `renderer` takes it.
    pub fn name(self) -> &'static str {
        let place = Self::ALL.iter().position(|renderer| *renderer == self);
        place.map_or("", |place| Self::NAMES[place])
    }

    /// The renderer called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|renderer| renderer.name() == name)
    }
}

impl std::fmt::Display for Renderer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}
