//! The guest's name servers: resolv.conf(5), replaced as a whole.

use std::fmt::Write as _;

use crate::base::{GuestPath, Origin};
use crate::edit::{Attributes, Edit, EditList, GuestView};
use crate::project::Host;

use super::error::GuestError;
use super::target::{self, Target};

/// The file.
const PATH: &str = "/etc/resolv.conf";

/// Writes `/etc/resolv.conf`, if the project names a server. A link to a file that a service of the guest makes at
/// start, such as systemd-resolved's stub, is replaced by a file, since the project's word would be lost otherwise.
pub(super) fn configure(host: &Host, view: &dyn GuestView) -> Result<EditList, GuestError> {
    let mut edits = EditList::new();
    let Some(first) = host.nameservers.first() else {
        return Ok(edits);
    };
    let mut content = String::new();
    let mut origins = Vec::new();
    for server in &host.nameservers {
        writeln!(content, "nameserver {}", server.value).expect("writing to a string does not fail");
        origins.push(server.origin.clone());
    }
    let link = GuestPath::literal(PATH);
    let path = if target::is_volatile(&view.resolve(&link)?) {
        let text = view.read_link(&link)?.unwrap_or_default();
        origins.push(Origin::implied(&format!(
            "instead of the link to `{}`, which is made anew at every start",
            String::from_utf8_lossy(&text)
        )));
        target::place(view, &link)?
    } else {
        Target::open(view, PATH)?.path
    };
    let mut edit = Edit::file(path, content, Attributes::default(), first.origin.clone());
    edit.origins = origins;
    edits.push(edit);
    Ok(edits)
}
