//! The project's shell lines for start and shutdown: two scripts, and whatever the guest's init needs to run them.
//!
//! The scripts hold the lines as they are, in order. They are run by bash where the template has it: unlike dash, bash
//! goes on after a failing `.` or `set`, and MLN's projects come from the time when `/bin/sh` was bash.

mod busybox;
mod init;
mod openrc;
mod systemd;
mod sysvinit;

use crate::base::{GuestPath, Origin, Sourced};
use crate::edit::{Attributes, Edit, EditList, GuestView};

use super::error::GuestError;
use super::{Guest, Init, target};

pub(super) use init::detect;

/// The script that is run once at every start.
const STARTUP: &str = "/etc/mln/startup";
/// The script that is run at shutdown.
const SHUTDOWN: &str = "/etc/mln/shutdown";

/// The edits for the host's lines.
pub(super) fn configure(guest: &Guest<'_>, view: &dyn GuestView) -> Result<EditList, GuestError> {
    let host = guest.host;
    let mut edits = EditList::new();
    let Some(first) = host.startup.iter().chain(&host.shutdown).next() else {
        return Ok(edits);
    };
    let Some(init) = guest.init else {
        return Err(GuestError::NoInit {
            origin: first.origin.clone(),
        });
    };
    let shell = view.info(&view.resolve(&GuestPath::literal("/bin/bash"))?)?;
    let shell = if shell.is_some() { "/bin/bash" } else { "/bin/sh" };
    for (path, lines) in [(STARTUP, &host.startup), (SHUTDOWN, &host.shutdown)] {
        if !lines.is_empty() {
            edits.push(script(view, path, lines, shell)?);
        }
    }
    edits.extend(match init {
        Init::Systemd => systemd::edits(host, view, &first.origin)?,
        Init::Sysvinit => sysvinit::edits(view, &first.origin)?,
        Init::Openrc => openrc::edits(host, view, &first.origin)?,
        Init::Busybox => busybox::edits(host, view, &first.origin)?,
    });
    Ok(edits)
}

/// The script that holds `lines`.
fn script(
    view: &dyn GuestView,
    path: &str,
    lines: &[Sourced<String>],
    shell: &str,
) -> Result<Edit, GuestError> {
    let mut content = format!(
        "#!{shell}\n\
         # Written by mln-image from the project's description.\n\
         PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n\
         export PATH\n"
    );
    for line in lines {
        content.push_str(&line.value);
        content.push('\n');
    }
    let mut edit = file(view, path, content, 0o755, &lines[0].origin)?;
    edit.origins = lines.iter().map(|line| line.origin.clone()).collect();
    Ok(edit)
}

/// A file of ours, replacing whatever was there.
fn file(
    view: &dyn GuestView,
    path: &str,
    content: String,
    mode: u16,
    origin: &Origin,
) -> Result<Edit, GuestError> {
    let place = target::place(view, &GuestPath::literal(path))?;
    Ok(Edit::file(
        place,
        content,
        Attributes::owned(mode, 0, 0),
        origin.clone(),
    ))
}

/// A link of ours, replacing whatever was there.
fn link(view: &dyn GuestView, path: &str, target: &str, origin: &Origin) -> Result<Edit, GuestError> {
    let place = target::place(view, &GuestPath::literal(path))?;
    Ok(Edit::symlink(place, target, origin.clone()))
}
