//! cloud-init, where the template has it: at its first start on a machine it would write the network anew, call the
//! guest by another name, and put other host keys in the place of those that are known already.
//!
//! The keys are those of the modules `cc_set_hostname` and `cc_ssh` and of "Disabling network configuration" in
//! <https://docs.cloud-init.io/en/latest/reference/>.

use crate::base::GuestPath;
use crate::edit::{Attributes, Edit, EditList, GuestView};
use crate::project::{Host, IdentityChoice};

use super::error::GuestError;
use super::{HEAD, target};

/// What the files are read from, in the order of their names.
const DIRECTORY: &str = "/etc/cloud/cloud.cfg.d";
const PATH: &str = "/etc/cloud/cloud.cfg.d/99-mln-image.cfg";

/// Says what cloud-init has to leave as it is.
pub(super) fn configure(host: &Host, view: &dyn GuestView) -> Result<EditList, GuestError> {
    let mut edits = EditList::new();
    let directory = view.resolve(&GuestPath::literal(DIRECTORY))?;
    if view.list(&directory)?.is_none() {
        return Ok(edits);
    }
    let mut text = format!("{HEAD}preserve_hostname: true\n");
    if host.identity.value == IdentityChoice::Own {
        text.push_str("ssh_deletekeys: false\n");
    }
    if !host.interfaces.is_empty() {
        text.push_str("network:\n  config: disabled\n");
    }
    let place = target::place(view, &GuestPath::literal(PATH))?;
    let attributes = Attributes::owned(0o644, 0, 0);
    edits.push(Edit::file(place, text, attributes, host.origin.clone()));
    Ok(edits)
}
