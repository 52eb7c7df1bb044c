//! The files of SUSE's wicked, and of the scripts that came before it: ifcfg(5), ifroute(5), in
//! `/etc/sysconfig/network`.

use std::fmt::Write as _;

use crate::edit::{Attributes, Edit, EditList, GuestView};
use crate::guest::Guest;
use crate::guest::error::GuestError;
use crate::guest::target::Target;
use crate::guest::text::with_assignment;

use super::link::{Ipv6, Link, metric};
use super::{HEAD, Part, write_parts};

/// The directory of the files.
const DIRECTORY: &str = "/etc/sysconfig/network";
/// What holds for all interfaces.
const GLOBAL: &str = "/etc/sysconfig/network/config";

/// Writes the files of each interface.
pub(super) fn configure(
    guest: &Guest<'_>,
    links: &[Link<'_>],
    view: &dyn GuestView,
) -> Result<EditList, GuestError> {
    let parts = |link: &Link<'_>| {
        let part = |kind: &str, text| Part::new(format!("{kind}-{}", link.name), text);
        let routes = Some(routes(link)).filter(|routes| !routes.is_empty());
        let routes = routes.map(|routes| part("ifroute", routes));
        Ok([part("ifcfg", interface(link))]
            .into_iter()
            .chain(routes)
            .collect())
    };
    let is_one = |name: &[u8]| {
        let is_one = name.starts_with(b"ifcfg-") || name.starts_with(b"ifroute-") || name == b"routes";
        is_one && name != b"ifcfg-lo"
    };
    let mut edits = write_parts(view, DIRECTORY, links, parts, is_one)?;
    edits.extend(resolver(guest, links, view)?);
    Ok(edits)
}

/// The name servers, which SUSE's netconfig puts into resolv.conf.
fn resolver(guest: &Guest<'_>, links: &[Link<'_>], view: &dyn GuestView) -> Result<Option<Edit>, GuestError> {
    let Some(link) = links.iter().find(|link| !link.dns.is_empty()) else {
        return Ok(None);
    };
    let target = Target::open(view, GLOBAL)?;
    let servers: Vec<String> = link.dns.iter().map(ToString::to_string).collect();
    let mut content = target.content.unwrap_or_default();
    for (key, words) in [
        ("NETCONFIG_DNS_STATIC_SERVERS", servers.join(" ")),
        ("NETCONFIG_DNS_STATIC_SEARCHLIST", link.search.join(" ")),
    ] {
        content = with_assignment(&content, key, &format!("\"{words}\""));
    }
    let mut edit = Edit::file(
        target.path,
        content,
        Attributes::default(),
        guest.host.origin.clone(),
    );
    edit.origins = guest
        .host
        .nameservers
        .iter()
        .map(|server| server.origin.clone())
        .collect();
    Ok(Some(edit))
}

/// The file of one interface.
fn interface(link: &Link<'_>) -> String {
    let mut text = format!("{HEAD}STARTMODE='auto'\n");
    let asks = match (link.dhcp4, link.ipv6) {
        (true, Ipv6::Dhcp) => Some("dhcp"),
        (true, _) => Some("dhcp4"),
        (false, Ipv6::Dhcp) => Some("dhcp6"),
        (false, _) => None,
    };
    let protocol = match (asks, link.addresses.is_empty()) {
        (Some(asks), true) => asks.to_owned(),
        (Some(asks), false) => format!("{asks}+static"),
        // By `none` it would not listen to routers either.
        (None, true) if link.ipv6 != Ipv6::Auto => "none".to_owned(),
        (None, _) => "static".to_owned(),
    };
    let _infallible = writeln!(text, "BOOTPROTO='{protocol}'");
    for (index, net) in link.addresses.iter().enumerate() {
        let number = if index == 0 {
            String::new()
        } else {
            format!("_{index}")
        };
        let _infallible = writeln!(text, "IPADDR{number}='{net}'");
    }
    if let Some(broadcast) = link.broadcast {
        let _infallible = writeln!(text, "BROADCAST='{broadcast}'");
    }
    if let Some(mtu) = link.mtu {
        let _infallible = writeln!(text, "MTU='{mtu}'");
    }
    if let Some(vlan) = link.vlan {
        let _infallible = write!(text, "ETHERDEVICE='{}'\nVLAN_ID='{}'\n", vlan.parent, vlan.id);
    }
    text
}

/// The routes of one interface: destination, gateway, mask, interface, kind and options.
fn routes(link: &Link<'_>) -> String {
    let mut text = String::new();
    for gateway in link.gateways() {
        let _infallible = writeln!(text, "default {gateway} - {}", link.name);
    }
    for route in &link.routes {
        let metric = metric(route, " unicast metric ");
        let _infallible = writeln!(
            text,
            "{} {} - {}{metric}",
            route.destination, route.gateway, link.name
        );
    }
    text
}
