//! Users, groups and passwords, written to the account files as Debian's `useradd`, `groupadd` and `chpasswd -e`
//! would, without running anything of the guest.
//!
//! A password hash goes to the shadow file and never to `passwd`; only a template without a shadow file has it there.

mod crypt;
mod database;
mod groups;
mod home;
mod login_defs;
mod ssh;
mod sub_ids;
mod sudo;
mod table;
mod users;

use crate::base::{IdentityKey, Origin, Timestamp};
use crate::edit::{EditList, EditedView, GuestView};
use crate::project::{Host, Password, Project};

use crypt::Crypt;
use database::Database;

use super::GuestContext;
use super::error::GuestError;
use super::warning::GuestWarning;

/// What the accounts of one guest depend on.
pub(super) struct Stage<'a> {
    pub(super) view: &'a dyn GuestView,
    pub(super) now: Timestamp,
    pub(super) key: &'a IdentityKey,
    project: &'a str,
}

impl<'a> Stage<'a> {
    pub(super) fn new(project: &'a Project, view: &'a dyn GuestView, context: &GuestContext<'a>) -> Self {
        Self {
            view,
            now: context.now,
            key: context.identity,
            project: &project.name,
        }
    }

    /// The names that a password's salt follows from.
    fn salt_names<'n>(&self, user: &'n str) -> [&'n str; 2]
    where
        'a: 'n,
    {
        [self.project, user]
    }
}

/// Makes and updates the host's users, then its groups, then what belongs to the users.
pub(super) fn configure(
    host: &Host,
    stage: &Stage<'_>,
    warnings: &mut Vec<GuestWarning>,
) -> Result<EditList, GuestError> {
    let mut edits = EditList::new();
    if host.users.is_empty() && host.groups.is_empty() {
        return Ok(edits);
    }
    let keyword = if host.users.is_empty() { "groups" } else { "users" };
    let mut database = Database::load(stage.view, keyword)?;
    edits.extend(users::apply(&mut database, &host.users, stage, warnings)?);
    groups::apply(&mut database, &host.groups)?;
    groups::join(&mut database, &host.users)?;
    edits.extend(database.into_edits());
    edits.extend(sub_ids::configure(&host.users, stage.view)?);
    edits.extend(sudo::configure(&host.users, stage.view, warnings)?);
    let keys = ssh::configure(&host.users, &EditedView::new(stage.view, &edits))?;
    edits.extend(keys);
    Ok(edits)
}

/// Sets root's password.
pub(super) fn root_password(host: &Host, stage: &Stage<'_>) -> Result<EditList, GuestError> {
    let mut edits = EditList::new();
    if let Some(password) = &host.root_password {
        if let Password::Hash(hash) = &password.value {
            check_field("password hash", "root", hash.as_bytes(), &password.origin)?;
        }
        let crypt = Crypt::detect(stage.view)?;
        let hash = crypt.hash(&password.value, &stage.salt_names("root"), stage.key);
        let mut database = Database::load(stage.view, "root_password")?;
        database.set_password("root", &hash, stage.now, &password.origin);
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
