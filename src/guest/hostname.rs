//! The guest's own name: hostname(5). The mail name stays the template's.

use crate::edit::{Attributes, Edit, EditList, GuestView};
use crate::project::Host;

use super::error::GuestError;
use super::target::Target;

/// Writes `/etc/hostname`.
pub(super) fn configure(host: &Host, view: &dyn GuestView) -> Result<EditList, GuestError> {
    let target = Target::open(view, "/etc/hostname")?;
    let mut edits = EditList::new();
    edits.push(Edit::file(
        target.path,
        format!("{}\n", host.name),
        Attributes::default(),
        host.origin.clone(),
    ));
    Ok(edits)
}
