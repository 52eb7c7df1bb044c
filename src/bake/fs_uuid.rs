//! The UUID of a host's root file system: its own where that can be had for little and nothing in the guest goes by the
//! template's.

use uuid::{Builder, Uuid};

use super::plan::Request;
use super::template::Source;
use crate::base::GuestPath;
use crate::edit::{EditList, EditedView, GuestView as _, ViewError};
use crate::project::{Host, IdentityChoice};

/// Files that may find the root by its UUID before anything else is read.
const BOOT_FILES: [&str; 7] = [
    "/boot/extlinux/extlinux.conf",
    "/boot/grub/grub.cfg",
    "/boot/grub/menu.lst",
    "/boot/grub2/grub.cfg",
    "/etc/crypttab",
    "/etc/fstab",
    "/etc/kernel/cmdline",
];
/// Longer ones are not read.
const LIMIT_BYTES: u64 = 1 << 20;

/// The UUID that `host` gets, after `edits`; `None` leaves the template's.
pub(super) fn of(
    request: &Request<'_>,
    host: &Host,
    source: &Source,
    edits: &EditList,
) -> Result<Option<Uuid>, ViewError> {
    let fs = source.fs();
    // Whoever starts a whole disk of others finds its root by what stands inside.
    let is_plain = source.is_bare() && fs.can_change_uuid();
    if host.identity.value != IdentityChoice::Own || !is_plain {
        return Ok(None);
    }
    let old = Uuid::from_bytes(fs.superblock().uuid()).to_string();
    let base = source.view();
    let view = EditedView::new(&base, edits);
    for path in BOOT_FILES {
        let path = view.resolve(&GuestPath::literal(path))?;
        let is_short = view
            .info(&path)?
            .is_some_and(|info| info.len_bytes <= LIMIT_BYTES);
        let content = if is_short { view.read(&path)? } else { None };
        let text = String::from_utf8_lossy(&content.unwrap_or_default()).to_ascii_lowercase();
        if text.contains(&old) {
            return Ok(None);
        }
    }
    let names = [request.project.name.as_str(), host.name.as_str()];
    let bytes = request.identity.key.derive("file system uuid", &names);
    Ok(Some(Builder::from_random_bytes(bytes).into_uuid()))
}

/// Writes the UUID as text.
#[expect(clippy::ref_option, reason = "serde hands the field over so")]
pub(super) fn as_text<S: serde::Serializer>(uuid: &Option<Uuid>, serializer: S) -> Result<S::Ok, S::Error> {
    match uuid {
        Some(uuid) => serializer.collect_str(uuid),
        None => serializer.serialize_none(),
    }
}
