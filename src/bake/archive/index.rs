//! The list of an archive's files, which comes first in it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::image::Blake3Digest;
use crate::project::HostName;

/// The version of the archive's form.
pub(super) const FORMAT: u32 = 1;

/// What the list is called in the archive.
pub(super) const NAME: &str = "archive.json";

/// The longest list that is read, in bytes: enough for 100,000 hosts.
pub(super) const LIMIT_BYTES: u64 = 256 << 20;

/// Files that no project is without.
pub(super) const NEEDED: [&str; 2] = ["manifest.json", "launch.json"];

/// The list.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Index {
    pub(super) format: u32,
    pub(super) project: String,
    /// Where the project lay.
    pub(super) directory: String,
    /// Every other file of the archive, in order.
    pub(super) files: Vec<IndexFile>,
}

/// One file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct IndexFile {
    /// Its path below the project's directory.
    pub(super) path: String,
    pub(super) len_bytes: u64,
    pub(super) mode: u32,
    /// When it was last written, in seconds and nanoseconds.
    pub(super) modified: (i64, i64),
    pub(super) blake3_of_data: Blake3Digest,
}

impl Index {
    /// What is wrong with the list; nothing may lead anywhere else than right into the project or one of its hosts.
    pub(super) fn fault(&self) -> Option<String> {
        let mut seen = BTreeSet::new();
        for file in &self.files {
            let path = &file.path;
            if !is_safe(path) {
                return Some(format!("`{}` is no file of a project", path.escape_debug()));
            }
            if !seen.insert(path.as_str()) {
                return Some(format!("`{path}` is in it twice"));
            }
        }
        let text = format!("{}.mln", self.project);
        let mut needed = NEEDED.into_iter().chain([text.as_str()]);
        let missing = needed.find(|name| !seen.contains(name));
        missing.map(|name| format!("`{name}` is missing"))
    }
}

/// Whether `path` is a plain name, or one below a host's.
fn is_safe(path: &str) -> bool {
    let is_plain = |name: &str| {
        !name.is_empty()
            && (!name.starts_with('.') || name == ".baked")
            && !name.contains(['/', '\\'])
            && !name.chars().any(char::is_control)
    };
    match path.split_once('/') {
        Some((host, name)) => HostName::new(host).is_some() && is_plain(name),
        None => is_plain(path) && path != ".baked",
    }
}

#[cfg(test)]
mod tests {
    use super::is_safe;

    #[test]
    fn only_files_of_a_project_and_its_hosts_are_safe() {
        for path in [
            "manifest.json",
            "lab.mln",
            "dnsmasq.lan.conf",
            "www1/root.img",
            "www1/.baked",
        ] {
            assert!(is_safe(path), "{path}");
        }
        for path in [
            "",
            "/etc/passwd",
            "..",
            "../x",
            "www1/../x",
            "www1/..",
            "www1//x",
            "a/b/c",
            ".ssh",
            ".ssh/x",
            "www1/.x",
            "./x",
            "www1/",
            "a\\b",
            "a\nb",
            ".baked",
        ] {
            assert!(!is_safe(path), "{path}");
        }
    }
}
