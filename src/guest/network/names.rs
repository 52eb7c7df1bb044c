//! That the guest calls its interfaces as the project does: `eth0` has to stay `eth0`.
//!
//! The kernel counts interfaces as the machine's definition lists them. What renames them afterwards is switched off,
//! each in the way that it documents: systemd.link(5) and the rules of old versions of udev.

use crate::base::{GuestPath, Origin};
use crate::edit::{Edit, EditList, GuestView};
use crate::guest::error::GuestError;
use crate::guest::{Guest, target};
use crate::project::Renderer;

use super::file;
use super::link::Link;

/// What renames interfaces, and the link to nowhere by which it is switched off.
const RENAMERS: [(&str, &str); 8] = [
    (
        "/usr/lib/systemd/network/99-default.link",
        "/etc/systemd/network/99-default.link",
    ),
    (
        "/lib/systemd/network/99-default.link",
        "/etc/systemd/network/99-default.link",
    ),
    (
        "/usr/lib/udev/rules.d/80-net-name-slot.rules",
        "/etc/udev/rules.d/80-net-name-slot.rules",
    ),
    (
        "/lib/udev/rules.d/80-net-name-slot.rules",
        "/etc/udev/rules.d/80-net-name-slot.rules",
    ),
    (
        "/usr/lib/udev/rules.d/71-biosdevname.rules",
        "/etc/udev/rules.d/71-biosdevname.rules",
    ),
    (
        "/lib/udev/rules.d/71-biosdevname.rules",
        "/etc/udev/rules.d/71-biosdevname.rules",
    ),
    (
        "/usr/lib/udev/rules.d/75-persistent-net-generator.rules",
        "/etc/udev/rules.d/75-persistent-net-generator.rules",
    ),
    (
        "/lib/udev/rules.d/75-persistent-net-generator.rules",
        "/etc/udev/rules.d/75-persistent-net-generator.rules",
    ),
];

/// What reads systemd.link(5).
const UDEVD: [&str; 3] = [
    "/usr/lib/systemd/systemd-udevd",
    "/lib/systemd/systemd-udevd",
    "/usr/lib/systemd/network/99-default.link",
];

/// Keeps the names.
pub(super) fn configure(
    guest: &Guest<'_>,
    links: &[Link<'_>],
    view: &dyn GuestView,
) -> Result<EditList, GuestError> {
    let mut edits = EditList::new();
    for (renamer, off) in RENAMERS {
        if view.exists(&GuestPath::literal(renamer))? {
            let place = target::place(view, &GuestPath::literal(off))?;
            let origin = Origin::implied("interfaces keep the names that the project gives them");
            edits.push(Edit::symlink(place, "/dev/null", origin));
        }
    }
    for link in links {
        let Some(mac) = &link.mac else {
            continue;
        };
        if !any(view, &UDEVD)? {
            return Err(GuestError::CannotRender {
                what: "`match mac`",
                interface: link.name.to_owned(),
                renderer: guest
                    .host
                    .renderer
                    .as_ref()
                    .map_or(Renderer::Ifupdown, |word| word.value),
                origin: link.interface.origin.clone(),
            });
        }
        let path = format!("/etc/systemd/network/10-mln-{}.link", link.name);
        let text = format!(
            "{}[Match]\nMACAddress={mac}\nType=ether\n\n[Link]\nName={}\n",
            super::HEAD,
            link.name
        );
        edits.push(file(view, &path, text, 0o644, link)?);
    }
    Ok(edits)
}

/// Whether any of `paths` is there.
fn any(view: &dyn GuestView, paths: &[&str]) -> Result<bool, GuestError> {
    for path in paths {
        if view.exists(&GuestPath::literal(path))? {
            return Ok(true);
        }
    }
    Ok(false)
}
