//! The guest's file systems: fstab(5). Root, swap and the project's mounts stand in a marked block; the template's
//! other lines stay.

use std::fmt::Write as _;

use crate::base::Origin;
use crate::edit::{Attributes, Edit, EditList, GuestView};
use crate::project::{DiskUse, ExtraMount, Host, Platform};

use super::RootFileSystem;
use super::error::GuestError;
use super::target::{self, Target};
use super::text::{with_block, words};

/// How many disks a host may have: one for each letter of the alphabet.
const LIMIT_DISKS: usize = 26;

/// Writes `/etc/fstab`.
pub(super) fn configure(
    host: &Host,
    view: &dyn GuestView,
    root: RootFileSystem,
    root_names: &[String],
) -> Result<EditList, GuestError> {
    let target = Target::open(view, "/etc/fstab")?;
    let mut lines = entries(host, root)?;
    let present = target.content.as_deref().unwrap_or_default();
    lines.retain_mut(|entry| entry.mount_point != "/" || !settle_root(entry, present, root_names));
    let mut origins = vec![host.platform.origin.clone()];
    origins.extend(host.swap.iter().map(|swap| swap.origin.clone()));
    origins.extend(host.mounts.iter().map(|mount| mount.origin.clone()));
    let block: String = lines.iter().map(Entry::line).collect();
    let content = target.content.unwrap_or_default();
    let content = with_block(&content, &block, |line| {
        !lines.iter().any(|entry| entry.replaces(line))
    });
    let mut edit = Edit::file(target.path, content, Attributes::default(), host.origin.clone());
    edit.origins = dedup(origins);
    let mut edits = EditList::new();
    edits.push(edit);
    edits.extend(mount_points(host, view)?);
    Ok(edits)
}

/// The directories that file systems are mounted on, where the template has none: most inits make none themselves.
fn mount_points(host: &Host, view: &dyn GuestView) -> Result<Vec<Edit>, GuestError> {
    let mut made = Vec::new();
    for mount in host
        .mounts
        .iter()
        .filter(|mount| mount.value.file_system != "swap")
    {
        let place = target::place(view, &mount.value.mount_point)?;
        if !view.exists(&place)? {
            let attributes = Attributes::owned(0o755, 0, 0);
            made.push(Edit::directory(place, attributes, mount.origin.clone()));
        }
    }
    Ok(made)
}

/// Gives a whole disk's root the name that it has everywhere; tells whether the template's own line for it is right.
fn settle_root(root: &mut Entry, present: &[u8], names: &[String]) -> bool {
    let Some(name) = names.first() else {
        return false;
    };
    root.device.clone_from(name);
    let is_right = |line: &[u8]| {
        let device = words(line).next().unwrap_or_default();
        let device: Vec<u8> = device.iter().copied().filter(|byte| *byte != b'"').collect();
        names
            .iter()
            .any(|name| escaped(name).as_bytes().eq_ignore_ascii_case(&device))
    };
    // What an earlier bake wrote is written anew.
    let outside = with_block(present, "", |_| true);
    let mut own = outside
        .split(|byte| *byte == b'\n')
        .filter(|line| root.replaces(line))
        .peekable();
    own.peek().is_some() && own.all(is_right)
}

/// One line of the file.
#[derive(Debug)]
struct Entry {
    device: String,
    mount_point: String,
    file_system: String,
    options: String,
    /// When fsck checks it: root first, then other disks, 0 for never.
    pass: u8,
}

impl Entry {
    fn line(&self) -> String {
        format!(
            "{}\t{}\t{}\t{}\t0\t{}\n",
            escaped(&self.device),
            escaped(&self.mount_point),
            escaped(&self.file_system),
            escaped(&self.options),
            self.pass
        )
    }

    /// Whether a line of the template is for the same mount point, or the same swap space.
    fn replaces(&self, line: &[u8]) -> bool {
        let mut words = words(line);
        let (device, mount_point) = (words.next(), words.next());
        let same = |word: Option<&[u8]>, text: &str| word == Some(escaped(text).as_bytes());
        if self.mount_point == "none" {
            same(device, &self.device)
        } else {
            same(mount_point, &self.mount_point)
        }
    }
}

/// The lines that the project asks for: the disks in their order, then the mounts that are no disks.
fn entries(host: &Host, root: RootFileSystem) -> Result<Vec<Entry>, GuestError> {
    let disks = host.disks();
    if disks.len() > LIMIT_DISKS {
        return Err(GuestError::TooManyDisks {
            count: disks.len(),
            limit: LIMIT_DISKS,
            origin: host.origin.clone(),
        });
    }
    let devices = host.platform.value.root_device();
    let mut entries = Vec::new();
    for (index, disk) in disks.into_iter().enumerate() {
        let device = devices.disk(index);
        entries.push(match disk {
            DiskUse::Root => Entry {
                device,
                mount_point: "/".to_owned(),
                file_system: root.name().to_owned(),
                options: "errors=remount-ro".to_owned(),
                pass: 1,
            },
            DiskUse::Swap => Entry {
                device,
                mount_point: "none".to_owned(),
                file_system: "swap".to_owned(),
                options: "sw".to_owned(),
                pass: 0,
            },
            DiskUse::Mount(mount) => mount_entry(mount, device, mount.options.clone(), 2),
        });
    }
    for mount in host.mounts.iter().filter(|mount| !mount.value.is_disk()) {
        entries.push(match mount.value.file_system.as_str() {
            "hostfs" if host.platform.value != Platform::Uml => {
                return Err(GuestError::HostfsElsewhere {
                    platform: host.platform.value,
                    origin: mount.origin.clone(),
                });
            }
            "hostfs" => mount_entry(&mount.value, "none".to_owned(), hostfs_options(&mount.value), 0),
            _ => {
                let options = mount.value.options.clone();
                mount_entry(&mount.value, mount.value.source.clone(), options, 0)
            }
        });
    }
    Ok(entries)
}

fn mount_entry(mount: &ExtraMount, device: String, options: String, pass: u8) -> Entry {
    let mount_point = mount.mount_point.to_string();
    Entry {
        device,
        // Swap has no place in the tree, whatever the project calls its place.
        mount_point: if mount.file_system == "swap" {
            "none".to_owned()
        } else {
            mount_point
        },
        file_system: mount.file_system.clone(),
        options,
        pass: if matches!(mount.file_system.as_str(), "swap" | "iso9660") {
            0
        } else {
            pass
        },
    }
}

/// The host's directory stands among the options of a `hostfs` mount.
fn hostfs_options(mount: &ExtraMount) -> String {
    match mount.options.as_str() {
        "" | "defaults" => mount.source.clone(),
        options => format!("{options},{}", mount.source),
    }
}

/// A column with the characters that would end it written in octal, as fstab(5) asks.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            ' ' | '\t' | '\n' | '\\' | '#' => {
                write!(escaped, "\\{:03o}", u32::from(letter)).expect("writing to a string does not fail");
            }
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// The origins without repetitions, in order.
fn dedup(origins: Vec<Origin>) -> Vec<Origin> {
    let mut kept: Vec<Origin> = Vec::with_capacity(origins.len());
    for origin in origins {
        if !kept.contains(&origin) {
            kept.push(origin);
        }
    }
    kept
}
