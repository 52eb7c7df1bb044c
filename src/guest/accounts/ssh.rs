//! The ssh public keys by which accounts are entered: `~/.ssh/authorized_keys`, sshd(8). Keys that are there stay.

use crate::base::{GuestPath, Sourced};
use crate::edit::{Attributes, Edit, EditList, GuestView};
use crate::guest::error::GuestError;
use crate::guest::target::{self, Target};
use crate::guest::text::lines;
use crate::project::Account;

use super::database::passwd;
use super::table::Table;

/// Adds the project's keys to those of each account; `view` has the accounts already.
pub(super) fn configure(accounts: &[Sourced<Account>], view: &dyn GuestView) -> Result<EditList, GuestError> {
    let mut edits = EditList::new();
    if accounts
        .iter()
        .all(|account| account.value.authorized_keys.is_empty())
    {
        return Ok(edits);
    }
    let Some(table) = Table::load(view, "/etc/passwd", 7)? else {
        return Ok(edits);
    };
    for account in accounts
        .iter()
        .filter(|account| !account.value.authorized_keys.is_empty())
    {
        let Some(row) = table.find(&account.value.name) else {
            continue;
        };
        let number = |column| table.number(row, column).unwrap_or_default();
        let owner = (number(passwd::UID), number(passwd::GID));
        edits.extend(keys(account, table.column(row, passwd::HOME), owner, view)?);
    }
    Ok(edits)
}

/// The directory and the file of one account.
fn keys(
    account: &Sourced<Account>,
    home: &[u8],
    (uid, gid): (u32, u32),
    view: &dyn GuestView,
) -> Result<Vec<Edit>, GuestError> {
    let origin = &account.origin;
    let bad_home = |_| GuestError::BadField {
        what: "home directory",
        name: account.value.name.clone(),
        origin: origin.clone(),
    };
    let home = GuestPath::new(home).map_err(bad_home)?;
    let directory = home.join(".ssh").map_err(bad_home)?;
    let file = directory.join("authorized_keys").map_err(bad_home)?;
    let target = Target::open(view, &file.to_string())?;
    let mut content = target.content.unwrap_or_default();
    if !content.is_empty() && !content.ends_with(b"\n") {
        content.push(b'\n');
    }
    for key in &account.value.authorized_keys {
        let is_there = lines(&content).contains(&key.value.as_bytes());
        if !is_there {
            content.extend_from_slice(key.value.as_bytes());
            content.push(b'\n');
        }
    }
    let place = target::place(view, &view.resolve(&directory)?)?;
    let mut edit = Edit::file(
        target.path,
        content,
        Attributes::owned(0o600, uid, gid),
        origin.clone(),
    );
    edit.origins = account
        .value
        .authorized_keys
        .iter()
        .map(|key| key.origin.clone())
        .collect();
    Ok(vec![
        Edit::directory(place, Attributes::owned(0o700, uid, gid), origin.clone()),
        edit,
    ])
}
