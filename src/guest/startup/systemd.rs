//! One unit that runs both scripts: systemd.service(5). It stays active after start, so that its stop is the shutdown.

use crate::base::Origin;
use crate::edit::{Edit, GuestView};
use crate::guest::error::GuestError;
use crate::project::Host;

use super::{SHUTDOWN, STARTUP, file, link};

/// The unit's file.
const UNIT: &str = "/etc/systemd/system/mln-startup.service";
/// The link by which it is enabled.
const WANTED: &str = "/etc/systemd/system/multi-user.target.wants/mln-startup.service";

/// The unit up to its commands.
const HEAD: &str = "[Unit]
Description=Commands of the project at start and shutdown
After=network.target network-online.target local-fs.target remote-fs.target

[Service]
Type=oneshot
RemainAfterExit=yes
StandardOutput=journal+console
";
/// The unit after its commands.
const TAIL: &str = "
[Install]
WantedBy=multi-user.target
";

/// The unit and the link that enables it.
pub(super) fn edits(host: &Host, view: &dyn GuestView, origin: &Origin) -> Result<Vec<Edit>, GuestError> {
    // The dash lets a failed script pass: a failed unit would not be stopped, and the shutdown lines not run.
    let startup = if host.startup.is_empty() {
        String::new()
    } else {
        format!("ExecStart=-{STARTUP}\n")
    };
    let shutdown = if host.shutdown.is_empty() {
        String::new()
    } else {
        format!("ExecStop={SHUTDOWN}\n")
    };
    let unit = format!("{HEAD}{startup}{shutdown}{TAIL}");
    Ok(vec![
        file(view, UNIT, unit, 0o644, origin)?,
        link(view, WANTED, UNIT, origin)?,
    ])
}
