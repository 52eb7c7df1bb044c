//! A host's network interfaces, and a switch's part in them.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::model::{Interface, InterfaceAddress, Route, Vlan};
use super::natural;
use super::problem::Problem;
use super::section::{Content, Entry, Section};
use super::values::Values;
use crate::base::Sourced;
use crate::diag::Span;

/// The longest name that Linux takes for an interface.
const INTERFACE_NAME_MAX: usize = 15;

/// The interfaces of a host, sorted by name.
pub(super) fn interfaces(section: &Section, values: &mut Values<'_>) -> Vec<Interface> {
    let Some(network) = section.section("network") else {
        return Vec::new();
    };
    let mut interfaces: Vec<Interface> = network
        .sections()
        .filter_map(|(name, section)| interface(&name.text, name.span, section, values))
        .collect();
    interfaces.sort_by(|one, other| natural::compare(&one.name, &other.name));
    interfaces.shrink_to_fit();
    interfaces
}

fn interface(name: &str, span: Span, section: &Section, values: &mut Values<'_>) -> Option<Interface> {
    if !fits(name) {
        let (name, what) = (name.to_owned(), "network interface");
        let rule = "at most 15 letters, digits, `_`, `.` and `-`";
        values.report(Problem::BadName { name, what, rule }, span);
        return None;
    }
    let mut prefix = None;
    let address = values.setting(section, "address", |values, entry| {
        if values.word(entry).is_some_and(|word| &*word.text == "dhcp") {
            return Some(InterfaceAddress::Dhcp);
        }
        let (address, len) = values.address_and_prefix(entry)?;
        prefix = len.and_then(|len| Ipv4Net::new(address, len).ok());
        Some(InterfaceAddress::Static(address))
    });
    let of_prefix = address.as_ref().zip(prefix);
    let of_prefix = of_prefix.map(|(address, net)| Sourced::new(net.netmask(), address.origin.clone()));
    Some(Interface {
        name: name.to_owned(),
        origin: values.origin(section.header),
        address,
        netmask: values.setting(section, "netmask", Values::netmask).or(of_prefix),
        broadcast: values.setting(section, "broadcast", Values::address),
        gateway: values.setting(section, "gateway", Values::address),
        address6: values.setting(section, "address6", Values::address6_or_auto),
        gateway6: values.setting(section, "gateway6", Values::address6),
        addresses: further(section, values),
        routes: routes(section, values),
        mtu: values.setting(section, "mtu", |values, entry| values.number(entry, 68, 65_535)),
        vlan: vlan(name, section, values),
        match_mac: section
            .setting("match")
            .is_some_and(|entry| entry.value_text() == "mac"),
        switch: values.setting(section, "switch", Values::text),
        bridge: values.setting(section, "bridge", Values::one_word),
        mac: values.setting(section, "mac", Values::mac),
    })
}

/// Whether Linux and every file in which it stands can call an interface so.
fn fits(name: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    name.len() <= INTERFACE_NAME_MAX && name.bytes().all(is_inner) && !name.starts_with(['.', '-'])
}

/// The addresses of the nearest `addresses`.
fn further(section: &Section, values: &mut Values<'_>) -> Vec<Sourced<ipnet::IpNet>> {
    let Some(entry) = section.setting("addresses") else {
        return Vec::new();
    };
    let addresses = values.prefixes(entry).unwrap_or_default();
    addresses
        .into_iter()
        .map(|address| values.sourced(address, entry.key.span))
        .collect()
}

/// The lines of the block `routes`.
fn routes(section: &Section, values: &mut Values<'_>) -> Vec<Sourced<Route>> {
    let Some(block) = section.section("routes") else {
        return Vec::new();
    };
    let is_record = |entry: &&Entry| matches!(entry.content, Content::Value(_)) && !entry.is_definition;
    block
        .entries
        .iter()
        .filter(is_record)
        .filter_map(|entry| {
            let route = route(entry, values)?;
            Some(values.sourced(route, entry.key.span))
        })
        .collect()
}

fn route(entry: &Entry, values: &mut Values<'_>) -> Option<Route> {
    let words = entry.value()?;
    let destination: ipnet::IpNet = values.parsed(
        &entry.key,
        "a network with the length of its prefix, such as `10.1.0.0/16`",
    )?;
    let Some(gateway) = words.first() else {
        values.missing(entry);
        return None;
    };
    let metric = match words.get(1) {
        Some(word) => Some(values.parsed(word, "a metric")?),
        None => None,
    };
    if let Some(word) = words.get(2) {
        let keyword = entry.key.text.to_string();
        let taken = "a router and a metric";
        values.report(Problem::SurplusWords { keyword, taken }, word.span);
    }
    let expected = if destination.addr().is_ipv4() {
        "the IPv4 address of a router"
    } else {
        "the IPv6 address of a router"
    };
    let router: std::net::IpAddr = values.parsed(gateway, expected)?;
    if router.is_ipv4() != destination.addr().is_ipv4() {
        values.bad_word(gateway, expected);
        return None;
    }
    Some(Route {
        destination: destination.trunc(),
        gateway: router,
        metric,
    })
}

/// The VLAN that an interface is.
fn vlan(name: &str, section: &Section, values: &mut Values<'_>) -> Option<Sourced<Vlan>> {
    let parent = values.setting(section, "parent", Values::one_word);
    let id = values.setting(section, "vlan", |values, entry| values.number(entry, 1, 4094))?;
    let parent = parent.map(|parent| parent.value);
    let of_name = || name.split_once('.').map(|(parent, _)| parent.to_owned());
    let Some(parent) = parent.or_else(of_name) else {
        let keyword = "parent".to_owned();
        let span = section
            .setting("vlan")
            .map_or(section.header, |entry| entry.key.span);
        values.report(Problem::MissingValue { keyword }, span);
        return None;
    };
    Some(id.map(|id| Vlan {
        id: u16::try_from(id).expect("the number of a VLAN was checked to be below 4095"),
        parent,
    }))
}

/// Reports a range that does not lie in the network of the switch's own address.
pub(super) fn check_dhcp(section: &Section, values: &mut Values<'_>) {
    let Some(range) = dhcp_range(section, values) else {
        return;
    };
    let Some(entry) = section.setting("dhcp") else {
        return;
    };
    let address = section
        .setting("address")
        .and_then(|entry| entry.value()?.first());
    let network: Option<Ipv4Net> = address.and_then(|word| word.text.parse().ok());
    let reason = match network {
        None => "it has no IPv4 `address` of its own, such as `address 10.0.0.1/24`".to_owned(),
        Some(network) if network.contains(&range.value.0) && network.contains(&range.value.1) => return,
        Some(network) => format!("that is {}", network.trunc()),
    };
    values.report(Problem::DhcpOutside { reason }, entry.value_span());
}

/// The first and the last address that a switch's DHCP server hands out.
pub(super) fn dhcp_range(
    section: &Section,
    values: &mut Values<'_>,
) -> Option<Sourced<(Ipv4Addr, Ipv4Addr)>> {
    values.setting(section, "dhcp", |values, entry| {
        let [first, last] = entry.value()? else {
            values.bad_value::<()>(entry, "the first and the last address to hand out");
            return None;
        };
        let first: Ipv4Addr = values.parsed(first, "an IPv4 address")?;
        let end: Ipv4Addr = values.parsed(last, "an IPv4 address")?;
        if end < first {
            values.bad_word(last, "an address after the first one");
            return None;
        }
        Some((first, end))
    })
}
