//! The machine's number: machine-id(5).

use uuid::Uuid;

use crate::base::{FileKind, GuestPath, IdentityKey, Origin};
use crate::edit::{Attributes, Edit, GuestView};
use crate::guest::error::GuestError;
use crate::guest::target::{self, Target};

/// The file.
const PATH: &str = "/etc/machine-id";
/// Where D-Bus has it, a link in all but old systems.
const DBUS: &str = "/var/lib/dbus/machine-id";

/// Programs that read the file.
const READERS: [&str; 4] = [
    "/usr/lib/systemd/systemd",
    "/lib/systemd/systemd",
    "/usr/bin/dbus-daemon",
    "/usr/bin/dbus-uuidgen",
];

/// The machine's number and the edits that write it; none where nothing in the guest reads it.
pub(super) fn configure(
    view: &dyn GuestView,
    names: &[&str],
    key: &IdentityKey,
    origin: &Origin,
) -> Result<(Option<String>, Vec<Edit>), GuestError> {
    if !is_read(view)? {
        return Ok((None, Vec::new()));
    }
    let id = Uuid::from_bytes(key.derive("machine-id", names));
    // Of version 4, as systemd asks of a number that was drawn.
    let id = uuid::Builder::from_random_bytes(id.into_bytes()).into_uuid();
    let id = id.simple().to_string();
    let edits = edits(view, format!("{id}\n"), origin)?;
    Ok((Some(id), edits))
}

/// The edits by which the guest draws a number at its first start.
pub(super) fn forget(view: &dyn GuestView, origin: &Origin) -> Result<Vec<Edit>, GuestError> {
    if !is_read(view)? {
        return Ok(Vec::new());
    }
    edits(view, String::new(), origin)
}

fn edits(view: &dyn GuestView, content: String, origin: &Origin) -> Result<Vec<Edit>, GuestError> {
    let path = GuestPath::literal(PATH);
    let place = if target::is_volatile(&view.resolve(&path)?) {
        target::place(view, &path)?
    } else {
        Target::open(view, PATH)?.path
    };
    let attributes = Attributes::owned(0o444, 0, 0);
    let mut edits = vec![Edit::file(place, content, attributes, origin.clone())];
    let dbus = GuestPath::literal(DBUS);
    let is_file = view
        .info(&dbus)?
        .is_some_and(|info| info.kind == FileKind::Regular);
    if is_file && view.resolve(&dbus)? != view.resolve(&path)? {
        edits.push(Edit::symlink(target::place(view, &dbus)?, PATH, origin.clone()));
    }
    Ok(edits)
}

/// Whether something in the guest reads the number.
fn is_read(view: &dyn GuestView) -> Result<bool, GuestError> {
    for path in READERS.into_iter().chain([PATH, DBUS]) {
        if view.exists(&GuestPath::literal(path))? {
            return Ok(true);
        }
    }
    Ok(false)
}
