//! What an interface is plugged into: a bridge of the server, or a switch's socket.

use crate::base::digest::Sha256Digest;
use crate::base::{Origin, Sourced};
use crate::project::{Host, Interface, Platform, Project, Switch};

use super::LaunchSettings;
use super::error::LaunchError;
use super::spec::Attachment;

/// The longest name that the kernel gives an interface, in bytes.
const NAME_MAX: usize = 15;

/// Where the switches' sockets lie, seen from a machine's directory.
const SOCKETS: &str = "../network";

/// What `interface` is plugged into: its bridge, else its switch, else the bridge to the local network.
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
        return plug(&settings.lan_bridge, &interface.origin);
    };
    let found = project.switches.iter().find(|switch| switch.name == name.value);
    let Some(switch) = found else {
        if name.value.starts_with('/') {
            return socket(name, false, platform);
        }
        return Err(LaunchError::UnknownSwitch {
            switch: name.value.clone(),
            origin: name.origin.clone(),
        });
    };
    match (platform, &switch.socket) {
        (Platform::Uml, Some(path)) => socket(path, switch.hub, platform),
        (Platform::Uml, None) => socket(
            &Sourced::new(format!("{SOCKETS}/{}.ctl", switch.name), switch.origin.clone()),
            switch.hub,
            platform,
        ),
        _ => plug(&bridge_name(project, switch), &switch.origin),
    }
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

/// The socket of a switch, which only User-Mode Linux can be plugged into.
fn socket(path: &Sourced<String>, hub: bool, platform: Platform) -> Result<Attachment, LaunchError> {
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
        hub,
    })
}
