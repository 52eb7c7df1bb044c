//! The file of netplan: netplan(5), one for the whole host. Which of its two programs does the work stays as the
//! template has it.

use std::fmt::Write as _;
use std::net::IpAddr;

use crate::base::GuestPath;
use crate::edit::{EditList, GuestView};
use crate::guest::error::GuestError;
use crate::guest::target;
use crate::guest::text::lines;
use crate::project::Renderer;

use super::link::{Ipv6, Link};
use super::{HEAD, file, remove_others};

/// The directory of the administrator's files.
const DIRECTORY: &str = "/etc/netplan";
/// Our file, which only root may read, as netplan asks.
const PATH: &str = "/etc/netplan/60-mln-image.yaml";

/// Writes the file.
pub(super) fn configure(links: &[Link<'_>], view: &dyn GuestView) -> Result<EditList, GuestError> {
    let mut edits = EditList::new();
    let mut text = format!("{HEAD}network:\n  version: 2\n");
    if let Some(backend) = backend(view)? {
        let _infallible = writeln!(text, "  renderer: {backend}");
    }
    for (heading, is_vlan) in [("ethernets", false), ("vlans", true)] {
        let mut some = links
            .iter()
            .filter(|link| link.vlan.is_some() == is_vlan)
            .peekable();
        if some.peek().is_some() {
            let _infallible = writeln!(text, "  {heading}:");
        }
        for link in some {
            link.refuse_broadcast(Renderer::Netplan)?;
            interface(&mut text, link);
        }
    }
    if let Some(first) = links.first() {
        let mut edit = file(view, PATH, text, 0o600, first)?;
        edit.origins = links
            .iter()
            .flat_map(|link| link.origins.iter().cloned())
            .collect();
        edits.push(edit);
    }
    let others = remove_others(view, DIRECTORY, &edits, |name| name.ends_with(b".yaml"))?;
    edits.extend(others);
    Ok(edits)
}

/// The word after `renderer:` in the template's last file that has one.
fn backend(view: &dyn GuestView) -> Result<Option<&'static str>, GuestError> {
    let directory = GuestPath::literal(DIRECTORY);
    let mut found = None;
    for name in view.list(&directory)?.unwrap_or_default() {
        if !name.ends_with(b".yaml") {
            continue;
        }
        let path = format!("{DIRECTORY}/{}", String::from_utf8_lossy(&name));
        let content = target::read(view, &path)?.unwrap_or_default();
        for line in lines(&content) {
            match line
                .trim_ascii()
                .strip_prefix(b"renderer:")
                .map(<[u8]>::trim_ascii)
            {
                Some(b"networkd") => found = Some("networkd"),
                Some(b"NetworkManager") => found = Some("NetworkManager"),
                _ => {}
            }
        }
    }
    Ok(found)
}

/// The mapping of one interface. Texts stand in double quotes, which none of them can hold.
fn interface(text: &mut String, link: &Link<'_>) {
    let _infallible = writeln!(text, "    \"{}\":", link.name);
    if let Some(vlan) = link.vlan {
        let _infallible = write!(text, "      id: {}\n      link: \"{}\"\n", vlan.id, vlan.parent);
    }
    if let Some(mac) = &link.mac {
        let _infallible = write!(
            text,
            "      match:\n        macaddress: \"{mac}\"\n      set-name: \"{}\"\n",
            link.name
        );
    }
    if link.is_bare() {
        text.push_str("      optional: true\n");
    }
    let _infallible = writeln!(text, "      dhcp4: {}", link.dhcp4);
    if link.ipv6 != Ipv6::Unspoken {
        let _infallible = writeln!(text, "      dhcp6: {}", link.ipv6 == Ipv6::Dhcp);
        let _infallible = writeln!(text, "      accept-ra: {}", link.ipv6 != Ipv6::Static);
    }
    if let Some(mtu) = link.mtu {
        let _infallible = writeln!(text, "      mtu: {mtu}");
    }
    if !link.addresses.is_empty() {
        text.push_str("      addresses:\n");
        for net in &link.addresses {
            let _infallible = writeln!(text, "        - \"{net}\"");
        }
    }
    routes(text, link);
    if !link.dns.is_empty() || !link.search.is_empty() {
        text.push_str("      nameservers:\n");
    }
    for (key, values) in [
        (
            "addresses",
            link.dns.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ),
        ("search", link.search.iter().map(ToString::to_string).collect()),
    ] {
        if !values.is_empty() {
            let _infallible = writeln!(text, "        {key}: [\"{}\"]", values.join("\", \""));
        }
    }
}

/// The routes; `default` as a destination is a word that old versions do not know.
fn routes(text: &mut String, link: &Link<'_>) {
    if link.gateways().next().is_none() && link.routes.is_empty() {
        return;
    }
    text.push_str("      routes:\n");
    for gateway in link.gateways() {
        let everything = match gateway {
            IpAddr::V4(_) => "0.0.0.0/0",
            IpAddr::V6(_) => "::/0",
        };
        let _infallible = write!(
            text,
            "        - to: \"{everything}\"\n          via: \"{gateway}\"\n"
        );
        if link.is_beyond(gateway) {
            text.push_str("          on-link: true\n");
        }
    }
    for route in &link.routes {
        let _infallible = write!(
            text,
            "        - to: \"{}\"\n          via: \"{}\"\n",
            route.destination, route.gateway
        );
        if let Some(metric) = route.metric {
            let _infallible = writeln!(text, "          metric: {metric}");
        }
    }
}
