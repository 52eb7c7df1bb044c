//! The files of ifupdown: interfaces(5), rewritten as a whole but for the lines that read further files.

use std::fmt::Write as _;

use crate::base::{GuestPath, Origin};
use crate::edit::{Attributes, Edit, EditList, GuestView};
use crate::guest::error::GuestError;
use crate::guest::target::{self, Target};
use crate::guest::text::{lines, words};
use crate::guest::warning::GuestWarning;
use crate::project::{Host, Interface, InterfaceAddress};

/// The directory that Debian's own file reads.
const DIRECTORY: &str = "/etc/network/interfaces.d";

/// Writes `/etc/network/interfaces`.
pub(super) fn configure(
    host: &Host,
    view: &dyn GuestView,
    warnings: &mut Vec<GuestWarning>,
) -> Result<EditList, GuestError> {
    let target = Target::open(view, "/etc/network/interfaces")?;
    let mut content = b"# Written by mln-image from the project's description.\n".to_vec();
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
    let mut origins = Vec::new();
    for interface in &host.interfaces {
        content.extend_from_slice(stanza(interface, &mut origins, warnings)?.as_bytes());
    }
    if sources.iter().any(|line| contains(line, DIRECTORY.as_bytes())) {
        warn_of_others(host, view, warnings)?;
    }
    let mut edit = Edit::file(target.path, content, Attributes::default(), host.origin.clone());
    edit.origins = origins;
    let mut edits = EditList::new();
    edits.push(edit);
    Ok(edits)
}

/// Whether a line reads further files.
fn reads_others(line: &[u8]) -> bool {
    let keyword = words(line).next();
    keyword.is_some_and(|word| [&b"source"[..], b"source-directory", b"source-dir"].contains(&word))
}

/// The lines of one interface; notes the project's lines behind them.
fn stanza(
    interface: &Interface,
    origins: &mut Vec<Origin>,
    warnings: &mut Vec<GuestWarning>,
) -> Result<String, GuestError> {
    let name = &interface.name;
    check_name(interface)?;
    origins.push(interface.origin.clone());
    let method = match interface.address.as_ref().map(|address| address.value) {
        None => "manual",
        Some(InterfaceAddress::Dhcp) => "dhcp",
        Some(InterfaceAddress::Static(_)) => "static",
    };
    let mut text = format!("\nauto {name}\niface {name} inet {method}\n");
    let Some(address) = &interface.address else {
        return Ok(text);
    };
    origins.push(address.origin.clone());
    let InterfaceAddress::Static(ip) = address.value else {
        return Ok(text);
    };
    if interface.netmask.is_none() {
        warnings.push(GuestWarning::NoNetmask {
            interface: name.clone(),
            origin: address.origin.clone(),
        });
    }
    writeln!(text, "\taddress {ip}").expect("writing to a string does not fail");
    for (keyword, value) in [
        ("netmask", &interface.netmask),
        ("broadcast", &interface.broadcast),
        ("gateway", &interface.gateway),
    ] {
        if let Some(value) = value {
            writeln!(text, "\t{keyword} {}", value.value).expect("writing to a string does not fail");
            origins.push(value.origin.clone());
        }
    }
    Ok(text)
}

/// Refuses a name that the kernel refuses, or that ifupdown would take for a pattern.
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
