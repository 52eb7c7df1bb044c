//! The blocks of a host whose lines are records: users, groups, modules, files and mounts.

use super::model::{ExtraMount, FileCopy, Group};
use super::problem::Problem;
use super::section::{Content, Entry, Section};
use super::users;
use super::values::Values;
use crate::base::Sourced;
use crate::lang::Word;

/// Reports what is wrong with the records of a block that may have no host.
pub(super) fn check(section: &Section, values: &mut Values<'_>) {
    if !section.per_host() {
        drop(users::users(section, values));
        drop(groups(section, values));
        drop(files(section, values));
        drop(mounts(section, values));
    }
}

/// The groups with their members, each named once.
pub(super) fn groups(section: &Section, values: &mut Values<'_>) -> Vec<Sourced<Group>> {
    let Some(groups) = section.section("groups") else {
        return Vec::new();
    };
    let mut made = Vec::new();
    for (name, section) in groups.sections() {
        let Some(group) = values.account_name(name, "group") else {
            continue;
        };
        let mut members: Vec<Sourced<String>> = Vec::new();
        for entry in section.entries.iter().filter(|entry| !entry.is_definition) {
            let words = std::iter::once(&entry.key).chain(entry.value().unwrap_or_default());
            for word in words {
                let Some(member) = values.account_name(word, "user") else {
                    continue;
                };
                if members.iter().all(|known| known.value != member) {
                    members.push(values.sourced(member, word.span));
                }
            }
        }
        members.shrink_to_fit();
        made.push(values.sourced(Group { name: group, members }, name.span));
    }
    // Every host has these lists.
    made.shrink_to_fit();
    made
}

/// The kernel modules; `None` if the host has no such block.
pub(super) fn modules(section: &Section, values: &mut Values<'_>) -> Option<Sourced<Vec<String>>> {
    let block = section.section("modules")?;
    let text = |entry: &Entry| {
        let words = std::iter::once(&entry.key).chain(entry.value().unwrap_or_default());
        words.map(|word| &*word.text).collect::<Vec<_>>().join(" ")
    };
    let modules = records(section, "modules").map(text).collect();
    Some(values.sourced(modules, block.header))
}

/// The files to copy in.
pub(super) fn files(section: &Section, values: &mut Values<'_>) -> Vec<Sourced<FileCopy>> {
    let mut files = Vec::new();
    for entry in records(section, "files") {
        let words = entry.value().unwrap_or_default();
        surplus(entry, 2, "a destination and a mode", values);
        let Some(word) = words.first() else {
            values.missing(entry);
            continue;
        };
        let mode = words.get(1).and_then(|word| mode(word, values));
        let Some(destination) = values.guest_path(word) else {
            continue;
        };
        let copy = FileCopy {
            source: entry.key.text.to_string(),
            destination,
            into_directory: word.text.ends_with('/'),
            mode,
        };
        files.push(values.sourced(copy, entry.key.span));
    }
    files
}

fn mode(word: &Word, values: &mut Values<'_>) -> Option<u16> {
    let mode = u16::from_str_radix(&word.text, 8)
        .ok()
        .filter(|mode| *mode <= 0o7777);
    if mode.is_none() {
        values.bad_word(word, "a file mode of octal digits");
    }
    mode
}

/// The further disks and file systems.
pub(super) fn mounts(section: &Section, values: &mut Values<'_>) -> Vec<Sourced<ExtraMount>> {
    let mut mounts = Vec::new();
    for entry in records(section, "mount") {
        let words = entry.value().unwrap_or_default();
        surplus(entry, 3, "a mount point, a type and options", values);
        let [mount_point, file_system, ..] = words else {
            values.missing(entry);
            continue;
        };
        let Some(mount_point) = values.guest_path(mount_point) else {
            continue;
        };
        let mount = ExtraMount {
            source: entry.key.text.to_string(),
            mount_point,
            file_system: file_system.text.to_string(),
            options: words.get(2).map_or("defaults", |word| &word.text).to_owned(),
        };
        mounts.push(values.sourced(mount, entry.key.span));
    }
    mounts
}

/// The lines of the block `name`, without definitions of variables.
fn records<'s>(section: &'s Section, name: &str) -> impl Iterator<Item = &'s Entry> {
    let entries = section
        .section(name)
        .map(|block| block.entries.as_slice())
        .unwrap_or_default();
    entries
        .iter()
        .filter(|entry| matches!(entry.content, Content::Value(_)) && !entry.is_definition)
}

pub(super) fn surplus(entry: &Entry, taken: usize, what: &'static str, values: &mut Values<'_>) {
    if let Some(word) = entry.value().and_then(|words| words.get(taken)) {
        let keyword = entry.key.text.to_string();
        values.report(Problem::SurplusWords { keyword, taken: what }, word.span);
    }
}
