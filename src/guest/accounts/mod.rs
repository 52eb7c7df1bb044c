//! Users, groups and passwords, written to the account files as Debian's `useradd`, `groupadd` and `chpasswd -e`
//! would, without running anything of the guest.
//!
//! A password hash goes to the shadow file and never to `passwd`; only a template without a shadow file has it there.

mod database;
mod groups;
mod home;
mod login_defs;
mod table;
mod users;

use crate::base::{Origin, Timestamp};
use crate::edit::{EditList, GuestView};
use crate::project::Host;

use database::Database;

use super::error::GuestError;
use super::warning::GuestWarning;

/// Makes and updates the host's users, then its groups.
pub(super) fn configure(
    host: &Host,
    view: &dyn GuestView,
    now: Timestamp,
    warnings: &mut Vec<GuestWarning>,
) -> Result<EditList, GuestError> {
    let mut edits = EditList::new();
    if host.users.is_empty() && host.groups.is_empty() {
        return Ok(edits);
    }
    let keyword = if host.users.is_empty() { "groups" } else { "users" };
    let mut database = Database::load(view, keyword)?;
    edits.extend(users::apply(&mut database, &host.users, view, now, warnings)?);
    groups::apply(&mut database, &host.groups)?;
    edits.extend(database.into_edits());
    Ok(edits)
}

/// Sets root's password hash.
pub(super) fn root_password(
    host: &Host,
    view: &dyn GuestView,
    now: Timestamp,
) -> Result<EditList, GuestError> {
    let mut edits = EditList::new();
    if let Some(hash) = &host.root_password {
        check_field("password hash", "root", hash.value.as_bytes(), &hash.origin)?;
        let mut database = Database::load(view, "root_password")?;
        database.set_password("root", &hash.value, now, &hash.origin);
        edits.extend(database.into_edits());
    }
    Ok(edits)
}

/// Refuses a name that the account tools of Debian refuse.
fn check_name(what: &'static str, name: &str, origin: &Origin) -> Result<(), GuestError> {
    let bad = |letter: char| letter.is_control() || letter.is_whitespace() || ":,/".contains(letter);
    if name.is_empty()
        || name.len() > 32
        || name.starts_with(['-', '+', '~'])
        || [".", ".."].contains(&name)
        || name.contains(bad)
    {
        return Err(GuestError::BadName {
            what,
            name: name.to_owned(),
            origin: origin.clone(),
        });
    }
    Ok(())
}

/// Refuses a value that would break its row.
fn check_field(what: &'static str, name: &str, value: &[u8], origin: &Origin) -> Result<(), GuestError> {
    if value.iter().any(|byte| *byte == b':' || byte.is_ascii_control()) {
        return Err(GuestError::BadField {
            what,
            name: name.to_owned(),
            origin: origin.clone(),
        });
    }
    Ok(())
}
