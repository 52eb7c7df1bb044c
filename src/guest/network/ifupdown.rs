//! The files of ifupdown: interfaces(5), rewritten as a whole but for the lines that read further files.
//!
//! Busybox and Alpine read the same file by other programs. What only one of them knows as a word of its own is said
//! by a command, which all of them run.

use std::fmt::Write as _;
use std::net::IpAddr;

use crate::base::{GuestPath, Origin};
use crate::edit::{Attributes, Edit, EditList, GuestView};
use crate::guest::error::GuestError;
use crate::guest::target::{self, Target};
use crate::guest::text::{lines, words};
use crate::guest::warning::GuestWarning;
use crate::guest::{Family, Guest, Init};
use crate::project::{Host, Renderer};

use super::HEAD;
use super::link::{Ipv6, Link, metric};

/// The directory that Debian's own file reads.
const DIRECTORY: &str = "/etc/network/interfaces.d";

/// Writes `/etc/network/interfaces`.
pub(super) fn configure(
    guest: &Guest<'_>,
    links: &[Link<'_>],
    view: &dyn GuestView,
    warnings: &mut Vec<GuestWarning>,
) -> Result<EditList, GuestError> {
    let target = Target::open(view, "/etc/network/interfaces")?;
    let mut content = HEAD.as_bytes().to_vec();
    let old = target.content.unwrap_or_default();
    let sources: Vec<&[u8]> = lines(&old)
        .into_iter()
        .filter(|line| reads_others(line))
        .collect();
    for line in &sources {
        content.extend_from_slice(line);
        content.push(b'\n');
    }
    content.extend_from_slice(b"\nauto lo\niface lo inet loopback\n");
    let mut origins: Vec<Origin> = Vec::new();
    for link in links {
        content.extend_from_slice(stanzas(guest, link)?.as_bytes());
        origins.extend(link.origins.iter().cloned());
    }
    if sources.iter().any(|line| contains(line, DIRECTORY.as_bytes())) {
        warn_of_others(guest.host, view, warnings)?;
    }
    let mut edit = Edit::file(
        target.path,
        content,
        Attributes::default(),
        guest.host.origin.clone(),
    );
    edit.origins = origins;
    let mut edits = EditList::new();
    edits.push(edit);
    edits.extend(enable_openrc(guest, view)?);
    Ok(edits)
}

/// Whether a line reads further files.
fn reads_others(line: &[u8]) -> bool {
    let keyword = words(line).next();
    keyword.is_some_and(|word| [&b"source"[..], b"source-directory", b"source-dir"].contains(&word))
}

/// The lines of one interface.
fn stanzas(guest: &Guest<'_>, link: &Link<'_>) -> Result<String, GuestError> {
    let name = link.name;
    let mut text = format!("\nauto {name}\n");
    let mut commands = commands_before(link);
    let after = commands_after(link);
    let has_ipv4 = link.dhcp4 || link.ipv4().next().is_some();
    if has_ipv4 || !link.is_configured() {
        ipv4(&mut text, link);
        text.push_str(&std::mem::take(&mut commands));
        if link.ipv6 == Ipv6::Unspoken || !has_ipv4 {
            text.push_str(&after);
            return Ok(text);
        }
    }
    ipv6(&mut text, guest, link)?;
    text.push_str(&commands);
    text.push_str(&after);
    Ok(text)
}

/// The stanza for IPv4, without its commands.
fn ipv4(text: &mut String, link: &Link<'_>) {
    let name = link.name;
    let method = match (link.dhcp4, link.ipv4().next()) {
        (true, _) => "dhcp",
        (false, Some(_)) => "static",
        (false, None) => "manual",
    };
    let _infallible = writeln!(text, "iface {name} inet {method}");
    if method != "static" {
        return;
    }
    let interface = link.interface;
    if let Some(net) = link.ipv4().next() {
        let _infallible = writeln!(text, "\taddress {}", net.addr());
        // Without a mask in the project there is none here: ifup then takes the one of the address's class.
        if interface.netmask.is_some() || interface.address.is_none() {
            let _infallible = writeln!(text, "\tnetmask {}", net.netmask());
        }
    }
    if let Some(broadcast) = &interface.broadcast {
        let _infallible = writeln!(text, "\tbroadcast {}", broadcast.value);
    }
    if let Some(gateway) = link.gateway4 {
        let _infallible = writeln!(text, "\tgateway {gateway}");
    }
}

/// The stanza for IPv6, without its commands.
fn ipv6(text: &mut String, guest: &Guest<'_>, link: &Link<'_>) -> Result<(), GuestError> {
    let name = link.name;
    let is_busybox = matches!(guest.family, Family::Alpine | Family::Busybox);
    let method = match link.ipv6 {
        // The kernel listens to routers by itself, and busybox knows no word for it.
        Ipv6::Auto if is_busybox => "manual",
        Ipv6::Auto => "auto",
        Ipv6::Dhcp if is_busybox => {
            return Err(GuestError::CannotRender {
                what: "DHCP for IPv6",
                interface: name.to_owned(),
                renderer: Renderer::Ifupdown,
                origin: link.interface.origin.clone(),
            });
        }
        Ipv6::Dhcp => "dhcp",
        Ipv6::Static | Ipv6::Unspoken => "static",
    };
    let _infallible = writeln!(text, "iface {name} inet6 {method}");
    if method == "static"
        && let Some(net) = link.ipv6().next()
    {
        let _infallible = writeln!(text, "\taddress {}\n\tnetmask {}", net.addr(), net.prefix_len());
        if let Some(gateway) = link.gateway6 {
            let _infallible = writeln!(text, "\tgateway {gateway}");
        }
    }
    Ok(())
}

/// What has to be done before the interface comes up.
fn commands_before(link: &Link<'_>) -> String {
    let name = link.name;
    let mut text = String::new();
    if let Some(vlan) = link.vlan {
        let _infallible = writeln!(
            text,
            "\tpre-up ip link add link {} name {name} type vlan id {} || true\n\tpost-down ip link del {name} || true",
            vlan.parent, vlan.id
        );
    }
    if let Some(mtu) = link.mtu {
        let _infallible = writeln!(text, "\tpre-up ip link set dev {name} mtu {mtu}");
    }
    text
}

/// What has to be done once it is up: further addresses and routes.
fn commands_after(link: &Link<'_>) -> String {
    let name = link.name;
    let mut text = String::new();
    let first4 = link.ipv4().next().filter(|_| !link.dhcp4);
    let is_static6 = match link.ipv6 {
        Ipv6::Static => true,
        Ipv6::Unspoken => first4.is_none() && !link.dhcp4,
        Ipv6::Auto | Ipv6::Dhcp => false,
    };
    let first6 = link.ipv6().next().filter(|_| is_static6);
    for net in &link.addresses {
        if Some(net) != first4 && Some(net) != first6 {
            let _infallible = writeln!(text, "\tup ip addr add {net} dev {name}");
        }
    }
    // The stanza for IPv6 has the gateway with a fixed address only.
    if let Some(gateway) = link.gateway6.filter(|_| first6.is_none()) {
        let _infallible = writeln!(text, "\tup ip -6 route add default via {gateway} dev {name}");
    }
    for route in &link.routes {
        let six = if matches!(route.gateway, IpAddr::V6(_)) {
            "-6 "
        } else {
            ""
        };
        let metric = metric(route, " metric ");
        let _infallible = writeln!(
            text,
            "\tup ip {six}route add {} via {} dev {name}{metric}",
            route.destination, route.gateway
        );
    }
    text
}

/// `OpenRC` runs ifup by a service, which has to be enabled.
fn enable_openrc(guest: &Guest<'_>, view: &dyn GuestView) -> Result<Option<Edit>, GuestError> {
    let exists = |path: &str| view.exists(&GuestPath::literal(path));
    let is_needed = guest.init == Some(Init::Openrc)
        && exists("/etc/init.d/networking")?
        && !exists("/etc/runlevels/boot/networking")?
        && !exists("/etc/runlevels/default/networking")?;
    if !is_needed {
        return Ok(None);
    }
    let place = target::place(view, &GuestPath::literal("/etc/runlevels/boot/networking"))?;
    Ok(Some(Edit::symlink(
        place,
        "/etc/init.d/networking",
        guest.host.origin.clone(),
    )))
}

/// Warns of files beside ours that configure the same interfaces, since ifup would do both.
fn warn_of_others(
    host: &Host,
    view: &dyn GuestView,
    warnings: &mut Vec<GuestWarning>,
) -> Result<(), GuestError> {
    let names = view.list(&GuestPath::literal(DIRECTORY))?.unwrap_or_default();
    for name in names.iter().filter_map(|name| std::str::from_utf8(name).ok()) {
        let path = format!("{DIRECTORY}/{name}");
        let content = target::read(view, &path)?.unwrap_or_default();
        for interface in &host.interfaces {
            let same = |line: &&[u8]| {
                let mut words = words(line);
                words.next() == Some(b"iface") && words.next() == Some(interface.name.as_bytes())
            };
            if lines(&content).iter().any(same) {
                warnings.push(GuestWarning::ConfiguredTwice {
                    interface: interface.name.clone(),
                    path: GuestPath::literal(&path),
                });
            }
        }
    }
    Ok(())
}

fn contains(line: &[u8], part: &[u8]) -> bool {
    line.windows(part.len()).any(|window| window == part)
}
