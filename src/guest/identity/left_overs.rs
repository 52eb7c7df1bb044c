//! What else a running system leaves behind that no copy of it may share: seeds, leases, secrets and hardware names.

use crate::base::{GuestPath, Origin};
use crate::edit::{Edit, GuestView};
use crate::guest::error::GuestError;
use crate::guest::target;

/// Single files.
const FILES: [&str; 9] = [
    "/etc/udev/rules.d/70-persistent-net.rules",
    "/etc/udev/rules.d/z25_persistent-net.rules",
    "/var/lib/NetworkManager/secret_key",
    "/var/lib/NetworkManager/seen-bssids",
    "/var/lib/systemd/credential.secret",
    "/var/lib/systemd/random-seed",
    "/var/lib/urandom/random-seed",
    "/var/lib/misc/random-seed",
    "/etc/iscsi/initiatorname.iscsi",
];

/// Directories of leases, and how the names of these end.
const LEASES: [(&str, &[u8]); 5] = [
    ("/var/lib/dhcp", b".leases"),
    ("/var/lib/dhclient", b".leases"),
    ("/var/lib/dhcpcd", b".lease"),
    ("/var/lib/NetworkManager", b".lease"),
    ("/var/lib/wicked", b".xml"),
];

/// The edits that remove them.
pub(super) fn remove(view: &dyn GuestView, origin: &Origin) -> Result<Vec<Edit>, GuestError> {
    let mut edits = Vec::new();
    for path in FILES {
        let path = GuestPath::literal(path);
        if view.exists(&path)? {
            edits.push(Edit::absent(target::place(view, &path)?, origin.clone()));
        }
    }
    for (directory, end) in LEASES {
        let directory = GuestPath::literal(directory);
        for name in view.list(&directory)?.unwrap_or_default() {
            if name.ends_with(end) {
                let path = directory
                    .join(&name)
                    .expect("a name of a directory is a component");
                edits.push(Edit::absent(target::place(view, &path)?, origin.clone()));
            }
        }
    }
    Ok(edits)
}
