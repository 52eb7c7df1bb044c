//! Two lines of the table that busybox's init goes by. Once the `sysinit` line is done, `once` lines run; the lines for
//! `shutdown` run in their order, so that ours come first, before the file systems go.

use std::fmt::Write as _;

use crate::base::Origin;
use crate::edit::{Attributes, Edit, GuestView};
use crate::guest::error::GuestError;
use crate::guest::target::{self, Target};
use crate::guest::text::with_block_first;
use crate::project::Host;

use super::{SHUTDOWN, STARTUP, sysvinit};

/// By what a start script is known to run the scripts of a run level, as System V does.
const RUN_LEVEL: &[u8] = b"/etc/rc2.d/S";

/// What busybox's init does without a table, as its documentation says.
const DEFAULT: &[u8] = b"::sysinit:/etc/init.d/rcS
::askfirst:/bin/sh
tty2::askfirst:/bin/sh
tty3::askfirst:/bin/sh
tty4::askfirst:/bin/sh
::ctrlaltdel:/sbin/reboot
::shutdown:/sbin/swapoff -a
::shutdown:/bin/umount -a -r
::restart:/sbin/init
";

/// The table with our lines.
pub(super) fn edits(host: &Host, view: &dyn GuestView, origin: &Origin) -> Result<Vec<Edit>, GuestError> {
    let script = target::read(view, "/etc/init.d/rcS")?.unwrap_or_default();
    if script.windows(RUN_LEVEL.len()).any(|window| window == RUN_LEVEL) {
        return sysvinit::edits(view, origin);
    }
    let target = Target::open(view, "/etc/inittab")?;
    let mut block = String::new();
    for (action, script, lines) in [
        ("once", STARTUP, &host.startup),
        ("shutdown", SHUTDOWN, &host.shutdown),
    ] {
        if !lines.is_empty() {
            let _infallible = writeln!(block, "::{action}:{script}");
        }
    }
    let content = with_block_first(target.content.as_deref().unwrap_or(DEFAULT), &block);
    Ok(vec![Edit::file(
        target.path,
        content,
        Attributes::default(),
        origin.clone(),
    )])
}
