//! One init script that runs both scripts, with the links of its run levels: the comments of its head are LSB's.

use crate::base::Origin;
use crate::edit::{Edit, GuestView};
use crate::guest::error::GuestError;

use super::{file, link};

/// The init script; run levels 2 to 5 start it last, and 0, 1 and 6 stop it first.
const SCRIPT: &str = r#"#!/bin/sh
### BEGIN INIT INFO
# Provides:          startup
# Required-Start:    $all
# Required-Stop:     $local_fs
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: Commands of the project at start and shutdown
### END INIT INFO

case "$1" in
start)
    [ ! -x /etc/mln/startup ] || /etc/mln/startup
    ;;
stop)
    [ ! -x /etc/mln/shutdown ] || /etc/mln/shutdown
    ;;
restart | force-reload) ;;
*)
    echo "usage: $0 start|stop" >&2
    exit 3
    ;;
esac
exit 0
"#;

/// The init script and its links.
pub(super) fn edits(view: &dyn GuestView, origin: &Origin) -> Result<Vec<Edit>, GuestError> {
    let mut edits = vec![file(
        view,
        "/etc/init.d/startup",
        SCRIPT.to_owned(),
        0o755,
        origin,
    )?];
    for (level, name) in [
        (0, "K01startup"),
        (1, "K01startup"),
        (2, "S99startup"),
        (3, "S99startup"),
        (4, "S99startup"),
        (5, "S99startup"),
        (6, "K01startup"),
    ] {
        let path = format!("/etc/rc{level}.d/{name}");
        edits.push(link(view, &path, "../init.d/startup", origin)?);
    }
    Ok(edits)
}
