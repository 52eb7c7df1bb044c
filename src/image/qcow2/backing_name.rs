//! What a qcow2 image calls its backing file.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Component, Path, PathBuf};

use super::error::QcowError;
use super::raw::MOST_BACKING_NAME;
use crate::base::PathError;

/// The path of `backing` from the directory that `image` will lie in, so that both may be moved together.
pub(super) fn backing_name(image: &Path, backing: &Path) -> Result<Vec<u8>, QcowError> {
    let from = real_directory(image)?;
    let to = real_directory(backing)?.join(backing.file_name().unwrap_or_default());
    let name = as_file_name(relative(&from, &to)).into_os_string().into_vec();
    if name.len() > MOST_BACKING_NAME {
        return Err(QcowError::LongPath {
            path_bytes: name.len(),
            most_bytes: MOST_BACKING_NAME,
            path: OsString::from_vec(name).into(),
        });
    }
    Ok(name)
}

/// The directory of `path` without symbolic links, from where `..` leads where it says.
fn real_directory(path: &Path) -> Result<PathBuf, PathError> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::canonicalize(directory).map_err(PathError::on("find", directory))
}

/// The way from the directory `from` to `to`, both absolute.
fn relative(from: &Path, to: &Path) -> PathBuf {
    let shared = from
        .components()
        .zip(to.components())
        .take_while(|(one, other)| one == other)
        .count();
    let up = from.components().skip(shared).map(|_| Component::ParentDir);
    up.chain(to.components().skip(shared)).collect()
}

/// A name that QEMU takes for a file's: what has a colon before its first slash is a protocol to it.
fn as_file_name(path: PathBuf) -> PathBuf {
    let bytes = path.as_os_str().as_bytes();
    let first = bytes.iter().find(|byte| matches!(byte, b':' | b'/'));
    if first == Some(&b':') {
        Path::new(".").join(path)
    } else {
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_the_backing_is_relative() {
        for (from, to, expected) in [
            ("/p/web/host1", "/t/debian.img", "../../../t/debian.img"),
            ("/p/web", "/p/web/base.img", "base.img"),
            ("/", "/base.img", "base.img"),
            ("/p", "/base.img", "../base.img"),
        ] {
            assert_eq!(relative(Path::new(from), Path::new(to)), Path::new(expected));
        }
    }

    #[test]
    fn a_name_with_a_colon_stays_a_name() {
        for (path, expected) in [
            ("nbd:x", "./nbd:x"),
            ("a/nbd:x", "a/nbd:x"),
            ("../a:b", "../a:b"),
            ("plain", "plain"),
        ] {
            assert_eq!(as_file_name(path.into()), Path::new(expected));
        }
    }
}
