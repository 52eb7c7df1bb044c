//! Which family of distributions a template holds, told by the files that distributions carry for this purpose.
//!
//! See os-release(5) for `ID` and `ID_LIKE`; systems older than that file are told by a file of their own, such as
//! `/etc/debian_version`. Files that speak for two families are an error, not a guess.

use crate::base::GuestPath;
use crate::edit::GuestView;
use crate::project::Host;

use super::error::GuestError;
use super::target;
use super::text::lines;
use super::{Detected, Family};

/// Where a distribution names itself, the administrator's file first.
const OS_RELEASE: [&str; 2] = ["/etc/os-release", "/usr/lib/os-release"];

/// The families that a distribution's `ID`, or a word of its `ID_LIKE`, stands for.
const IDS: [(&str, Family); 22] = [
    ("debian", Family::Debian),
    ("ubuntu", Family::Ubuntu),
    ("fedora", Family::RedHat),
    ("rhel", Family::RedHat),
    ("centos", Family::RedHat),
    ("rocky", Family::RedHat),
    ("almalinux", Family::RedHat),
    ("ol", Family::RedHat),
    ("amzn", Family::RedHat),
    ("opensuse", Family::Suse),
    ("opensuse-leap", Family::Suse),
    ("opensuse-tumbleweed", Family::Suse),
    ("suse", Family::Suse),
    ("sles", Family::Suse),
    ("sled", Family::Suse),
    ("sle-micro", Family::Suse),
    ("arch", Family::Arch),
    ("archarm", Family::Arch),
    ("archlinux", Family::Arch),
    ("alpine", Family::Alpine),
    ("buildroot", Family::Busybox),
    ("busybox", Family::Busybox),
];

/// The files of systems without os-release(5).
const MARKERS: [(&str, Family); 6] = [
    ("/etc/debian_version", Family::Debian),
    ("/etc/redhat-release", Family::RedHat),
    ("/etc/fedora-release", Family::RedHat),
    ("/etc/SuSE-release", Family::Suse),
    ("/etc/arch-release", Family::Arch),
    ("/etc/alpine-release", Family::Alpine),
];

/// The programs that make up a system which has nothing else.
const BUSYBOX: [&str; 2] = ["/bin/busybox", "/usr/bin/busybox"];

/// Tells the family: the project's word, else the template's evidence.
pub(super) fn detect(host: &Host, view: &dyn GuestView) -> Result<Detected<Family>, GuestError> {
    if let Some(family) = &host.family {
        let reason = format!("the project says so ({})", family.origin);
        return Ok(Detected::new(family.value, &reason));
    }
    for path in OS_RELEASE {
        if let Some(content) = target::read(view, path)? {
            return by_os_release(path, &content);
        }
    }
    by_markers(view)
}

/// The family of a system without os-release(5).
fn by_markers(view: &dyn GuestView) -> Result<Detected<Family>, GuestError> {
    let mut found: Vec<Detected<Family>> = Vec::new();
    for (path, family) in MARKERS {
        let is_new = found.iter().all(|known| known.value != family);
        if is_new && view.exists(&GuestPath::literal(path))? {
            found.push(Detected::new(family, &format!("the template has `{path}`")));
        }
    }
    if let [debian] = found.as_mut_slice()
        && debian.value == Family::Debian
    {
        let lsb = target::read(view, "/etc/lsb-release")?.unwrap_or_default();
        if value(&lsb, b"DISTRIB_ID").as_deref() == Some("Ubuntu") {
            *debian = Detected::new(Family::Ubuntu, "`/etc/lsb-release` says DISTRIB_ID=Ubuntu");
        }
    }
    if found.len() > 1 {
        return Err(GuestError::SeveralFamilies {
            evidence: found
                .iter()
                .map(|family| format!("`{}`, for {}", family.value.name(), family.reason))
                .collect(),
        });
    }
    if let Some(family) = found.pop() {
        return Ok(family);
    }
    for path in BUSYBOX {
        if view.exists(&GuestPath::literal(path))? {
            let reason = format!("the template has `{path}` and names no distribution");
            return Ok(Detected::new(Family::Busybox, &reason));
        }
    }
    Err(GuestError::UnknownFamily)
}

/// The family that an `os-release` file names.
fn by_os_release(path: &str, content: &[u8]) -> Result<Detected<Family>, GuestError> {
    let id = value(content, b"ID").unwrap_or_else(|| "linux".to_owned());
    let like = value(content, b"ID_LIKE").unwrap_or_default();
    let known = |word: &str| {
        IDS.iter()
            .find(|(name, _)| *name == word)
            .map(|(_, family)| *family)
    };
    if let Some(family) = known(&id) {
        return Ok(Detected::new(family, &format!("`{path}` says ID={id}")));
    }
    // What is like Ubuntu says that it is like Debian too.
    let mut likes: Vec<Family> = like.split_ascii_whitespace().filter_map(known).collect();
    if likes.contains(&Family::Ubuntu) {
        likes.retain(|family| *family != Family::Debian);
    }
    likes.dedup();
    match likes.as_slice() {
        [family] => Ok(Detected::new(*family, &format!("`{path}` says ID_LIKE={like}"))),
        [] => Err(GuestError::ForeignFamily {
            found: value(content, b"PRETTY_NAME").unwrap_or_else(|| id.clone()),
            reason: format!("`{path}` says ID={id}"),
        }),
        several => Err(GuestError::SeveralFamilies {
            evidence: several
                .iter()
                .map(|family| format!("`{}`, for `{path}` says ID_LIKE={like}", family.name()))
                .collect(),
        }),
    }
}

/// The value of `key` in a file of shell assignments, its quotes taken off; the last one counts, as in a shell.
fn value(content: &[u8], key: &[u8]) -> Option<String> {
    let raw = lines(content)
        .into_iter()
        .rev()
        .find_map(|line| line.trim_ascii().strip_prefix(key)?.strip_prefix(b"="))?;
    let text = String::from_utf8_lossy(raw.trim_ascii());
    let bare = ['"', '\'']
        .iter()
        .find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote));
    Some(bare.unwrap_or(&text).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn os_release_tells_the_family_or_names_what_it_is() {
        for (content, expected) in [
            ("ID=debian\n", Ok(Family::Debian)),
            ("NAME=x\nID=\"ubuntu\"\nID_LIKE=debian\n", Ok(Family::Ubuntu)),
            ("ID='raspbian'\nID_LIKE=debian", Ok(Family::Debian)),
            ("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", Ok(Family::Ubuntu)),
            ("ID=fedora\n", Ok(Family::RedHat)),
            (
                "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n",
                Ok(Family::RedHat),
            ),
            ("ID=mylinux\nID_LIKE=\"rhel centos fedora\"\n", Ok(Family::RedHat)),
            (
                "ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n",
                Ok(Family::Suse),
            ),
            ("ID=manjaro\nID_LIKE=arch\n", Ok(Family::Arch)),
            ("ID=alpine\n", Ok(Family::Alpine)),
            ("ID=buildroot\n", Ok(Family::Busybox)),
            (
                "ID=both\nID_LIKE=\"debian fedora\"\n",
                Err(
                    "the template could be `debian`, for `/etc/os-release` says ID_LIKE=debian fedora, or `redhat`, \
                     for `/etc/os-release` says ID_LIKE=debian fedora; choose one by the keyword `family`",
                ),
            ),
            (
                "ID=slackware\nPRETTY_NAME=\"Slackware 15.0\"\n",
                Err(
                    "the template holds Slackware 15.0, which is of no family that is known here \
                     (`/etc/os-release` says ID=slackware); choose the nearest one by the keyword `family`",
                ),
            ),
            (
                "",
                Err(
                    "the template holds linux, which is of no family that is known here \
                     (`/etc/os-release` says ID=linux); choose the nearest one by the keyword `family`",
                ),
            ),
        ] {
            let found = by_os_release("/etc/os-release", content.as_bytes());
            let found = found
                .map(|family| family.value)
                .map_err(|error| error.to_string());
            assert_eq!(found, expected.map_err(str::to_owned), "{content:?}");
        }
    }
}
