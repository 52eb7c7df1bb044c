//! Security labels: an edit keeps those of a file that is there, and a guest that checks labels gives new files theirs
//! when it finds `/.autorelabel` at start, selinux(8).

use crate::base::{GuestPath, Origin};
use crate::edit::{Attributes, Edit, EditList, GuestView};

use super::error::GuestError;
use super::target;
use super::text::lines;
use super::warning::GuestWarning;

/// Whose presence makes a guest label its files anew.
const MARK: &str = "/.autorelabel";

/// Asks a guest with `SELinux` to label the new files.
pub(super) fn configure(
    view: &dyn GuestView,
    warnings: &mut Vec<GuestWarning>,
) -> Result<EditList, GuestError> {
    let mut edits = EditList::new();
    let configuration = target::read(view, "/etc/selinux/config")?.unwrap_or_default();
    let is_on = lines(&configuration).into_iter().any(|line| {
        let line = line.trim_ascii();
        [&b"SELINUX=enforcing"[..], b"SELINUX=permissive"].contains(&line)
    });
    if is_on {
        warnings.push(GuestWarning::Relabels);
        let place = target::place(view, &GuestPath::literal(MARK))?;
        let origin = Origin::implied("`/etc/selinux/config` of the template switches SELinux on");
        edits.push(Edit::file(place, "", Attributes::default(), origin));
    }
    Ok(edits)
}
