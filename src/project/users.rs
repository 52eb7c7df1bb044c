//! The accounts of a host: a line `name hash [home [uid]]`, or a block of keywords for each.

use std::collections::BTreeMap;

use super::accounts::surplus;
use super::model::{Account, Sudo};
use super::problem::Problem;
use super::section::{Content, Entry, Section};
use super::values::Values;
use crate::base::{GuestPath, Sourced};
use crate::lang::Word;

/// The accounts; a later line for a name changes the earlier one, which keeps its place.
pub(super) fn users(section: &Section, values: &mut Values<'_>) -> Vec<Sourced<Account>> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut users: Vec<Sourced<Account>> = Vec::new();
    let Some(block) = section.section("users") else {
        return users;
    };
    for entry in block.entries.iter().filter(|entry| !entry.is_definition) {
        let account = match &entry.content {
            Content::Value(_) => line(entry, values),
            Content::Section(section) => keywords(&entry.key, section, values),
            Content::Line => None,
        };
        let Some(account) = account else {
            continue;
        };
        let name = account.name.clone();
        let account = values.sourced(account, entry.key.span);
        if let Some(place) = places.get(&name) {
            users[*place] = account;
        } else {
            places.insert(name, users.len());
            users.push(account);
        }
    }
    users.shrink_to_fit();
    users
}

/// `name [hash [home [uid]]]`
fn line(entry: &Entry, values: &mut Values<'_>) -> Option<Account> {
    let name = values.account_name(&entry.key, "user");
    let words = entry.value()?;
    surplus(entry, 3, "a password hash, a home directory and a number", values);
    let password = words.first().and_then(|word| values.hash(word));
    let home = words.get(1).and_then(|word| values.guest_path(word));
    let uid = words.get(2).and_then(|word| {
        let uid = word.text.parse().ok().filter(|uid| *uid < u32::MAX);
        if uid.is_none() {
            values.bad_word(word, "a user number");
        }
        uid
    });
    Some(Account {
        name: name?,
        password,
        home,
        uid,
        ..Account::default()
    })
}

/// A block of keywords.
fn keywords(name: &Word, section: &Section, values: &mut Values<'_>) -> Option<Account> {
    let name = values.account_name(name, "user");
    let mut is_locked = is_on(section, "locked", values);
    let password = section.setting("password").and_then(|entry| {
        if entry.value_text() == "locked" {
            is_locked = true;
            return None;
        }
        values.password(entry)
    });
    let path = |values: &mut Values<'_>, entry: &Entry| -> Option<GuestPath> {
        let word = values.word(entry)?;
        values.guest_path(word)
    };
    let taken = |setting: Option<Sourced<GuestPath>>| setting.map(|path| path.value);
    let uid = values.setting(section, "uid", |values, entry| {
        values.number(entry, 0, u32::MAX - 1)
    });
    Some(Account {
        password,
        home: taken(values.setting(section, "home", path)),
        uid: uid.map(|uid| uid.value),
        gid: values
            .setting(section, "gid", Values::one_word)
            .map(|gid| gid.value),
        shell: taken(values.setting(section, "shell", path)),
        gecos: values
            .setting(section, "gecos", Values::text)
            .map(|text| text.value),
        is_system: is_on(section, "system", values),
        is_locked,
        expires_days: values.setting(section, "expires", day).map(|day| day.value),
        sudo: section.setting("sudo").and_then(sudo),
        groups: words(section, "groups"),
        authorized_keys: authorized_keys(section, values),
        subuid: range(section, "subuid", values),
        subgid: range(section, "subgid", values),
        name: name?,
    })
}

fn is_on(section: &Section, keyword: &str, values: &mut Values<'_>) -> bool {
    section
        .setting(keyword)
        .is_some_and(|entry| values.flag(entry) == Some(true))
}

fn words(section: &Section, keyword: &str) -> Vec<String> {
    let words = section
        .setting(keyword)
        .and_then(Entry::value)
        .unwrap_or_default();
    words.iter().map(|word| word.text.to_string()).collect()
}

/// What follows `sudo`: nothing, `nopasswd`, or a rule.
fn sudo(entry: &Entry) -> Option<Sudo> {
    match &*entry.value_text() {
        "0" | "off" | "no" => None,
        "" | "1" | "on" | "yes" => Some(Sudo::Password),
        "nopasswd" => Some(Sudo::NoPassword),
        rule => Some(Sudo::Rule(rule.to_owned())),
    }
}

/// Every key of the nearest block that gives any, and every line of `authorized_keys`.
fn authorized_keys(section: &Section, values: &mut Values<'_>) -> Vec<Sourced<String>> {
    let mut keys = Vec::new();
    let single = section.entries.iter().filter(|entry| &*entry.key.text == "key");
    let lines = section.section("authorized_keys").map(|block| &block.entries);
    for entry in single {
        if let Some(text) = values.text(entry) {
            check_key(&text, entry, values);
            keys.push(values.sourced(text, entry.key.span));
        }
    }
    for entry in lines.into_iter().flatten() {
        let text = match entry.value() {
            Some([]) | None => entry.key.text.to_string(),
            Some(_) => format!("{} {}", entry.key.text, entry.value_text()),
        };
        if !text.trim().is_empty() {
            check_key(&text, entry, values);
            keys.push(values.sourced(text, entry.key.span));
        }
    }
    keys
}

/// Reports a line that no ssh server would take for a key.
fn check_key(text: &str, entry: &Entry, values: &mut Values<'_>) {
    if text.parse::<ssh_key::authorized_keys::Entry>().is_err() {
        let expected = "an ssh public key, such as `ssh-ed25519 AAAAC3Nz.. name`".to_owned();
        let shown: String = text.chars().take(40).collect();
        let problem = Problem::BadValue {
            text: shown,
            expected,
            hint: None,
        };
        values.report(problem, entry.span());
    }
}

/// `FIRST COUNT`
fn range(section: &Section, keyword: &str, values: &mut Values<'_>) -> Option<(u32, u32)> {
    let entry = section.setting(keyword)?;
    let [first, count] = entry.value()? else {
        return values.bad_value(
            entry,
            "the first number and how many there are, such as `100000 65536`",
        );
    };
    let first: u32 = values.parsed(first, "a number")?;
    let many: u32 = values.parsed(count, "a number")?;
    if many == 0 || first.checked_add(many).is_none() {
        values.bad_word(count, "a count of numbers that there are");
        return None;
    }
    Some((first, many))
}

/// A day `YYYY-MM-DD` of the Gregorian calendar, counted from 1970-01-01.
fn day(values: &mut Values<'_>, entry: &Entry) -> Option<u32> {
    let word = values.word(entry)?;
    let day = days_since_epoch(&word.text);
    if day.is_none() {
        values.bad_word(word, "a day from 1970 on, such as `2030-12-31`");
    }
    day
}

fn days_since_epoch(text: &str) -> Option<u32> {
    let mut parts = text.split('-').map(|part| part.parse::<u32>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let is_leap =
        |year: u32| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let lengths = [
        31,
        if is_leap(year) { 29 } else { 28 },
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let before = usize::try_from(month.checked_sub(1)?).ok()?;
    let length = *lengths.get(before)?;
    if parts.next().is_some() || !(1970..=9999).contains(&year) || !(1..=length).contains(&day) {
        return None;
    }
    let years: u32 = (1970..year)
        .map(|year| if is_leap(year) { 366 } else { 365 })
        .sum();
    Some(years + lengths[..before].iter().sum::<u32>() + day - 1)
}

#[cfg(test)]
mod tests {
    use super::days_since_epoch;

    #[test]
    fn days_are_counted_from_the_epoch() {
        for (text, days) in [
            ("1970-01-01", Some(0)),
            ("2000-02-29", Some(11_016)),
            ("2026-01-01", Some(20_454)),
            ("2100-03-01", Some(47_541)),
            ("2026-02-29", None),
            ("2026-13-01", None),
            ("2026-00-10", None),
            ("1969-12-31", None),
            ("2026-01", None),
            ("2026-01-01-1", None),
            ("tomorrow", None),
        ] {
            assert_eq!(days_since_epoch(text), days, "{text}");
        }
    }
}
