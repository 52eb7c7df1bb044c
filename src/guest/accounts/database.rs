//! The four account files of a guest as one thing, so that a change of one is followed by the others.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use crate::base::{GuestPath, Origin, Timestamp};
use crate::edit::{Edit, GuestView};
use crate::guest::error::GuestError;

use super::login_defs::LoginDefs;
use super::table::Table;

/// Columns of `/etc/passwd`.
pub(super) mod passwd {
    /// The hash, or `x` where the shadow file has it.
    pub(crate) const PASSWORD: usize = 1;
    /// The user's number.
    pub(crate) const UID: usize = 2;
    /// The number of the primary group.
    pub(crate) const GID: usize = 3;
    /// The full name.
    pub(crate) const GECOS: usize = 4;
    /// The home directory.
    pub(crate) const HOME: usize = 5;
    /// The login shell.
    pub(crate) const SHELL: usize = 6;
}

/// Columns of `/etc/shadow`.
mod shadow {
    /// The hash.
    pub(super) const PASSWORD: usize = 1;
    /// The day of the last change.
    pub(super) const LAST_CHANGE: usize = 2;
    /// The day after which the account is closed.
    pub(super) const EXPIRES: usize = 7;
}

/// Columns of `/etc/group` and `/etc/gshadow`.
mod group {
    /// The hash, or `x` where gshadow has it.
    pub(super) const PASSWORD: usize = 1;
    /// The group's number.
    pub(super) const GID: usize = 2;
    /// The members, in both files.
    pub(super) const MEMBERS: usize = 3;
}

/// The account files, with the changes made so far.
#[derive(Debug)]
pub(super) struct Database {
    /// `/etc/passwd`.
    pub(super) passwd: Table,
    /// `/etc/group`.
    pub(super) group: Table,
    /// The rules for new accounts.
    pub(super) rules: LoginDefs,
    shadow: Option<Table>,
    gshadow: Option<Table>,
}

impl Database {
    /// Reads the guest's account files for the sake of `keyword`.
    pub(super) fn load(view: &dyn GuestView, keyword: &'static str) -> Result<Self, GuestError> {
        let needed = |path: &str, columns| {
            Table::load(view, path, columns)?.ok_or_else(|| GuestError::MissingFile {
                path: GuestPath::literal(path),
                keyword,
            })
        };
        Ok(Self {
            passwd: needed("/etc/passwd", 7)?,
            group: needed("/etc/group", 4)?,
            rules: LoginDefs::load(view)?,
            shadow: Table::load(view, "/etc/shadow", 9)?,
            gshadow: Table::load(view, "/etc/gshadow", 4)?,
        })
    }

    /// The edits of the files that changed.
    pub(super) fn into_edits(self) -> impl Iterator<Item = Edit> {
        [Some(self.passwd), self.shadow, Some(self.group), self.gshadow]
            .into_iter()
            .flatten()
            .filter_map(Table::into_edit)
    }

    /// Gives the user `name`, who is in `passwd`, the password hash `hash`. The day of the change is set only where
    /// the hash is another one than before.
    pub(super) fn set_password(&mut self, name: &str, hash: &str, now: Timestamp, origin: &Origin) {
        let aging = self.rules.aging.clone();
        self.set_password_with(name, hash, &aging, now, origin);
    }

    /// The same, where a new account gets these columns of aging.
    pub(super) fn set_password_with(
        &mut self,
        name: &str,
        hash: &str,
        aging: &str,
        now: Timestamp,
        origin: &Origin,
    ) {
        let row = self.passwd.find(name);
        let Some(shadow) = &mut self.shadow else {
            if let Some(row) = row {
                self.passwd.set(row, passwd::PASSWORD, hash.as_bytes(), origin);
            }
            return;
        };
        if let Some(row) = row {
            self.passwd.set(row, passwd::PASSWORD, b"x", origin);
        }
        // Day 0 would mean that the password must be changed at the first login.
        let day = match now.days() {
            ..=0 => String::new(),
            day => day.to_string(),
        };
        if let Some(row) = shadow.find(name) {
            if shadow.set(row, shadow::PASSWORD, hash.as_bytes(), origin) {
                shadow.set(row, shadow::LAST_CHANGE, day.as_bytes(), origin);
            }
        } else {
            shadow.push(&format!("{name}:{hash}:{day}:{aging}:::"), origin);
        }
    }

    /// The password column of the user `name`.
    pub(super) fn password_of(&self, name: &str) -> Option<String> {
        let column = match &self.shadow {
            Some(shadow) => shadow.column(shadow.find(name)?, shadow::PASSWORD),
            None => self.passwd.column(self.passwd.find(name)?, passwd::PASSWORD),
        };
        Some(String::from_utf8_lossy(column).into_owned())
    }

    /// Closes the account `name` after this day, counted from the epoch; a guest without a shadow file cannot say so.
    pub(super) fn set_expiry(&mut self, name: &str, day: u32, origin: &Origin) -> bool {
        let Some(shadow) = &mut self.shadow else {
            return false;
        };
        if let Some(row) = shadow.find(name) {
            shadow.set(row, shadow::EXPIRES, day.to_string().as_bytes(), origin);
        }
        true
    }

    /// Whether some group has this number.
    pub(super) fn has_gid(&self, gid: u32) -> bool {
        self.group.numbers(group::GID).contains(&gid)
    }

    /// Makes the group of a service's account: the highest free number, as `groupadd -r` does.
    pub(super) fn add_system_group(&mut self, name: &str, origin: &Origin) -> Result<u32, GuestError> {
        let used = self.group.numbers(group::GID);
        let range = self.rules.system_gids.clone();
        let gid = free_system_id(&used, &range).ok_or_else(|| no_free_id("gid", name, &range, origin))?;
        self.add_group(name, Some(gid), origin)
    }

    /// Makes the group `name` with the number `wanted` if that is free, else with the next free one; returns the number.
    pub(super) fn add_group(
        &mut self,
        name: &str,
        wanted: Option<u32>,
        origin: &Origin,
    ) -> Result<u32, GuestError> {
        let used = self.group.numbers(group::GID);
        let gid = match wanted.filter(|gid| !used.contains(gid)) {
            Some(gid) => gid,
            None => free_id(&used, &self.rules.gids)
                .ok_or_else(|| no_free_id("gid", name, &self.rules.gids, origin))?,
        };
        self.group.push(&format!("{name}:x:{gid}:"), origin);
        if let Some(gshadow) = &mut self.gshadow
            && gshadow.find(name).is_none()
        {
            gshadow.push(&format!("{name}:!::"), origin);
        }
        Ok(gid)
    }

    /// Adds `member` to the group `name`, which is there, in both files.
    pub(super) fn add_member(&mut self, name: &str, member: &str, origin: &Origin) {
        let Some(row) = self.group.find(name) else {
            return;
        };
        self.group.add_member(row, group::MEMBERS, member, origin);
        let Some(gshadow) = &mut self.gshadow else {
            return;
        };
        let shadowed = match gshadow.find(name) {
            Some(row) => row,
            // A row of our own would take the place of a password that stands in the group file.
            None if self.group.column(row, group::PASSWORD) != b"x" => return,
            None => gshadow.push(&format!("{name}:!::"), origin),
        };
        gshadow.add_member(shadowed, group::MEMBERS, member, origin);
    }

    /// The number of the group `name`.
    pub(super) fn gid(&self, name: &str) -> Option<u32> {
        self.group.number(self.group.find(name)?, group::GID)
    }
}

/// The lowest number of `range` that is not in `used`.
pub(super) fn free_id(used: &BTreeSet<u32>, range: &RangeInclusive<u32>) -> Option<u32> {
    range.clone().find(|id| !used.contains(id))
}

/// The highest number of `range` that is not in `used`: services get theirs from the top.
pub(super) fn free_system_id(used: &BTreeSet<u32>, range: &RangeInclusive<u32>) -> Option<u32> {
    range.clone().rev().find(|id| !used.contains(id))
}

/// That no number is left for `name`.
pub(super) fn no_free_id(
    what: &'static str,
    name: &str,
    range: &RangeInclusive<u32>,
    origin: &Origin,
) -> GuestError {
    GuestError::NoFreeId {
        what,
        name: name.to_owned(),
        minimum: *range.start(),
        maximum: *range.end(),
        origin: origin.clone(),
    }
}
