//! Which program configures a template's network: the one that is installed and in charge.
//!
//! Files that a program leaves behind prove little, so a program that is installed and has something to do goes before
//! one that is merely there. Where two are left, the project has to say.

use crate::base::GuestPath;
use crate::edit::GuestView;
use crate::guest::error::GuestError;
use crate::guest::{Detected, Family, Guest};
use crate::project::Renderer;

/// The links by which systemd-networkd is enabled.
pub(super) const NETWORKD_ENABLED: [&str; 2] = [
    "/etc/systemd/system/multi-user.target.wants/systemd-networkd.service",
    "/etc/systemd/system/dbus-org.freedesktop.network1.service",
];

/// The renderer of the guest: the project's word, else the template's evidence.
pub(super) fn detect(guest: &Guest<'_>, view: &dyn GuestView) -> Result<Detected<Renderer>, GuestError> {
    let host = guest.host;
    if let Some(renderer) = &host.renderer {
        return Ok(Detected::new(
            renderer.value,
            &format!("the project says so ({})", renderer.origin),
        ));
    }
    let mut found = in_charge(guest.family, view)?;
    if found.is_empty() {
        found = present(guest.family, view)?;
    }
    // Netplan works through the other two, so that its presence explains theirs.
    if found.iter().any(|renderer| renderer.value == Renderer::Netplan) {
        found.retain(|renderer| !matches!(renderer.value, Renderer::Networkd | Renderer::NetworkManager));
    }
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (None, _) => Err(GuestError::NoRenderer {
            origin: host.origin.clone(),
        }),
        (Some(renderer), None) => Ok(renderer),
        (Some(first), Some(second)) => Err(GuestError::SeveralRenderers {
            evidence: [first, second]
                .into_iter()
                .chain(found)
                .map(|renderer| format!("`{}`, for {}", renderer.value, renderer.reason))
                .collect(),
            origin: host.origin.clone(),
        }),
    }
}

/// The renderers that are installed and have something to do.
fn in_charge(family: Family, view: &dyn GuestView) -> Result<Vec<Detected<Renderer>>, GuestError> {
    let mut found = Vec::new();
    // Three families have a program called ifup, which go by three kinds of file.
    let (scripts, paths): (Renderer, &[&str]) = match family {
        Family::RedHat => (
            Renderer::Ifcfg,
            &[
                "/etc/sysconfig/network-scripts/ifup",
                "/etc/sysconfig/network-scripts/ifup-eth",
            ],
        ),
        Family::Suse => (
            Renderer::Wicked,
            &["/usr/sbin/wicked", "/sbin/ifup", "/usr/sbin/ifup"],
        ),
        _ => (Renderer::Ifupdown, &["/sbin/ifup", "/usr/sbin/ifup"]),
    };
    if let Some(path) = first_of(view, paths)?
        && !(family == Family::Suse && suse_has_network_manager(view)?)
    {
        found.push(Detected::new(scripts, &format!("`{path}` is installed")));
    }
    if first_of(view, &["/usr/sbin/netplan", "/sbin/netplan"])?.is_some()
        && let Some(file) = first_ending(view, "/etc/netplan", b".yaml")?
    {
        found.push(Detected::new(
            Renderer::Netplan,
            &format!("`/etc/netplan/{file}` is there"),
        ));
    }
    if first_of(view, &NETWORKD_ENABLED)?.is_some()
        && let Some(file) = first_ending(view, "/etc/systemd/network", b".network")?
    {
        let reason = format!("systemd-networkd is enabled and has `/etc/systemd/network/{file}`");
        found.push(Detected::new(Renderer::Networkd, &reason));
    }
    Ok(found)
}

/// The renderers of which there is any trace.
fn present(family: Family, view: &dyn GuestView) -> Result<Vec<Detected<Renderer>>, GuestError> {
    let netplan = ["/usr/sbin/netplan", "/sbin/netplan"];
    let manager = ["/usr/sbin/NetworkManager", "/sbin/NetworkManager"];
    // The scripts of Red Hat are told by themselves; their directory is there beside other renderers too.
    let traces: [(Renderer, &[&str]); 4] = [
        (Renderer::Ifupdown, &["/etc/network/interfaces"]),
        (Renderer::Netplan, &netplan),
        (Renderer::Networkd, &NETWORKD_ENABLED),
        (Renderer::NetworkManager, &manager),
    ];
    let mut found = Vec::new();
    for (renderer, paths) in traces {
        if let Some(path) = first_of(view, paths)? {
            found.push(Detected::new(renderer, &format!("`{path}` is there")));
        }
    }
    // Arch has systemd's own program and expects that someone enables it.
    let networkd = [
        "/usr/lib/systemd/systemd-networkd",
        "/lib/systemd/systemd-networkd",
    ];
    if found.is_empty()
        && family == Family::Arch
        && let Some(path) = first_of(view, &networkd)?
    {
        found.push(Detected::new(
            Renderer::Networkd,
            &format!("`{path}` is there, as in every Arch"),
        ));
    }
    Ok(found)
}

/// Whether SUSE's link for the network's service leads to `NetworkManager`.
fn suse_has_network_manager(view: &dyn GuestView) -> Result<bool, GuestError> {
    let link = view.read_link(&GuestPath::literal("/etc/systemd/system/network.service"))?;
    Ok(link.is_some_and(|link| link.ends_with(b"/NetworkManager.service")))
}

/// The first of `paths` that is there.
pub(super) fn first_of<'p>(view: &dyn GuestView, paths: &[&'p str]) -> Result<Option<&'p str>, GuestError> {
    for path in paths {
        if view.exists(&GuestPath::literal(path))? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// The first name in `directory` that ends in `suffix`.
fn first_ending(view: &dyn GuestView, directory: &str, suffix: &[u8]) -> Result<Option<String>, GuestError> {
    let names = view.list(&GuestPath::literal(directory))?.unwrap_or_default();
    let name = names.into_iter().find(|name| name.ends_with(suffix));
    Ok(name.map(|name| String::from_utf8_lossy(&name).into_owned()))
}
