//! The accounts of a project: new ones made, existing ones updated.

use std::collections::BTreeSet;

use crate::base::{GuestPath, Origin, Sourced};
use crate::edit::{EditList, GuestView};
use crate::guest::error::GuestError;
use crate::guest::warning::GuestWarning;
use crate::project::Account;

use super::crypt::Crypt;
use super::database::{Database, free_id, free_system_id, no_free_id, passwd};
use super::home::{self, Owner};
use super::{Stage, check_field, check_name};

/// The password column of an account that nobody can log in to by password.
const LOCKED: &str = "!";

/// Programs that let nobody in.
const NO_LOGIN: [&str; 3] = ["/usr/sbin/nologin", "/sbin/nologin", "/bin/false"];

/// Makes and updates `accounts` in `database`; returns the edits of their home directories.
pub(super) fn apply(
    database: &mut Database,
    accounts: &[Sourced<Account>],
    stage: &Stage<'_>,
    warnings: &mut Vec<GuestWarning>,
) -> Result<EditList, GuestError> {
    let mut homes = EditList::new();
    let reserved: BTreeSet<u32> = accounts.iter().filter_map(|account| account.value.uid).collect();
    let crypt = Crypt::detect(stage.view)?;
    for account in accounts {
        let Sourced { value, origin } = account;
        check(value, origin)?;
        let hash = value
            .password
            .as_ref()
            .map(|password| crypt.hash(password, &stage.salt_names(&value.name), stage.key));
        let new_home = match database.passwd.find(&value.name) {
            Some(row) => update(database, row, value, hash, stage, origin)?,
            None => create(database, value, hash, &reserved, stage, origin)?,
        };
        if let Some(day) = value.expires_days
            && !database.set_expiry(&value.name, day, origin)
        {
            warnings.push(GuestWarning::NoExpiry {
                user: value.name.clone(),
                origin: origin.clone(),
            });
        }
        if let Some((home, owner)) = new_home {
            homes.extend(home::create(stage.view, &home, owner, origin, warnings)?);
        }
    }
    Ok(homes)
}

/// Refuses what would break the rows of an account.
fn check(account: &Account, origin: &Origin) -> Result<(), GuestError> {
    let name = &account.name;
    check_name("user", name, origin)?;
    if let Some(crate::project::Password::Hash(hash)) = &account.password {
        check_field("password hash", name, hash.as_bytes(), origin)?;
    }
    let home = account.home.as_ref().map(GuestPath::as_bytes);
    let shell = account.shell.as_ref().map(GuestPath::as_bytes);
    let gecos = account.gecos.as_deref().map(str::as_bytes);
    for (what, field) in [("home directory", home), ("shell", shell), ("full name", gecos)] {
        if let Some(field) = field {
            check_field(what, name, field, origin)?;
        }
    }
    Ok(())
}

/// Makes an account; returns the home directory that it needs.
fn create(
    database: &mut Database,
    account: &Account,
    hash: Option<String>,
    reserved: &BTreeSet<u32>,
    stage: &Stage<'_>,
    origin: &Origin,
) -> Result<Option<(GuestPath, Owner)>, GuestError> {
    let name = &account.name;
    let uid = match account.uid {
        Some(uid) => uid,
        None => next_uid(database, account, reserved, origin)?,
    };
    let gid = primary_group(database, account, uid, origin)?;
    let home = match &account.home {
        Some(home) => home.clone(),
        None => GuestPath::literal("/home")
            .join(name)
            .expect("a checked user name is the name of a file"),
    };
    let mode = database.rules.home_mode;
    let shell = match &account.shell {
        Some(shell) => shell.to_string(),
        None => usual_shell(database, account, stage.view)?,
    };
    let gecos = account.gecos.as_deref().unwrap_or_default();
    let row = format!("{name}:x:{uid}:{gid}:{gecos}:{home}:{shell}");
    database.passwd.push(&row, origin);
    let hash = hash.map_or(LOCKED.to_owned(), |hash| locked_if(account, &hash));
    if account.is_system {
        database.set_password_with(name, &hash, "::", stage.now, origin);
    } else {
        database.set_password(name, &hash, stage.now, origin);
    }
    let wants_home = !account.is_system || account.home.is_some();
    Ok(wants_home.then_some((home, Owner { uid, gid, mode })))
}

/// The login shell of an account for which the project names none.
fn usual_shell(database: &Database, account: &Account, view: &dyn GuestView) -> Result<String, GuestError> {
    let is_there = |path: &str| -> Result<bool, GuestError> {
        Ok(view.info(&view.resolve(&GuestPath::literal(path))?)?.is_some())
    };
    if account.is_system {
        for path in NO_LOGIN {
            if is_there(path)? {
                return Ok(path.to_owned());
            }
        }
        return Ok("/bin/false".to_owned());
    }
    if is_there("/bin/bash")? {
        return Ok("/bin/bash".to_owned());
    }
    Ok(match &database.rules.shell {
        Some(shell) if GuestPath::new(shell).is_ok() && is_there(shell)? => shell.clone(),
        _ => "/bin/sh".to_owned(),
    })
}

/// The number of an account's primary group, which is made if it is not there.
fn primary_group(
    database: &mut Database,
    account: &Account,
    uid: u32,
    origin: &Origin,
) -> Result<u32, GuestError> {
    let name = &account.name;
    match account.gid.as_deref().map(|gid| (gid, gid.parse::<u32>())) {
        Some((_, Ok(gid))) if database.has_gid(gid) => Ok(gid),
        Some((_, Ok(gid))) if database.gid(name).is_none() => database.add_group(name, Some(gid), origin),
        Some((_, Ok(gid))) => Err(GuestError::NoGroupNumber {
            user: name.clone(),
            gid,
            origin: origin.clone(),
        }),
        Some((group, Err(_))) => {
            check_name("group", group, origin)?;
            match database.gid(group) {
                Some(gid) => Ok(gid),
                None => database.add_group(group, None, origin),
            }
        }
        None => match database.gid(name) {
            Some(gid) => Ok(gid),
            None if account.is_system => database.add_system_group(name, origin),
            None if database.rules.has_user_groups => database.add_group(name, Some(uid), origin),
            None => Ok(database.rules.default_gid),
        },
    }
}

/// The number that a new account gets: one that neither the guest nor the project uses.
fn next_uid(
    database: &Database,
    account: &Account,
    reserved: &BTreeSet<u32>,
    origin: &Origin,
) -> Result<u32, GuestError> {
    let used = &database.passwd.numbers(passwd::UID) | reserved;
    let (range, free) = if account.is_system {
        let range = &database.rules.system_uids;
        (range, free_system_id(&used, range))
    } else {
        let range = &database.rules.uids;
        (range, free_id(&used, range))
    };
    free.ok_or_else(|| no_free_id("uid", &account.name, range, origin))
}

/// The password column for `hash`, with the mark of a locked password if the account has one.
fn locked_if(account: &Account, hash: &str) -> String {
    if account.is_locked && !hash.starts_with(['!', '*']) {
        format!("{LOCKED}{hash}")
    } else {
        hash.to_owned()
    }
}

/// Updates the account in `row`; returns the home directory if the project names another one than before.
fn update(
    database: &mut Database,
    row: usize,
    account: &Account,
    hash: Option<String>,
    stage: &Stage<'_>,
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
    let present = account
        .is_locked
        .then(|| database.password_of(&account.name))
        .flatten();
    if let Some(hash) = hash.or(present) {
        database.set_password(&account.name, &locked_if(account, &hash), stage.now, origin);
    }
    if account.gid.is_some() {
        let uid = database.passwd.number(row, passwd::UID).unwrap_or_default();
        let gid = primary_group(database, account, uid, origin)?;
        database
            .passwd
            .set(row, passwd::GID, gid.to_string().as_bytes(), origin);
    }
    let table = &mut database.passwd;
    if let Some(shell) = &account.shell {
        table.set(row, passwd::SHELL, shell.as_bytes(), origin);
    }
    if let Some(gecos) = &account.gecos {
        table.set(row, passwd::GECOS, gecos.as_bytes(), origin);
    }
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
