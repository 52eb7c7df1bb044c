//! The kernel modules to load at start: modules(5), or modules-load.d(5). The project's list takes the place of the
//! template's.

use crate::edit::{Attributes, Edit, EditList, GuestView};

use super::error::GuestError;
use super::target::{self, Target};
use super::warning::GuestWarning;
use super::{Family, Guest, Init};

/// Writes the list, if the project has one.
pub(super) fn configure(
    guest: &Guest<'_>,
    view: &dyn GuestView,
    warnings: &mut Vec<GuestWarning>,
) -> Result<EditList, GuestError> {
    let mut edits = EditList::new();
    let Some(modules) = &guest.host.modules else {
        return Ok(edits);
    };
    let mut content = String::new();
    let mut attributes = Attributes::default();
    let path = match (guest.family, guest.init) {
        (Family::Debian | Family::Ubuntu | Family::Alpine, _) => "/etc/modules",
        (_, Some(Init::Systemd)) => "/etc/modules-load.d/mln-image.conf",
        (Family::RedHat, _) => {
            content.push_str("#!/bin/sh\n");
            attributes = Attributes::mode(0o755);
            "/etc/sysconfig/modules/mln-image.modules"
        }
        _ => "/etc/modules",
    };
    let target = Target::open(view, path)?;
    for name in &modules.value {
        if content.starts_with("#!") {
            content.push_str("modprobe ");
        }
        content.push_str(name);
        content.push('\n');
    }
    let is_for_others = matches!(guest.family, Family::Busybox | Family::Suse | Family::Arch);
    let script = target::read(view, "/etc/init.d/rcS")?.unwrap_or_default();
    let is_read = script.windows(path.len()).any(|window| window == path.as_bytes());
    if is_for_others && path == "/etc/modules" && !is_read {
        warnings.push(GuestWarning::ModulesUnread {
            path: target.path.clone(),
        });
    }
    edits.push(Edit::file(
        target.path,
        content,
        attributes,
        modules.origin.clone(),
    ));
    Ok(edits)
}
