//! Security labels: an edit keeps those of a file that is there, and new files get theirs where the template's have some.
//! A guest that checks labels and has none gives them to all files when it finds `/.autorelabel` at start, selinux(8).

use crate::base::{GuestPath, Origin};
use crate::edit::{Attributes, Edit, EditList, GuestView};

use super::error::GuestError;
use super::target;
use super::text::lines;
use super::warning::GuestWarning;

/// Whose presence makes a guest label its files anew.
const MARK: &str = "/.autorelabel";

/// Asks a guest with `SELinux` whose files have no labels to label them.
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
    if is_on && !view.is_labelled()? {
        warnings.push(GuestWarning::Relabels);
        let place = target::place(view, &GuestPath::literal(MARK))?;
        let origin = Origin::implied("`/etc/selinux/config` of the template switches SELinux on");
        edits.push(Edit::file(place, "", Attributes::default(), origin));
    }
    Ok(edits)
}
