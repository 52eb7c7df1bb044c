//! Which family of distributions a template holds, told by the files that distributions carry for this purpose.
//!
//! See os-release(5) for `ID` and `ID_LIKE`; systems older than that file are told by `/etc/debian_version`.

use crate::base::GuestPath;
use crate::edit::GuestView;

use super::error::GuestError;
use super::target;
use super::text::lines;
use super::{Detected, Family};

/// Where a distribution names itself, the administrator's file first.
const OS_RELEASE: [&str; 2] = ["/etc/os-release", "/usr/lib/os-release"];

/// The marker files of other families, for a message that says what the template is.
const FOREIGN: [(&str, &str); 7] = [
    ("/etc/alpine-release", "Alpine Linux"),
    ("/etc/arch-release", "Arch Linux"),
    ("/etc/gentoo-release", "Gentoo"),
    ("/etc/redhat-release", "a Red Hat family system"),
    ("/etc/sysconfig/network-scripts", "a Red Hat family system"),
    ("/etc/SuSE-release", "SUSE Linux"),
    ("/etc/slackware-version", "Slackware"),
];

/// Tells the template's family, with the evidence.
pub(super) fn detect(view: &dyn GuestView) -> Result<Detected<Family>, GuestError> {
    for path in OS_RELEASE {
        if let Some(content) = target::read(view, path)? {
            return by_os_release(path, &content);
        }
    }
    if view.exists(&GuestPath::literal("/etc/debian_version"))? {
        let lsb = target::read(view, "/etc/lsb-release")?.unwrap_or_default();
        if value(&lsb, b"DISTRIB_ID").as_deref() == Some("Ubuntu") {
            return Ok(Detected::new(
                Family::Ubuntu,
                "`/etc/lsb-release` says DISTRIB_ID=Ubuntu",
            ));
        }
        return Ok(Detected::new(
            Family::Debian,
            "the template has `/etc/debian_version`",
        ));
    }
    for (path, name) in FOREIGN {
        if view.exists(&GuestPath::literal(path))? {
            return Err(GuestError::NotDebian {
                found: name.to_owned(),
                reason: format!("it has `{path}`"),
            });
        }
    }
    Err(GuestError::UnknownFamily)
}

/// The family that an `os-release` file names.
fn by_os_release(path: &str, content: &[u8]) -> Result<Detected<Family>, GuestError> {
    let id = value(content, b"ID").unwrap_or_else(|| "linux".to_owned());
    let like = value(content, b"ID_LIKE").unwrap_or_default();
    let by_id = match id.as_str() {
        "debian" => Some(Family::Debian),
        "ubuntu" => Some(Family::Ubuntu),
        _ => None,
    };
    if let Some(family) = by_id {
        return Ok(Detected::new(family, &format!("`{path}` says ID={id}")));
    }
    let likes = |name: &str| like.split_ascii_whitespace().any(|word| word == name);
    let family = match (likes("ubuntu"), likes("debian")) {
        (true, _) => Family::Ubuntu,
        (false, true) => Family::Debian,
        (false, false) => {
            return Err(GuestError::NotDebian {
                found: value(content, b"PRETTY_NAME").unwrap_or_else(|| id.clone()),
                reason: format!("`{path}` says ID={id}"),
            });
        }
    };
    Ok(Detected::new(family, &format!("`{path}` says ID_LIKE={like}")))
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
            (
                "ID=fedora\nPRETTY_NAME=\"Fedora Linux 40\"\n",
                Err(
                    "the template holds Fedora Linux 40, and only Debian and Ubuntu can be configured \
                     (`/etc/os-release` says ID=fedora)",
                ),
            ),
            (
                "",
                Err(
                    "the template holds linux, and only Debian and Ubuntu can be configured \
                     (`/etc/os-release` says ID=linux)",
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
