//! The profiles of `NetworkManager` in its own form: nm-settings-keyfile(5), one for an interface, for root's eyes alone.

use std::fmt::Write as _;

use uuid::Uuid;

use crate::base::GuestPath;
use crate::edit::{Edit, EditList, GuestView};
use crate::guest::error::GuestError;
use crate::guest::{Guest, Init, target};
use crate::project::Renderer;

use super::link::{Ipv6, Link, metric};
use super::renderer::first_of;
use super::{HEAD, Part, write_parts};

/// The directory of profiles.
const DIRECTORY: &str = "/etc/NetworkManager/system-connections";
/// The link by which the program is enabled.
const ENABLED: &str = "/etc/systemd/system/multi-user.target.wants/NetworkManager.service";
/// Where its unit may lie.
const UNITS: [&str; 2] = [
    "/usr/lib/systemd/system/NetworkManager.service",
    "/lib/systemd/system/NetworkManager.service",
];

/// Writes a profile for each interface.
pub(super) fn configure(
    guest: &Guest<'_>,
    links: &[Link<'_>],
    view: &dyn GuestView,
) -> Result<EditList, GuestError> {
    let parts = |link: &Link<'_>| {
        link.refuse_broadcast(Renderer::NetworkManager)?;
        Ok(vec![Part {
            name: format!("mln-{}.nmconnection", link.name),
            text: profile(guest, link),
            mode: 0o600,
        }])
    };
    let mut edits = write_parts(view, DIRECTORY, links, parts, |_| true)?;
    edits.extend(enable(guest, view)?);
    Ok(edits)
}

/// The link that enables the program, where systemd starts the guest and none is there.
fn enable(guest: &Guest<'_>, view: &dyn GuestView) -> Result<Option<Edit>, GuestError> {
    if guest.init != Some(Init::Systemd) || view.exists(&GuestPath::literal(ENABLED))? {
        return Ok(None);
    }
    let Some(unit) = first_of(view, &UNITS)? else {
        return Ok(None);
    };
    let place = target::place(view, &GuestPath::literal(ENABLED))?;
    Ok(Some(Edit::symlink(place, unit, guest.host.origin.clone())))
}

/// The profile of one interface.
fn profile(guest: &Guest<'_>, link: &Link<'_>) -> String {
    let name = link.name;
    let seed = format!("mln-image {}/{}/{name}", guest.project.name, guest.host.name);
    let uuid = Uuid::new_v5(&Uuid::NAMESPACE_OID, seed.as_bytes());
    let kind = if link.vlan.is_some() { "vlan" } else { "ethernet" };
    let mut text =
        format!("{HEAD}[connection]\nid=mln-{name}\nuuid={uuid}\ntype={kind}\ninterface-name={name}\n");
    if link.mac.is_some() || link.mtu.is_some() {
        text.push_str("\n[ethernet]\n");
    }
    if let Some(mac) = &link.mac {
        let _infallible = writeln!(text, "mac-address={}", mac.to_ascii_uppercase());
    }
    if let Some(mtu) = link.mtu {
        let _infallible = writeln!(text, "mtu={mtu}");
    }
    if let Some(vlan) = link.vlan {
        let _infallible = write!(
            text,
            "\n[vlan]\nflags=1\nid={}\nparent={}\n",
            vlan.id, vlan.parent
        );
    }
    let method4 = match (link.dhcp4, link.ipv4().next()) {
        (true, _) => "auto",
        (false, Some(_)) => "manual",
        (false, None) => "disabled",
    };
    section(&mut text, link, true, method4);
    let method6 = match link.ipv6 {
        Ipv6::Static => "manual",
        // The program would wait for a router until it gives up.
        Ipv6::Unspoken if !link.is_configured() => "ignore",
        // By `dhcp` it would not listen to routers, from whom alone a machine learns its way out; with `auto` it asks
        // the server that they tell of, as the other renderers do.
        Ipv6::Auto | Ipv6::Dhcp | Ipv6::Unspoken => "auto",
    };
    section(&mut text, link, false, method6);
    text
}

/// The section of one family.
fn section(text: &mut String, link: &Link<'_>, is_ipv4: bool, method: &str) {
    let (heading, gateway) = if is_ipv4 {
        ("ipv4", link.gateway4.map(|gateway| gateway.to_string()))
    } else {
        ("ipv6", link.gateway6.map(|gateway| gateway.to_string()))
    };
    let _infallible = write!(text, "\n[{heading}]\nmethod={method}\n");
    let addresses = link
        .addresses
        .iter()
        .filter(|net| net.addr().is_ipv4() == is_ipv4);
    for (number, net) in (1..).zip(addresses) {
        let _infallible = writeln!(text, "address{number}={net}");
    }
    if let Some(gateway) = gateway {
        let _infallible = writeln!(text, "gateway={gateway}");
    }
    let routes = link
        .routes
        .iter()
        .filter(|route| route.gateway.is_ipv4() == is_ipv4);
    for (number, route) in (1..).zip(routes) {
        let metric = metric(route, ",");
        let _infallible = writeln!(
            text,
            "route{number}={},{}{metric}",
            route.destination, route.gateway
        );
    }
    if method == "disabled" {
        return;
    }
    let servers = link.dns.iter().filter(|server| server.is_ipv4() == is_ipv4);
    let servers: Vec<String> = servers.map(ToString::to_string).collect();
    if !servers.is_empty() {
        let _infallible = writeln!(text, "dns={};", servers.join(";"));
    }
    if !link.search.is_empty() && is_ipv4 {
        let _infallible = writeln!(text, "dns-search={};", link.search.join(";"));
    }
}
