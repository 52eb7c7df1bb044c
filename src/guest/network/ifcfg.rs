//! The files of Red Hat's network-scripts, which its `NetworkManager` reads too: `/etc/sysconfig/network-scripts`.
//!
//! Their words are told in `sysconfig.txt` of initscripts and in nm-settings-ifcfg-rh(5).

use std::fmt::Write as _;

use crate::edit::{Attributes, Edit, EditList, GuestView};
use crate::guest::error::GuestError;
use crate::guest::target::Target;
use crate::guest::text::with_assignment;
use crate::guest::{Guest, Init};
use crate::project::Route;

use super::link::{Ipv6, Link, metric};
use super::{HEAD, Part, write_parts};

/// The directory of the files.
const DIRECTORY: &str = "/etc/sysconfig/network-scripts";
/// What switches the network on at all.
const GLOBAL: &str = "/etc/sysconfig/network";

/// Writes the files of each interface.
pub(super) fn configure(
    guest: &Guest<'_>,
    links: &[Link<'_>],
    view: &dyn GuestView,
) -> Result<EditList, GuestError> {
    let is_one = |name: &[u8]| {
        let is_one = [&b"ifcfg-"[..], b"route-", b"route6-", b"rule-", b"rule6-"]
            .iter()
            .any(|start| name.starts_with(start));
        is_one && name != b"ifcfg-lo"
    };
    let further = if guest.init == Some(Init::Systemd) {
        Further::Numbered
    } else {
        Further::Aliases
    };
    let mut edits = write_parts(view, DIRECTORY, links, |link| Ok(parts(link, further)), is_one)?;
    let target = Target::open(view, GLOBAL)?;
    let mut content = with_assignment(&target.content.unwrap_or_default(), "NETWORKING", "yes");
    // What Red Hat 5 has switched off as a whole.
    if links.iter().any(has_ipv6) {
        content = with_assignment(&content, "NETWORKING_IPV6", "yes");
    }
    edits.push(Edit::file(
        target.path,
        content,
        Attributes::default(),
        guest.host.origin.clone(),
    ));
    Ok(edits)
}

/// How further IPv4 addresses of an interface are said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Further {
    /// In the interface's own file, `IPADDR1` and so on: since Red Hat 7.
    Numbered,
    /// By a file for each, as the scripts before that want it.
    Aliases,
}

/// Whether anything is said of IPv6.
fn has_ipv6(link: &Link<'_>) -> bool {
    link.ipv6 != Ipv6::Unspoken || link.ipv6().next().is_some()
}

/// The files of one interface.
fn parts(link: &Link<'_>, further: Further) -> Vec<Part> {
    let part = |kind: &str, text| Part::new(format!("{kind}-{}", link.name), text);
    let mut parts = vec![part("ifcfg", interface(link, further))];
    if further == Further::Aliases {
        for (number, net) in link.ipv4().enumerate().skip(1) {
            let name = format!("{}:{number}", link.name);
            let text = format!(
                "{HEAD}DEVICE={name}\nONPARENT=yes\nBOOTPROTO=none\nIPADDR={}\nNETMASK={}\n",
                net.addr(),
                net.netmask()
            );
            parts.push(Part::new(format!("ifcfg-{name}"), text));
        }
    }
    for (kind, is_ipv4) in [("route", true), ("route6", false)] {
        let routes: String = link
            .routes
            .iter()
            .filter(|route| route.gateway.is_ipv4() == is_ipv4)
            .map(|route| line(route, link.name))
            .collect();
        if !routes.is_empty() {
            parts.push(part(kind, routes));
        }
    }
    parts
}

/// A route in the words of ip-route(8).
fn line(route: &Route, name: &str) -> String {
    let metric = metric(route, " metric ");
    format!("{} via {} dev {name}{metric}\n", route.destination, route.gateway)
}

/// The file of one interface.
fn interface(link: &Link<'_>, further: Further) -> String {
    let mut text = format!("{HEAD}DEVICE={}\nNAME={}\nONBOOT=yes\n", link.name, link.name);
    match link.vlan {
        Some(vlan) => {
            let _infallible = writeln!(
                text,
                "TYPE=Vlan\nVLAN=yes\nPHYSDEV={}\nVLAN_ID={}",
                vlan.parent, vlan.id
            );
        }
        None => text.push_str("TYPE=Ethernet\n"),
    }
    if let Some(mac) = &link.mac {
        let _infallible = writeln!(text, "HWADDR={}", mac.to_ascii_uppercase());
    }
    let protocol = if link.dhcp4 { "dhcp" } else { "none" };
    let _infallible = writeln!(text, "BOOTPROTO={protocol}");
    let own = match further {
        Further::Numbered => usize::MAX,
        Further::Aliases => 1,
    };
    for (index, net) in link.ipv4().enumerate().take(own) {
        let number = if index == 0 {
            String::new()
        } else {
            index.to_string()
        };
        let _infallible = write!(
            text,
            "IPADDR{number}={}\nPREFIX{number}={}\n",
            net.addr(),
            net.prefix_len()
        );
        if index == 0 {
            let _infallible = writeln!(text, "NETMASK={}", net.netmask());
        }
    }
    if let Some(broadcast) = &link.interface.broadcast {
        let _infallible = writeln!(text, "BROADCAST={}", broadcast.value);
    }
    if let Some(gateway) = link.gateway4 {
        let _infallible = writeln!(text, "GATEWAY={gateway}");
    }
    if let Some(mtu) = link.mtu {
        let _infallible = writeln!(text, "MTU={mtu}");
    }
    ipv6(&mut text, link);
    for (number, server) in (1..).zip(&link.dns) {
        let _infallible = writeln!(text, "DNS{number}={server}");
    }
    if !link.search.is_empty() {
        let _infallible = writeln!(text, "DOMAIN=\"{}\"", link.search.join(" "));
    }
    text
}

/// The lines for IPv6.
fn ipv6(text: &mut String, link: &Link<'_>) {
    if !has_ipv6(link) {
        return;
    }
    let addresses: Vec<String> = link.ipv6().map(ToString::to_string).collect();
    text.push_str("IPV6INIT=yes\n");
    let is_auto = !matches!(link.ipv6, Ipv6::Static);
    let _infallible = writeln!(text, "IPV6_AUTOCONF={}", if is_auto { "yes" } else { "no" });
    if link.ipv6 == Ipv6::Dhcp {
        text.push_str("DHCPV6C=yes\n");
    }
    if let Some((first, others)) = addresses.split_first() {
        let _infallible = writeln!(text, "IPV6ADDR={first}");
        if !others.is_empty() {
            let _infallible = writeln!(text, "IPV6ADDR_SECONDARIES=\"{}\"", others.join(" "));
        }
    }
    if let Some(gateway) = link.gateway6 {
        let _infallible = writeln!(text, "IPV6_DEFAULTGW={gateway}");
    }
}
