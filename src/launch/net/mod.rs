//! What an interface is plugged into, and what makes the project's switches.

mod bridge;
mod kind;
mod service;
mod socket;
mod switch;

use crate::base::digest::Sha256Digest;
use crate::base::{Origin, Sourced};
use crate::project::{Host, Interface, InterfaceAddress, Platform, Project, Switch};

use super::LaunchSettings;
use super::error::LaunchError;
use super::project_spec::{SwitchKind, SwitchSpec};
use super::spec::Attachment;

pub(super) use bridge::{Bridges, TUN, is_up as has_bridge};
pub(super) use switch::{Segment, segments};

/// The longest name that the kernel gives an interface, in bytes.
const NAME_MAX: usize = 15;

/// What stands in the path of a socket whose switch is no business of ours.
const EXTERNAL: &str = "external";

/// What `interface` is plugged into: its bridge, else its switch. What is plugged into nothing gets the bridge to the
/// local network under Xen and wherever its address is fixed, else a network that leads outside.
pub(super) fn attachment(
    project: &Project,
    host: &Host,
    interface: &Interface,
    settings: &LaunchSettings,
) -> Result<Attachment, LaunchError> {
    let platform = host.platform.value;
    let plug = |bridge: &str, origin: &Origin| {
        Ok(Attachment::Bridge {
            bridge: checked(bridge, origin)?,
            tap: tap_name(project, host, interface),
        })
    };
    if let Some(bridge) = &interface.bridge {
        return plug(&bridge.value, &bridge.origin);
    }
    let Some(name) = &interface.switch else {
        let address = interface.address.as_ref().map(|address| address.value);
        let is_fixed = matches!(address, Some(InterfaceAddress::Static(_)));
        return match platform {
            Platform::Uml | Platform::Qemu if !is_fixed => Ok(Attachment::Nat),
            _ => plug(&settings.lan_bridge, &interface.origin),
        };
    };
    let found = project.switches.iter().find(|switch| switch.name == name.value);
    let Some(switch) = found else {
        if name.value.starts_with('/') {
            return socket(name, platform);
        }
        return Err(LaunchError::UnknownSwitch {
            switch: name.value.clone(),
            origin: name.origin.clone(),
        });
    };
    let switch_name = || switch.name.clone();
    match kind(project, switch) {
        SwitchKind::Bridge { bridge } => plug(&bridge, &switch.origin),
        SwitchKind::Vde { .. } => Ok(Attachment::Vde {
            switch: switch_name(),
        }),
        SwitchKind::UmlSwitch {
            socket: None, hub, ..
        } => Ok(Attachment::Switch {
            switch: switch_name(),
            hub,
        }),
        SwitchKind::UmlSwitch {
            socket: Some(path), ..
        }
        | SwitchKind::External { socket: path } => {
            let origin = switch
                .socket
                .as_ref()
                .map_or(&switch.origin, |socket| &socket.origin);
            socket(&Sourced::new(path, origin.clone()), platform)
        }
    }
}

/// The project's switches, each with what makes it.
pub(super) fn switches(project: &Project) -> Vec<SwitchSpec> {
    let word = |word: &Option<Sourced<String>>| word.as_ref().map(|word| word.value.clone());
    let spec = |switch: &Switch| SwitchSpec {
        name: switch.name.clone(),
        kind: kind(project, switch),
        server: word(&switch.service_host),
        address: switch.address.as_ref().map(|address| address.value.to_string()),
        dhcp: switch.dhcp.is_some(),
        owner: word(&switch.owner),
        group: word(&switch.group),
        run_as: word(&switch.run_as),
    };
    project.switches.iter().map(spec).collect()
}

/// What makes a switch: the least that every machine on it can be plugged into.
fn kind(project: &Project, switch: &Switch) -> SwitchKind {
    if let Some(socket) = &switch.socket {
        let path = socket.value.clone();
        if path.contains(EXTERNAL) {
            return SwitchKind::External { socket: path };
        }
        return SwitchKind::UmlSwitch {
            socket: Some(path),
            hub: switch.hub,
            tap: tap(switch),
        };
    }
    // The server's own address takes a device of the kernel.
    let has_server = switch.address.is_some() && switch.tap.is_none();
    let is_xen = |platform: Platform| matches!(platform, Platform::Xen | Platform::XenHvm);
    if switch.bridge.is_some() || has_server || project.hosts.platforms_on(&switch.name).any(is_xen) {
        return SwitchKind::Bridge {
            bridge: bridge_name(project, switch),
        };
    }
    if project
        .hosts
        .platforms_on(&switch.name)
        .any(|platform| platform == Platform::Qemu)
    {
        return SwitchKind::Vde {
            hub: switch.hub,
            tap: tap(switch),
        };
    }
    SwitchKind::UmlSwitch {
        socket: None,
        hub: switch.hub,
        tap: tap(switch),
    }
}

fn tap(switch: &Switch) -> Option<String> {
    switch.tap.as_ref().map(|tap| tap.value.clone())
}

/// The bridge that stands for a switch: its own word, else `<switch>.<project>`. A name that is too long keeps the
/// switch's name and the end of the project's; where that leaves nothing of the project, a digest tells them apart.
fn bridge_name(project: &Project, switch: &Switch) -> String {
    if let Some(bridge) = &switch.bridge {
        return bridge.value.clone();
    }
    let whole = format!("{}.{}", switch.name, project.name);
    if whole.len() <= NAME_MAX {
        return whole;
    }
    let left = NAME_MAX.saturating_sub(switch.name.len() + 1);
    let cut = project.name.len().saturating_sub(left);
    match project.name.get(cut..) {
        Some(end) if !end.is_empty() => format!("{}.{end}", switch.name),
        _ => format!("mln{}", digest(&whole)),
    }
}

/// The tap device of one interface of one machine: unique, and short enough for the kernel.
fn tap_name(project: &Project, host: &Host, interface: &Interface) -> String {
    let names = format!("{}\0{}\0{}", project.name, host.name, interface.name);
    format!("tap{}", digest(&names))
}

/// The first twelve hexadecimal digits of a text's digest, so that three letters fit before them.
fn digest(text: &str) -> String {
    let mut digest = Sha256Digest::of(text.as_bytes()).to_string();
    digest.truncate(NAME_MAX - 3);
    digest
}

/// `bridge`, if the kernel can call an interface so and every configuration can hold it.
fn checked(bridge: &str, origin: &Origin) -> Result<String, LaunchError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".:_-".contains(&byte);
    let only_dots = bridge.bytes().all(|byte| byte == b'.');
    if (1..=NAME_MAX).contains(&bridge.len()) && bridge.bytes().all(fits) && !only_dots {
        return Ok(bridge.to_owned());
    }
    Err(LaunchError::BridgeName {
        bridge: bridge.to_owned(),
        origin: origin.clone(),
    })
}

/// The socket of a switch elsewhere, which only User-Mode Linux can be plugged into.
fn socket(path: &Sourced<String>, platform: Platform) -> Result<Attachment, LaunchError> {
    if platform != Platform::Uml {
        return Err(LaunchError::SocketElsewhere {
            socket: path.value.clone(),
            platform: platform.name(),
            origin: path.origin.clone(),
        });
    }
    if path
        .value
        .contains(|letter: char| letter == ',' || letter.is_control())
    {
        return Err(LaunchError::Path {
            path: path.value.clone(),
            platform: platform.name(),
            origin: path.origin.clone(),
        });
    }
    Ok(Attachment::Socket {
        path: path.value.clone(),
    })
}
