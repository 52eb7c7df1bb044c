//! The accounts of a project: new ones made, existing ones updated.

use std::collections::BTreeSet;

use crate::base::{GuestPath, Origin, Sourced, Timestamp};
use crate::edit::{EditList, GuestView};
use crate::guest::error::GuestError;
use crate::guest::warning::GuestWarning;
use crate::project::Account;

use super::database::{Database, free_id, passwd};
use super::home::{self, Owner};
use super::{check_field, check_name};

/// The password column of an account that nobody can log in to by password.
const LOCKED: &str = "!";

/// Makes and updates `accounts` in `database`; returns the edits of their home directories.
pub(super) fn apply(
    database: &mut Database,
    accounts: &[Sourced<Account>],
    view: &dyn GuestView,
    now: Timestamp,
    warnings: &mut Vec<GuestWarning>,
) -> Result<EditList, GuestError> {
    let mut homes = EditList::new();
    let reserved: BTreeSet<u32> = accounts.iter().filter_map(|account| account.value.uid).collect();
    for account in accounts {
        let Sourced { value, origin } = account;
        check_name("user", &value.name, origin)?;
        if let Some(hash) = &value.password_hash {
            check_field("password hash", &value.name, hash.as_bytes(), origin)?;
        }
        if let Some(home) = &value.home {
            check_field("home directory", &value.name, home.as_bytes(), origin)?;
        }
        let new_home = match database.passwd.find(&value.name) {
            Some(row) => update(database, row, value, now, origin)?,
            None => Some(create(database, value, &reserved, view, now, origin)?),
        };
        if let Some((home, owner)) = new_home {
            homes.extend(home::create(view, &home, owner, origin, warnings)?);
        }
    }
    Ok(homes)
}

/// Makes an account; returns the home directory that it needs.
fn create(
    database: &mut Database,
    account: &Account,
    reserved: &BTreeSet<u32>,
    view: &dyn GuestView,
    now: Timestamp,
    origin: &Origin,
) -> Result<(GuestPath, Owner), GuestError> {
    let name = &account.name;
    let uid = account
        .uid
        .map_or_else(|| next_uid(database, name, reserved, origin), Ok)?;
    let gid = match database.gid(name) {
        Some(gid) => gid,
        None => database.add_group(name, Some(uid), origin)?,
    };
    let home = match &account.home {
        Some(home) => home.clone(),
        None => GuestPath::literal("/home")
            .join(name)
            .expect("a checked user name is the name of a file"),
    };
    let mode = database.rules.home_mode;
    let bash = view.info(&view.resolve(&GuestPath::literal("/bin/bash"))?)?;
    let shell = if bash.is_some() { "/bin/bash" } else { "/bin/sh" };
    let row = format!("{name}:x:{uid}:{gid}::{home}:{shell}");
    database.passwd.push(&row, origin);
    let hash = account.password_hash.as_deref().unwrap_or(LOCKED);
    database.set_password(name, hash, now, origin);
    Ok((home, Owner { uid, gid, mode }))
}

/// The lowest number that neither the guest nor the project uses.
fn next_uid(
    database: &Database,
    name: &str,
    reserved: &BTreeSet<u32>,
    origin: &Origin,
) -> Result<u32, GuestError> {
    let used = &database.passwd.numbers(passwd::UID) | reserved;
    free_id(&used, &database.rules.uids).ok_or_else(|| GuestError::NoFreeId {
        what: "uid",
        name: name.to_owned(),
        minimum: *database.rules.uids.start(),
        maximum: *database.rules.uids.end(),
        origin: origin.clone(),
    })
}

/// Updates the account in `row`; returns the home directory if the project names another one than before.
fn update(
    database: &mut Database,
    row: usize,
    account: &Account,
    now: Timestamp,
    origin: &Origin,
) -> Result<Option<(GuestPath, Owner)>, GuestError> {
    let table = &mut database.passwd;
    if let Some(wanted) = account.uid
        && table.number(row, passwd::UID) != Some(wanted)
    {
        return Err(GuestError::UidDiffers {
            name: account.name.clone(),
            found: String::from_utf8_lossy(table.column(row, passwd::UID)).into_owned(),
            wanted,
            origin: origin.clone(),
        });
    }
    if let Some(hash) = &account.password_hash {
        database.set_password(&account.name, hash, now, origin);
    }
    let table = &mut database.passwd;
    let Some(home) = &account.home else {
        return Ok(None);
    };
    if !table.set(row, passwd::HOME, home.as_bytes(), origin) {
        return Ok(None);
    }
    let (Some(uid), Some(gid)) = (table.number(row, passwd::UID), table.number(row, passwd::GID)) else {
        return Ok(None);
    };
    let mode = database.rules.home_mode;
    Ok(Some((home.clone(), Owner { uid, gid, mode })))
}
