//! Two scripts that the service `local` of `OpenRC` runs: `/etc/local.d/*.start` and `*.stop`.

use crate::base::{GuestPath, Origin};
use crate::edit::{Edit, GuestView};
use crate::guest::error::GuestError;
use crate::project::Host;

use super::{SHUTDOWN, STARTUP, file, link};

/// The link by which the service is enabled.
const ENABLED: &str = "/etc/runlevels/default/local";

/// The scripts, and the link that enables the service.
pub(super) fn edits(host: &Host, view: &dyn GuestView, origin: &Origin) -> Result<Vec<Edit>, GuestError> {
    let mut edits = Vec::new();
    for (path, script, lines) in [
        ("/etc/local.d/mln-image.start", STARTUP, &host.startup),
        ("/etc/local.d/mln-image.stop", SHUTDOWN, &host.shutdown),
    ] {
        if !lines.is_empty() {
            edits.push(file(view, path, format!("#!/bin/sh\n{script}\n"), 0o755, origin)?);
        }
    }
    if !view.exists(&GuestPath::literal(ENABLED))? {
        edits.push(link(view, ENABLED, "/etc/init.d/local", origin)?);
    }
    Ok(edits)
}
