//! The files of systemd-networkd: systemd.network(5) and systemd.netdev(5), one of each kind for an interface.

use std::fmt::Write as _;

use crate::base::GuestPath;
use crate::edit::{Edit, EditList, GuestView};
use crate::guest::error::GuestError;
use crate::guest::{Guest, target};

use super::link::{Ipv6, Link};
use super::renderer::{NETWORKD_ENABLED, first_of};
use super::{HEAD, Part, write_parts};

/// The directory of the administrator's files.
const DIRECTORY: &str = "/etc/systemd/network";
/// Where its unit may lie.
const UNITS: [&str; 2] = [
    "/usr/lib/systemd/system/systemd-networkd.service",
    "/lib/systemd/system/systemd-networkd.service",
];

/// Writes a file for each interface.
pub(super) fn configure(
    guest: &Guest<'_>,
    links: &[Link<'_>],
    view: &dyn GuestView,
) -> Result<EditList, GuestError> {
    let parts = |link: &Link<'_>| {
        // The name says what it is for; the number makes it go before most of a distribution's own.
        let stem = format!("20-mln-{}", link.name);
        let device = link.vlan.map(|vlan| {
            let text = format!(
                "{HEAD}[NetDev]\nName={}\nKind=vlan\n\n[VLAN]\nId={}\n",
                link.name, vlan.id
            );
            Part::new(format!("{stem}.netdev"), text)
        });
        let network = Part::new(format!("{stem}.network"), network(link, links));
        Ok(device.into_iter().chain([network]).collect())
    };
    let is_one = |name: &[u8]| name.ends_with(b".network") || name.ends_with(b".netdev");
    let mut edits = write_parts(view, DIRECTORY, links, parts, is_one)?;
    edits.extend(enable(guest, view)?);
    Ok(edits)
}

/// The link that enables the program, where none is there.
fn enable(guest: &Guest<'_>, view: &dyn GuestView) -> Result<Option<Edit>, GuestError> {
    if first_of(view, &NETWORKD_ENABLED)?.is_some() {
        return Ok(None);
    }
    let unit = first_of(view, &UNITS)?.unwrap_or(UNITS[0]);
    let place = target::place(view, &GuestPath::literal(NETWORKD_ENABLED[0]))?;
    Ok(Some(Edit::symlink(place, unit, guest.host.origin.clone())))
}

/// The file of one interface.
fn network(link: &Link<'_>, links: &[Link<'_>]) -> String {
    let mut text = HEAD.to_owned();
    let _infallible = match &link.mac {
        Some(mac) => write!(text, "[Match]\nMACAddress={mac}\nType=ether\n"),
        None => write!(text, "[Match]\nName={}\n", link.name),
    };
    if link.mtu.is_some() || link.is_bare() {
        text.push_str("\n[Link]\n");
    }
    if let Some(mtu) = link.mtu {
        let _infallible = writeln!(text, "MTUBytes={mtu}");
    }
    if link.is_bare() {
        text.push_str("RequiredForOnline=no\n");
    }
    text.push_str("\n[Network]\n");
    let dhcp = match (link.dhcp4, link.ipv6) {
        (true, Ipv6::Dhcp) => "yes",
        (true, _) => "ipv4",
        (false, Ipv6::Dhcp) => "ipv6",
        (false, _) => "no",
    };
    let _infallible = writeln!(text, "DHCP={dhcp}");
    match link.ipv6 {
        Ipv6::Auto | Ipv6::Dhcp => text.push_str("IPv6AcceptRA=yes\n"),
        Ipv6::Static => text.push_str("IPv6AcceptRA=no\n"),
        Ipv6::Unspoken => {}
    }
    for server in &link.dns {
        let _infallible = writeln!(text, "DNS={server}");
    }
    if !link.search.is_empty() {
        let _infallible = writeln!(text, "Domains={}", link.search.join(" "));
    }
    for vlan in link.carried(links) {
        let _infallible = writeln!(text, "VLAN={vlan}");
    }
    for (index, net) in link.addresses.iter().enumerate() {
        let _infallible = write!(text, "\n[Address]\nAddress={net}\n");
        if let Some(broadcast) = link.broadcast.filter(|_| index == 0) {
            let _infallible = writeln!(text, "Broadcast={broadcast}");
        }
    }
    for gateway in link.gateways() {
        let _infallible = write!(text, "\n[Route]\nGateway={gateway}\n");
        if link.is_beyond(gateway) {
            text.push_str("GatewayOnLink=yes\n");
        }
    }
    for route in &link.routes {
        let (destination, gateway) = (route.destination, route.gateway);
        let _infallible = write!(text, "\n[Route]\nDestination={destination}\nGateway={gateway}\n");
        if let Some(metric) = route.metric {
            let _infallible = writeln!(text, "Metric={metric}");
        }
    }
    text
}
