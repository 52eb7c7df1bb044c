//! Proving an image before it gets its name.

use std::fs::File;
use std::path::Path;

use super::error::HostError;
use crate::base::PathError;
use crate::ext::Fs;
use crate::image::Blake3Digest;

/// How many findings of a check are shown.
const SHOWN_FINDINGS: usize = 10;

/// Checks the finished file system.
pub(super) fn check(fs: &Fs) -> Result<(), HostError> {
    let findings = fs.check().map_err(|source| HostError::FileSystem {
        action: "check",
        source,
    })?;
    if findings.is_empty() {
        return Ok(());
    }
    let shown: Vec<String> = findings
        .iter()
        .take(SHOWN_FINDINGS)
        .map(ToString::to_string)
        .collect();
    Err(HostError::Unsound {
        findings: shown.join("\n"),
    })
}

/// Reads the file at `path` whole and holds it against `expected`.
pub(super) fn compare(path: &Path, expected: Blake3Digest) -> Result<(), HostError> {
    let read = |path: &Path| Blake3Digest::of_reader(File::open(path)?);
    let found = read(path).map_err(PathError::on("read back", path))?;
    if found == expected {
        Ok(())
    } else {
        Err(HostError::WrittenWrong {
            path: path.to_path_buf(),
            expected,
            found,
        })
    }
}
