//! Where the host's own apt gets Debian from: a template is built from the same place.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::error::TemplateError;
use crate::base::PathError;

/// The keys that Debian's archive is signed with, as the package `debian-archive-keyring` brings them.
pub(super) const DEBIAN_KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The archive that every Debian system may use when the host says nothing.
const DEFAULT_ARCHIVE: &str = "http://deb.debian.org/debian";
/// The security archive that goes with it.
const DEFAULT_SECURITY: &str = "http://deb.debian.org/debian-security";

/// One place that packages come from.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Archive {
    uri: String,
    suites: Vec<String>,
}

/// The lines of a `sources.list` for `suite`.
///
/// With `mirror`, that archive alone; else what the host's configuration in `apt_directory` (usually `/etc/apt`) uses
/// for the suite, or for Debian at all; else Debian's own servers.
pub(super) fn source_lines(
    suite: &str,
    components: &[String],
    mirror: Option<&str>,
    apt_directory: &Path,
) -> Result<Vec<String>, TemplateError> {
    let components = components.join(" ");
    let line =
        |uri: &str, suite: &str| format!("deb [signed-by={DEBIAN_KEYRING}] {uri} {suite} {components}");
    if let Some(mirror) = mirror {
        return Ok(vec![line(mirror, suite)]);
    }
    let archives = host_archives(apt_directory)?;
    let security_suite = format!("{suite}-security");
    let main = choose(&archives, suite, "/debian");
    let security = choose(&archives, &security_suite, "/debian-security");
    // A host with a mirror of its own may not reach any other server, so that its security archive is not guessed.
    let (main, security) = match (main, security) {
        (None, None) => (DEFAULT_ARCHIVE, Some(DEFAULT_SECURITY)),
        (main, security) => (main.unwrap_or(DEFAULT_ARCHIVE), security),
    };
    let mut lines = vec![line(main, suite)];
    lines.extend(security.map(|uri| line(uri, &security_suite)));
    Ok(lines)
}

/// The archive that has `suite`, else the first whose address ends like Debian's: a host of another release.
fn choose<'a>(archives: &'a [Archive], suite: &str, ending: &str) -> Option<&'a str> {
    let has_suite = |archive: &&Archive| archive.suites.iter().any(|known| known == suite);
    let is_debian = |archive: &&Archive| archive.uri.trim_end_matches('/').ends_with(ending);
    let chosen = archives
        .iter()
        .find(has_suite)
        .or_else(|| archives.iter().find(is_debian));
    chosen.map(|archive| archive.uri.as_str())
}

/// Every archive in the host's configuration, in the order in which apt reads it.
fn host_archives(apt_directory: &Path) -> Result<Vec<Archive>, TemplateError> {
    let mut files = vec![apt_directory.join("sources.list")];
    files.extend(sorted_files(&apt_directory.join("sources.list.d"))?);
    let mut archives = Vec::new();
    for path in files {
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(PathError::on("read", &path)(error).into()),
        };
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("list") => archives.extend(text.lines().filter_map(one_line)),
            Some("sources") => archives.extend(text.split("\n\n").flat_map(stanza)),
            _ => {}
        }
    }
    Ok(archives)
}

fn sorted_files(directory: &Path) -> Result<Vec<PathBuf>, TemplateError> {
    let failed = || PathError::on("read the directory", directory);
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed()(error).into()),
    };
    let paths: Result<Vec<PathBuf>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths.map_err(failed())?;
    paths.sort();
    Ok(paths)
}

/// The archive of a line like `deb [signed-by=/k] http://host/debian bookworm main`.
fn one_line(line: &str) -> Option<Archive> {
    let rest = line.trim().strip_prefix("deb")?;
    let rest = rest.strip_prefix([' ', '\t'])?.trim_start();
    let rest = match rest.strip_prefix('[') {
        Some(options) => options.split_once(']')?.1,
        None => rest,
    };
    let mut words = rest.split_whitespace();
    Some(Archive {
        uri: words.next()?.to_owned(),
        suites: vec![words.next()?.to_owned()],
    })
}

/// The archives of a stanza in the deb822 form, one for each address; none for one that is off or has only sources.
fn stanza(text: &str) -> Vec<Archive> {
    let field = |name: &str| {
        let mut words = Vec::new();
        let mut is_inside = false;
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if line.starts_with([' ', '\t']) {
                words.extend(line.split_whitespace().filter(|_| is_inside));
            } else if let Some((key, value)) = line.split_once(':') {
                is_inside = key.eq_ignore_ascii_case(name);
                words.extend(value.split_whitespace().filter(|_| is_inside));
            }
        }
        words.into_iter().map(ToOwned::to_owned).collect::<Vec<String>>()
    };
    let is_off = field("Enabled").iter().any(|word| word == "no");
    if is_off || !field("Types").iter().any(|word| word == "deb") {
        return Vec::new();
    }
    let suites = field("Suites");
    let archives = field("URIs").into_iter().map(|uri| Archive {
        uri,
        suites: suites.clone(),
    });
    archives.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines for bookworm on a host with these files under `/etc/apt`.
    fn lines(files: &[(&str, &str)], mirror: Option<&str>) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("sources.list.d")).unwrap();
        for (name, text) in files {
            let path = directory.path().join(name);
            crate::base::atomic::write(&path, text.as_bytes(), crate::base::atomic::Durability::NoSync)
                .unwrap();
        }
        let components = ["main".to_owned(), "contrib".to_owned()];
        let lines = source_lines("bookworm", &components, mirror, directory.path()).unwrap();
        lines
            .iter()
            .map(|line| {
                line.strip_prefix(&format!("deb [signed-by={DEBIAN_KEYRING}] "))
                    .unwrap()
                    .to_owned()
            })
            .collect()
    }

    #[test]
    fn the_hosts_own_mirror_is_used() {
        let deb822 = "Types: deb\n# a comment\nURIs: http://mirror.lan/debian\nSuites: bookworm\n bookworm-updates\n\
                      Components: main\n\nTypes: deb\nURIs: http://mirror.lan/sec\nSuites: bookworm-security\n";
        let expected = [
            "http://mirror.lan/debian bookworm main contrib",
            "http://mirror.lan/sec bookworm-security main contrib",
        ];
        assert_eq!(
            lines(&[("sources.list.d/debian.sources", deb822)], None),
            expected
        );
        let list = "# deb http://old/debian bookworm main\ndeb-src http://src/debian bookworm main\n\
                    deb [arch=amd64 trusted=yes] http://mirror.lan/debian bookworm main\n\
                    deb http://mirror.lan/sec bookworm-security main\n";
        assert_eq!(lines(&[("sources.list", list)], None), expected);
    }

    #[test]
    fn a_host_of_another_release_lends_its_mirror() {
        let list = "deb http://nodejs.lan/apt trixie main\ndeb http://mirror.lan/debian/ trixie main\n";
        assert_eq!(
            lines(&[("sources.list.d/a.list", list)], None),
            ["http://mirror.lan/debian/ bookworm main contrib"]
        );
    }

    #[test]
    fn a_host_that_is_no_debian_gets_debians_servers() {
        let ubuntu = "deb http://archive.ubuntu.com/ubuntu noble main\n";
        assert_eq!(
            lines(&[("sources.list", ubuntu)], None),
            [
                "http://deb.debian.org/debian bookworm main contrib",
                "http://deb.debian.org/debian-security bookworm-security main contrib"
            ]
        );
    }

    #[test]
    fn a_mirror_that_is_given_is_the_only_one() {
        let list = "deb http://mirror.lan/debian bookworm main\n";
        assert_eq!(
            lines(&[("sources.list", list)], Some("http://x/debian")),
            ["http://x/debian bookworm main contrib"]
        );
    }
}
