//! What a host's interfaces are meant to be, in no program's words.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};

use crate::base::Origin;
use crate::guest::Guest;
use crate::guest::error::GuestError;
use crate::guest::warning::GuestWarning;
use crate::project::{Interface, InterfaceAddress, InterfaceAddress6, Renderer, Route, Vlan};

/// One interface.
#[derive(Debug)]
pub(super) struct Link<'a> {
    /// What the project says of it.
    pub(super) interface: &'a Interface,
    /// Its name.
    pub(super) name: &'a str,
    /// The hardware address by which the guest knows it; `None` where it goes by the name.
    pub(super) mac: Option<String>,
    /// Whether it asks for an IPv4 address.
    pub(super) dhcp4: bool,
    /// How it gets its IPv6 address.
    pub(super) ipv6: Ipv6,
    /// Its fixed addresses, the first IPv4 one first.
    pub(super) addresses: Vec<IpNet>,
    /// The IPv4 broadcast address, where it is not the usual one of the first address.
    pub(super) broadcast: Option<Ipv4Addr>,
    /// The default gateways.
    pub(super) gateway4: Option<Ipv4Addr>,
    pub(super) gateway6: Option<Ipv6Addr>,
    /// Further routes.
    pub(super) routes: Vec<Route>,
    pub(super) mtu: Option<u32>,
    /// The VLAN that it is.
    pub(super) vlan: Option<&'a Vlan>,
    /// The host's name servers, if they are told with this interface.
    pub(super) dns: Vec<IpAddr>,
    /// The same of the domains in which short names are looked up.
    pub(super) search: Vec<&'a str>,
    /// The project's lines.
    pub(super) origins: Vec<Origin>,
}

/// How an interface gets its IPv6 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ipv6 {
    /// As the guest does by itself.
    Unspoken,
    /// From the routers' announcements.
    Auto,
    /// From a DHCP server.
    Dhcp,
    /// It is among the fixed addresses.
    Static,
}

/// The host's interfaces. Its name servers are told with the first one that gets an address.
pub(super) fn all<'a>(
    guest: &Guest<'a>,
    warnings: &mut Vec<GuestWarning>,
) -> Result<Vec<Link<'a>>, GuestError> {
    let host = guest.host;
    let mut links = Vec::with_capacity(host.interfaces.len());
    for interface in &host.interfaces {
        check_name(interface)?;
        if let Some(vlan) = &interface.vlan
            && !host
                .interfaces
                .iter()
                .any(|other| other.name == vlan.value.parent)
        {
            return Err(GuestError::NoParent {
                interface: interface.name.clone(),
                parent: vlan.value.parent.clone(),
                origin: vlan.origin.clone(),
            });
        }
        links.push(link(guest, interface, warnings));
    }
    let first = links.iter().position(Link::is_configured).unwrap_or(0);
    if let Some(link) = links.get_mut(first) {
        link.dns = host.nameservers.iter().map(|server| server.value).collect();
        link.search = host.search.iter().map(|domain| domain.value.as_str()).collect();
    }
    Ok(links)
}

fn link<'a>(guest: &Guest<'a>, interface: &'a Interface, warnings: &mut Vec<GuestWarning>) -> Link<'a> {
    let mut link = Link {
        interface,
        name: &interface.name,
        mac: interface.match_mac.then(|| guest.macs.get(guest.host, interface)),
        dhcp4: false,
        ipv6: Ipv6::Unspoken,
        addresses: Vec::new(),
        broadcast: None,
        gateway4: interface.gateway.as_ref().map(|gateway| gateway.value),
        gateway6: interface.gateway6.as_ref().map(|gateway| gateway.value),
        routes: interface.routes.iter().map(|route| route.value).collect(),
        mtu: interface.mtu.as_ref().map(|mtu| mtu.value),
        vlan: interface.vlan.as_ref().map(|vlan| &vlan.value),
        dns: Vec::new(),
        search: Vec::new(),
        origins: origins(interface),
    };
    match interface
        .address
        .as_ref()
        .map(|address| (address.value, &address.origin))
    {
        None => {}
        Some((InterfaceAddress::Dhcp, _)) => link.dhcp4 = true,
        Some((InterfaceAddress::Static(address), origin)) => {
            if interface.netmask.is_none() {
                warnings.push(GuestWarning::NoNetmask {
                    interface: interface.name.clone(),
                    origin: origin.clone(),
                });
            }
            let mask = interface.netmask.as_ref().map(|mask| mask.value);
            let net = mask.and_then(|mask| Ipv4Net::with_netmask(address, mask).ok());
            let net = net.unwrap_or_else(|| Ipv4Net::from(address));
            link.addresses.push(net.into());
            let broadcast = interface.broadcast.as_ref().map(|broadcast| broadcast.value);
            link.broadcast = broadcast.filter(|broadcast| *broadcast != net.broadcast());
        }
    }
    match interface.address6.as_ref().map(|address| address.value) {
        None => {}
        Some(InterfaceAddress6::Auto) => link.ipv6 = Ipv6::Auto,
        Some(InterfaceAddress6::Dhcp) => link.ipv6 = Ipv6::Dhcp,
        Some(InterfaceAddress6::Static(net)) => {
            link.ipv6 = Ipv6::Static;
            link.addresses.push(net.into());
        }
    }
    link.addresses
        .extend(interface.addresses.iter().map(|address| address.value));
    link
}

impl Link<'_> {
    /// Whether it gets no address, so that no start of a machine has to wait for it.
    pub(super) fn is_bare(&self) -> bool {
        !self.dhcp4 && self.ipv6 == Ipv6::Unspoken && self.addresses.is_empty()
    }

    /// Whether it gets any address.
    pub(super) fn is_configured(&self) -> bool {
        self.dhcp4 || !self.addresses.is_empty() || matches!(self.ipv6, Ipv6::Auto | Ipv6::Dhcp)
    }

    /// Its fixed addresses of one family.
    pub(super) fn ipv4(&self) -> impl Iterator<Item = &IpNet> {
        self.addresses.iter().filter(|net| net.addr().is_ipv4())
    }

    /// The same for IPv6.
    pub(super) fn ipv6(&self) -> impl Iterator<Item = &IpNet> {
        self.addresses.iter().filter(|net| net.addr().is_ipv6())
    }

    /// The default gateways, IPv4 first.
    pub(super) fn gateways(&self) -> impl Iterator<Item = IpAddr> {
        let four = self.gateway4.map(IpAddr::V4);
        four.into_iter().chain(self.gateway6.map(IpAddr::V6))
    }

    /// Whether a router lies in none of the interface's networks, so that it has to be called reachable.
    pub(super) fn is_beyond(&self, gateway: IpAddr) -> bool {
        let is_local = matches!(gateway, IpAddr::V6(address) if address.is_unicast_link_local());
        let has_networks = self
            .addresses
            .iter()
            .any(|net| net.addr().is_ipv4() == gateway.is_ipv4());
        has_networks && !is_local && !self.addresses.iter().any(|net| net.contains(&gateway))
    }

    /// The VLANs among `links` that this one carries.
    pub(super) fn carried<'l>(&'l self, links: &'l [Self]) -> impl Iterator<Item = &'l str> {
        let is_carried = |link: &&Self| link.vlan.is_some_and(|vlan| vlan.parent == self.name);
        links.iter().filter(is_carried).map(|link| link.name)
    }

    /// Refuses a broadcast address of its own, which the words of `renderer` cannot say.
    pub(super) fn refuse_broadcast(&self, renderer: Renderer) -> Result<(), GuestError> {
        match (&self.broadcast, &self.interface.broadcast) {
            (Some(_), Some(line)) => Err(GuestError::CannotRender {
                what: "an unusual broadcast address",
                interface: self.name.to_owned(),
                renderer,
                origin: line.origin.clone(),
            }),
            _ => Ok(()),
        }
    }
}

/// How dear a route is, after the word `before`; nothing where the project does not say.
pub(super) fn metric(route: &Route, before: &str) -> String {
    let metric = route.metric.map(|metric| format!("{before}{metric}"));
    metric.unwrap_or_default()
}

/// The project's lines for an interface.
fn origins(interface: &Interface) -> Vec<Origin> {
    let mut origins = vec![interface.origin.clone()];
    let address = interface.address.as_ref().map(|value| &value.origin);
    let netmask = interface.netmask.as_ref().map(|value| &value.origin);
    let broadcast = interface.broadcast.as_ref().map(|value| &value.origin);
    let gateway = interface.gateway.as_ref().map(|value| &value.origin);
    let address6 = interface.address6.as_ref().map(|value| &value.origin);
    let gateway6 = interface.gateway6.as_ref().map(|value| &value.origin);
    let mtu = interface.mtu.as_ref().map(|value| &value.origin);
    let vlan = interface.vlan.as_ref().map(|value| &value.origin);
    let single = [
        address, netmask, broadcast, gateway, address6, gateway6, mtu, vlan,
    ];
    let further = interface.addresses.iter().map(|value| &value.origin);
    let routes = interface.routes.iter().map(|value| &value.origin);
    for origin in single.into_iter().flatten().chain(further).chain(routes) {
        if origin.line != 0 && !origins.contains(origin) {
            origins.push(origin.clone());
        }
    }
    origins
}

/// Refuses a name that would break its line, or that no interface of Linux can have.
fn check_name(interface: &Interface) -> Result<(), GuestError> {
    let name = &interface.name;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".:-_@".contains(&byte);
    if (1..=15).contains(&name.len()) && name.bytes().all(fits) && !name.starts_with(['.', '-']) {
        return Ok(());
    }
    Err(GuestError::BadName {
        what: "network interface",
        name: name.clone(),
        origin: interface.origin.clone(),
    })
}
