//! Proving an image before it gets its name.

use std::fs::File;
use std::path::Path;

use super::error::HostError;
use crate::base::PathError;
use crate::block::{BlockDevice, Delta};
use crate::ext::{Finding, Fs};
use crate::image::{BaseImage, Blake3Digest, qcow2, uml_cow};
use crate::project::ImageFormat;

/// How many bytes are compared at once.
const COMPARED_BYTES: usize = 1 << 20;

/// How many findings of a check are shown.
const SHOWN_FINDINGS: usize = 10;

/// Checks the finished file system.
pub(super) fn check(fs: &Fs) -> Result<(), HostError> {
    let findings = fs.check().map_err(|source| HostError::FileSystem {
        action: "check",
        source,
    })?;
    demand_none(&findings)
}

/// Turns findings into an error.
pub(super) fn demand_none(findings: &[Finding]) -> Result<(), HostError> {
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

/// Reads the delta image at `path` over its backing, and holds what it shows against `delta` over `base`.
pub(super) fn compare_delta(
    path: &Path,
    format: ImageFormat,
    base: &BaseImage,
    delta: &Delta,
) -> Result<(), HostError> {
    let image: Box<dyn BlockDevice> = match format {
        ImageFormat::UmlCow => Box::new(uml_cow::CowDevice::open(path)?),
        _ => Box::new(qcow2::Qcow2Device::open(path)?),
    };
    let (mut found, mut expected) = (vec![0; COMPARED_BYTES], vec![0; COMPARED_BYTES]);
    let mut offset = 0;
    while offset < delta.len_bytes() {
        let rest = usize::try_from(delta.len_bytes() - offset).unwrap_or(usize::MAX);
        let len = rest.min(COMPARED_BYTES);
        image.read_at(offset, &mut found[..len])?;
        delta.read_at(base, offset, &mut expected[..len])?;
        if found[..len] != expected[..len] {
            return Err(HostError::ShowsWrong {
                path: path.to_path_buf(),
                offset_bytes: offset,
            });
        }
        offset += u64::try_from(len).unwrap_or(u64::MAX);
    }
    Ok(())
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
