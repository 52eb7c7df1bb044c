//! One init script that runs both scripts, with the links of its run levels: the comments of its head are LSB's.

use crate::base::{GuestPath, Origin};
use crate::edit::{Edit, GuestView};
use crate::guest::error::GuestError;

use super::{file, link};

/// The init script; run levels 2 to 5 start it last, and 0, 1 and 6 stop it first.
const SCRIPT: &str = r#"#!/bin/sh
# chkconfig: 2345 99 01
# description: Commands of the project at start and shutdown
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
    # Red Hat stops only what has left a file there.
    [ ! -d /var/lock/subsys ] || : >/var/lock/subsys/startup
    [ ! -x /etc/mln/startup ] || /etc/mln/startup
    ;;
stop)
    [ ! -x /etc/mln/shutdown ] || /etc/mln/shutdown
    rm -f /var/lock/subsys/startup
    ;;
restart | force-reload) ;;
*)
    echo "usage: $0 start|stop" >&2
    exit 3
    ;;
esac
exit 0
"#;

/// Where scripts and the directories of run levels may lie: by most, by Red Hat without links to there, by SUSE.
const PLACES: [(&str, &str, &str); 3] = [
    ("/etc/init.d", "/etc", "../init.d"),
    ("/etc/rc.d/init.d", "/etc/rc.d", "../init.d"),
    ("/etc/init.d", "/etc/init.d", ".."),
];

/// The init script and its links.
pub(super) fn edits(view: &dyn GuestView, origin: &Origin) -> Result<Vec<Edit>, GuestError> {
    let (scripts, levels, up) = place(view)?;
    let mut edits = vec![file(
        view,
        &format!("{scripts}/startup"),
        SCRIPT.to_owned(),
        0o755,
        origin,
    )?];
    for level in 0..=6 {
        let name = if matches!(level, 0 | 1 | 6) {
            "K01startup"
        } else {
            "S99startup"
        };
        let path = format!("{levels}/rc{level}.d/{name}");
        edits.push(link(view, &path, &format!("{up}/startup"), origin)?);
    }
    Ok(edits)
}

/// The first place whose run levels are there, else that of most.
fn place(view: &dyn GuestView) -> Result<(&'static str, &'static str, &'static str), GuestError> {
    for (scripts, levels, up) in PLACES {
        let level = GuestPath::literal(&format!("{levels}/rc3.d"));
        if view.exists(&GuestPath::literal(scripts))? && view.exists(&level)? {
            return Ok((scripts, levels, up));
        }
    }
    Ok(PLACES[0])
}
