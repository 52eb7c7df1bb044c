//! The kernel modules to load at start: modules(5). The project's list takes the place of the template's.

use crate::edit::{Attributes, Edit, EditList, GuestView};
use crate::project::Host;

use super::error::GuestError;
use super::target::Target;

/// Writes `/etc/modules`, if the project lists modules.
pub(super) fn configure(host: &Host, view: &dyn GuestView) -> Result<EditList, GuestError> {
    let mut edits = EditList::new();
    if let Some(modules) = &host.modules {
        let target = Target::open(view, "/etc/modules")?;
        let mut content = String::new();
        for name in &modules.value {
            content.push_str(name);
            content.push('\n');
        }
        edits.push(Edit::file(
            target.path,
            content,
            Attributes::default(),
            modules.origin.clone(),
        ));
    }
    Ok(edits)
}
