//! The guest's own name: hostname(5), or where systems older than systemd have it. The mail name stays the template's.

use crate::base::{FileKind, GuestPath};
use crate::edit::{Attributes, Edit, EditList, GuestView};

use super::error::GuestError;
use super::target::Target;
use super::text::{has_assignment, with_assignment};
use super::{Family, Guest, Init};

/// Where Red Hat has had the name.
const SYSCONFIG: &str = "/etc/sysconfig/network";

/// Writes the name.
pub(super) fn configure(guest: &Guest<'_>, view: &dyn GuestView) -> Result<EditList, GuestError> {
    let mut edits = EditList::new();
    let has_systemd = guest.init == Some(Init::Systemd);
    let name = format!("{}\n", guest.host.name);
    match guest.family {
        Family::RedHat => {
            let target = Target::open(view, SYSCONFIG)?;
            let content = target.content.unwrap_or_default();
            if !has_systemd || has_assignment(&content, "HOSTNAME") {
                let content = with_assignment(&content, "HOSTNAME", guest.host.name.as_str());
                edits.push(Edit::file(
                    target.path,
                    content,
                    Attributes::default(),
                    guest.host.origin.clone(),
                ));
            }
            if has_systemd {
                edits.push(file(guest, view, "/etc/hostname", name)?);
            }
        }
        Family::Suse => {
            let is_file = view
                .info(&GuestPath::literal("/etc/HOSTNAME"))?
                .is_some_and(|info| info.kind == FileKind::Regular);
            if is_file || !has_systemd {
                edits.push(file(guest, view, "/etc/HOSTNAME", name.clone())?);
            }
            if has_systemd {
                edits.push(file(guest, view, "/etc/hostname", name)?);
            }
        }
        Family::Debian | Family::Ubuntu | Family::Arch | Family::Alpine | Family::Busybox => {
            edits.push(file(guest, view, "/etc/hostname", name)?);
        }
    }
    Ok(edits)
}

fn file(guest: &Guest<'_>, view: &dyn GuestView, path: &str, content: String) -> Result<Edit, GuestError> {
    let target = Target::open(view, path)?;
    Ok(Edit::file(
        target.path,
        content,
        Attributes::default(),
        guest.host.origin.clone(),
    ))
}
