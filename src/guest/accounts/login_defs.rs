//! The template's rules for new accounts: login.defs(5), with the defaults that `useradd` has.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::edit::GuestView;
use crate::guest::error::GuestError;
use crate::guest::target;
use crate::guest::text::{lines, words};

/// The rules that matter to new accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LoginDefs {
    /// Numbers for new users.
    pub(super) uids: RangeInclusive<u32>,
    /// Numbers for new groups.
    pub(super) gids: RangeInclusive<u32>,
    /// Numbers for new users that are services.
    pub(super) system_uids: RangeInclusive<u32>,
    /// Numbers for the groups of such users.
    pub(super) system_gids: RangeInclusive<u32>,
    /// Whether a new user gets a group of the same name.
    pub(super) has_user_groups: bool,
    /// The primary group of new users where they get none of their own name.
    pub(super) default_gid: u32,
    /// The usual login shell, where the template names one.
    pub(super) shell: Option<String>,
    /// The mode of a new home directory.
    pub(super) home_mode: u16,
    /// The aging columns of a new shadow row: minimum, maximum and warning days, empty where there is no rule.
    pub(super) aging: String,
}

impl LoginDefs {
    /// Reads the template's rules; a template without the file has the defaults.
    pub(super) fn load(view: &dyn GuestView) -> Result<Self, GuestError> {
        let content = target::read(view, "/etc/login.defs")?.unwrap_or_default();
        let useradd = target::read(view, "/etc/default/useradd")?.unwrap_or_default();
        Ok(Self::parse(&content).with_useradd(&useradd))
    }

    /// These rules with what `/etc/default/useradd` says, a file of shell assignments.
    fn with_useradd(mut self, content: &[u8]) -> Self {
        for line in lines(content) {
            let Ok(line) = std::str::from_utf8(line.trim_ascii()) else {
                continue;
            };
            match line.split_once('=') {
                Some(("SHELL", shell)) if shell.starts_with('/') => self.shell = Some(shell.to_owned()),
                Some(("GROUP", group)) => self.default_gid = group.parse().unwrap_or(self.default_gid),
                _ => {}
            }
        }
        self
    }

    fn parse(content: &[u8]) -> Self {
        let mut values = BTreeMap::new();
        for line in lines(content) {
            let mut words = words(line);
            if let (Some(key), Some(value)) = (words.next(), words.next()) {
                values.insert(key, value);
            }
        }
        let given = |key: &str| values.get(key.as_bytes()).and_then(|value| parse_number(value));
        let number = |key: &str, default: u32| given(key).unwrap_or(default);
        let days = |key: &str| given(key).map(|days| days.to_string()).unwrap_or_default();
        let mode = |value: u32| u16::try_from(value & 0o7777).expect("twelve bits fit");
        let home_mode = number("HOME_MODE", 0o777 & !number("UMASK", 0o022));
        Self {
            uids: number("UID_MIN", 1000)..=number("UID_MAX", 60_000),
            gids: number("GID_MIN", 1000)..=number("GID_MAX", 60_000),
            system_uids: number("SYS_UID_MIN", 101)..=number("SYS_UID_MAX", 999),
            system_gids: number("SYS_GID_MIN", 101)..=number("SYS_GID_MAX", 999),
            has_user_groups: values
                .get(&b"USERGROUPS_ENAB"[..])
                .is_none_or(|value| *value == b"yes"),
            default_gid: 100,
            shell: None,
            home_mode: mode(home_mode),
            aging: ["PASS_MIN_DAYS", "PASS_MAX_DAYS", "PASS_WARN_AGE"]
                .map(days)
                .join(":"),
        }
    }
}

/// A number as login.defs writes it: octal after a `0`, hexadecimal after `0x`, else decimal.
fn parse_number(text: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(text).ok()?;
    match text.strip_prefix("0x") {
        Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16).ok(),
        None if text.len() > 1 && text.starts_with('0') => u32::from_str_radix(text, 8).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn home_mode_goes_before_umask_and_defaults_are_debians() {
        for (content, home_mode) in [
            ("", 0o755),
            ("UMASK\t\t027\n", 0o750),
            ("UMASK 022\nHOME_MODE 0700 # private\n", 0o700),
            ("#HOME_MODE 0700\nUMASK nonsense\n", 0o755),
        ] {
            assert_eq!(
                LoginDefs::parse(content.as_bytes()).home_mode,
                home_mode,
                "{content:?}"
            );
        }
        let defaults = LoginDefs::parse(b"\xff\n");
        assert_eq!((defaults.uids, defaults.gids), (1000..=60_000, 1000..=60_000));
        assert_eq!(defaults.aging, "::");
        let own = LoginDefs::parse(b"UID_MIN 0x7d0\nUID_MAX 2010\nPASS_MAX_DAYS 90\n");
        assert_eq!((own.uids, own.aging.as_str()), (2000..=2010, ":90:"));
    }
}
