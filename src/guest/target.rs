//! The guest's configuration files: found through links that stay inside the image, read with a limit, and refused
//! when they are no regular files. Templates are foreign data, so every look-up goes through here.

use crate::base::{FileKind, GuestPath};
use crate::edit::GuestView;

use super::error::GuestError;

/// The longest configuration file that is read, in bytes.
pub(super) const LIMIT_BYTES: u64 = 16 << 20;

/// Directories that are mounted over at start, so that a file of the image inside them is never seen.
const VOLATILE: [&str; 4] = ["/dev", "/proc", "/run", "/sys"];

/// A file to be written: where it really lies, and what it holds now.
#[derive(Debug)]
pub(super) struct Target {
    /// The path with every link resolved; what an edit names.
    pub(super) path: GuestPath,
    /// The present content; `None` where there is no file.
    pub(super) content: Option<Vec<u8>>,
}

impl Target {
    /// Looks at the configuration file `path`, following its links.
    pub(super) fn open(view: &dyn GuestView, path: &str) -> Result<Self, GuestError> {
        let path = GuestPath::literal(path);
        let resolved = view.resolve(&path)?;
        if resolved != path && is_volatile(&resolved) {
            return Err(GuestError::Volatile { path, resolved });
        }
        check_parents(view, &resolved)?;
        let content = read_resolved(view, &path, &resolved)?;
        Ok(Self {
            path: resolved,
            content,
        })
    }
}

/// Whether a file at `path`, which holds no links, would be hidden at start.
pub(super) fn is_volatile(path: &GuestPath) -> bool {
    VOLATILE
        .iter()
        .any(|directory| path.starts_with(&GuestPath::literal(directory)))
}

/// The content of the file at `path`, links followed; `None` where there is none.
pub(super) fn read(view: &dyn GuestView, path: &str) -> Result<Option<Vec<u8>>, GuestError> {
    let path = GuestPath::literal(path);
    let resolved = view.resolve(&path)?;
    read_resolved(view, &path, &resolved)
}

/// `path` with the links of its parents followed, and the last component left as it is: what an edit names that
/// replaces a link rather than what it leads to.
pub(super) fn place(view: &dyn GuestView, path: &GuestPath) -> Result<GuestPath, GuestError> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(path.clone());
    };
    let place = view
        .resolve(&parent)?
        .join(name)
        .expect("a path's last component is a name");
    check_parents(view, &place)?;
    Ok(place)
}

/// Refuses `path` if something else than a directory lies on the way; `path` holds no links but at its end.
fn check_parents(view: &dyn GuestView, path: &GuestPath) -> Result<(), GuestError> {
    for parent in std::iter::successors(path.parent(), GuestPath::parent) {
        match view.info(&parent)? {
            None => {}
            Some(info) if info.kind == FileKind::Directory => return Ok(()),
            Some(info) => {
                return Err(GuestError::NotADirectory {
                    path: path.clone(),
                    parent,
                    kind: info.kind,
                });
            }
        }
    }
    Ok(())
}

/// Reads `resolved`, naming `path` when it is not what it should be.
fn read_resolved(
    view: &dyn GuestView,
    path: &GuestPath,
    resolved: &GuestPath,
) -> Result<Option<Vec<u8>>, GuestError> {
    let Some(info) = view.info(resolved)? else {
        return Ok(None);
    };
    if info.kind != FileKind::Regular {
        return Err(GuestError::NotRegular {
            path: path.clone(),
            resolved: resolved.clone(),
            kind: info.kind,
        });
    }
    if info.len_bytes > LIMIT_BYTES {
        return Err(GuestError::TooLarge {
            path: resolved.clone(),
            len_bytes: info.len_bytes,
            limit_bytes: LIMIT_BYTES,
        });
    }
    Ok(view.read(resolved)?)
}
