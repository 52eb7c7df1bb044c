//! Which init a template starts with: what `/sbin/init` leads to decides.

use crate::base::GuestPath;
use crate::edit::GuestView;
use crate::guest::error::GuestError;
use crate::guest::{Detected, Init};

/// Where systemd's own program lies.
const SYSTEMD: [&str; 2] = ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"];

/// Tells the template's init; `None` where nothing speaks for any.
pub(in crate::guest) fn detect(view: &dyn GuestView) -> Result<Option<Detected<Init>>, GuestError> {
    let exists = |path: &str| view.exists(&GuestPath::literal(path));
    if exists("/sbin/init")? {
        let resolved = view.resolve(&GuestPath::literal("/sbin/init"))?;
        if resolved.file_name() == Some(b"systemd") {
            let reason = format!("`/sbin/init` leads to `{resolved}`");
            return Ok(Some(Detected::new(Init::Systemd, &reason)));
        }
        if let Some(path) = openrc(view)? {
            return Ok(Some(Detected::new(
                Init::Openrc,
                &format!("the template has `{path}`"),
            )));
        }
        if resolved
            .file_name()
            .is_some_and(|name| name.starts_with(b"busybox"))
        {
            let reason = format!("`/sbin/init` leads to `{resolved}`");
            return Ok(Some(Detected::new(Init::Busybox, &reason)));
        }
        return Ok(Some(Detected::new(
            Init::Sysvinit,
            "`/sbin/init` does not lead to systemd",
        )));
    }
    for path in SYSTEMD {
        if exists(path)? {
            return Ok(Some(Detected::new(
                Init::Systemd,
                &format!("the template has `{path}`"),
            )));
        }
    }
    if let Some(path) = openrc(view)? {
        return Ok(Some(Detected::new(
            Init::Openrc,
            &format!("the template has `{path}`"),
        )));
    }
    for path in ["/etc/inittab", "/etc/init.d"] {
        if exists(path)? {
            return Ok(Some(Detected::new(
                Init::Sysvinit,
                &format!("the template has `{path}`"),
            )));
        }
    }
    Ok(None)
}

/// The program of `OpenRC` that is there.
fn openrc(view: &dyn GuestView) -> Result<Option<&'static str>, GuestError> {
    for path in [
        "/sbin/openrc",
        "/usr/sbin/openrc",
        "/usr/bin/openrc",
        "/bin/openrc",
    ] {
        if view.exists(&GuestPath::literal(path))? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}
