//! A new account's home directory: `/etc/skel` copied, owned by the user, modes kept.

use crate::base::{FileKind, GuestPath, Origin};
use crate::edit::{Attributes, Change, Edit, EditList, GuestView};
use crate::guest::error::GuestError;
use crate::guest::target::{self, LIMIT_BYTES};
use crate::guest::warning::GuestWarning;

/// How many files a skeleton may hold.
const LIMIT_FILES: usize = 10_000;

/// Who owns a home directory, and its mode.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mode: u16,
}

/// The edits that make `home`; none where something is there already, as nothing of it may be overwritten.
pub(super) fn create(
    view: &dyn GuestView,
    home: &GuestPath,
    owner: Owner,
    origin: &Origin,
    warnings: &mut Vec<GuestWarning>,
) -> Result<EditList, GuestError> {
    let mut edits = EditList::new();
    let resolved = view.resolve(home)?;
    if let Some(info) = view.info(&resolved)? {
        if info.kind != FileKind::Directory {
            warnings.push(GuestWarning::HomeIsNoDirectory {
                home: home.clone(),
                kind: info.kind,
                origin: origin.clone(),
            });
        }
        return Ok(edits);
    }
    let place = target::place(view, &resolved)?;
    edits.push(Edit::directory(
        place.clone(),
        Attributes::owned(owner.mode, owner.uid, owner.gid),
        origin.clone(),
    ));
    let skeleton = view.resolve(&GuestPath::literal("/etc/skel"))?;
    let mut directories = vec![(skeleton.clone(), place)];
    while let Some((from, to)) = directories.pop() {
        for name in view.list(&from)?.unwrap_or_default() {
            let (Ok(from), Ok(to)) = (from.join(&name), to.join(&name)) else {
                continue;
            };
            if edits.len() > LIMIT_FILES {
                return Err(GuestError::TooManyFiles {
                    path: skeleton,
                    limit: LIMIT_FILES,
                });
            }
            copy(view, &from, &to, owner, origin, &mut edits, warnings)?;
            if edits.get(&to).is_some_and(is_directory) {
                directories.push((from, to));
            }
        }
    }
    Ok(edits)
}

/// Adds the edit that copies `from`, a file of the skeleton, to `to`.
fn copy(
    view: &dyn GuestView,
    from: &GuestPath,
    to: &GuestPath,
    owner: Owner,
    origin: &Origin,
    edits: &mut EditList,
    warnings: &mut Vec<GuestWarning>,
) -> Result<(), GuestError> {
    let Some(info) = view.info(from)? else {
        return Ok(());
    };
    let attributes = Attributes::owned(info.mode, owner.uid, owner.gid);
    let mut edit = match info.kind {
        FileKind::Directory => Edit::directory(to.clone(), attributes, origin.clone()),
        FileKind::Regular if info.len_bytes > LIMIT_BYTES => {
            return Err(GuestError::TooLarge {
                path: from.clone(),
                len_bytes: info.len_bytes,
                limit_bytes: LIMIT_BYTES,
            });
        }
        FileKind::Regular => {
            let content = view.read(from)?.unwrap_or_default();
            Edit::file(to.clone(), content, attributes, origin.clone())
        }
        FileKind::Symlink => {
            let target = view.read_link(from)?.unwrap_or_default();
            Edit::symlink(to.clone(), target, origin.clone())
        }
        FileKind::CharDevice | FileKind::BlockDevice | FileKind::Fifo | FileKind::Socket => {
            warnings.push(GuestWarning::SkeletonFile {
                path: from.clone(),
                kind: info.kind,
            });
            return Ok(());
        }
    };
    if let Change::Symlink { attributes, .. } = &mut edit.change {
        attributes.uid = Some(owner.uid);
        attributes.gid = Some(owner.gid);
    }
    edits.push(edit);
    Ok(())
}

fn is_directory(edit: &Edit) -> bool {
    matches!(edit.change, Change::Directory { .. })
}
