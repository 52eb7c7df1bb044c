//! The keyword `files`: files and trees of the host, copied into the guest as root's.
//!
//! A tree becomes its destination; with a slash at the destination's end, and always where a file goes to a directory,
//! it comes to lie inside under its own name. Directories that the guest has already keep their mode and owner.

use std::path::Path;

use crate::base::{FileKind, GuestPath, Origin};
use crate::edit::{Attributes, Change, Edit, EditList, EditedView, GuestView};
use crate::project::{FileCopy, Host};

use super::error::GuestError;
use super::host_files::{HostFiles, HostNode, HostNodeKind};
use super::target;

/// Copies what the host's `files` name.
pub(super) fn configure(
    host: &Host,
    view: &dyn GuestView,
    files: &dyn HostFiles,
) -> Result<EditList, GuestError> {
    let mut edits = EditList::new();
    for copy in &host.files {
        let nodes = files
            .walk(&copy.value.source)
            .map_err(|error| GuestError::HostFiles {
                file: copy.value.source.clone(),
                origin: copy.origin.clone(),
                source: error,
            })?;
        let made = copy_tree(&copy.value, nodes, &EditedView::new(view, &edits), &copy.origin)?;
        edits.extend(made);
    }
    Ok(edits)
}

/// The edits of one copy.
fn copy_tree(
    copy: &FileCopy,
    nodes: Vec<HostNode>,
    view: &dyn GuestView,
    origin: &Origin,
) -> Result<EditList, GuestError> {
    let is_tree = nodes
        .first()
        .is_some_and(|node| node.kind == HostNodeKind::Directory);
    let into = copy.into_directory || (!is_tree && is_directory(view, &copy.destination)?);
    let name = Path::new(&copy.source).file_name().filter(|_| into);
    let destination = match name {
        Some(name) => join(&copy.destination, name.as_encoded_bytes(), origin)?,
        None => copy.destination.clone(),
    };
    let mut edits = EditList::new();
    for node in nodes {
        let path = join(&destination, &node.path, origin)?;
        if let Some(edit) = copy_node(node, &path, copy.mode, view, origin)? {
            edits.push(edit);
        }
    }
    Ok(edits)
}

/// The edit that puts `node` at `path`; none for a directory that is there.
fn copy_node(
    node: HostNode,
    path: &GuestPath,
    mode: Option<u16>,
    view: &dyn GuestView,
    origin: &Origin,
) -> Result<Option<Edit>, GuestError> {
    let place = match node.kind {
        HostNodeKind::Directory => target::place(view, &view.resolve(path)?)?,
        HostNodeKind::File(_) | HostNodeKind::Symlink(_) => target::place(view, path)?,
    };
    let old = view.info(&place)?.map(|info| info.kind);
    let fits = match old {
        None => true,
        Some(FileKind::Directory) => node.kind == HostNodeKind::Directory,
        Some(FileKind::Regular | FileKind::Symlink) => node.kind != HostNodeKind::Directory,
        Some(_) => false,
    };
    if let Some(kind) = old.filter(|_| !fits) {
        return Err(GuestError::InTheWay {
            path: path.clone(),
            kind,
            origin: origin.clone(),
        });
    }
    let change = match node.kind {
        HostNodeKind::Directory if old.is_some() => return Ok(None),
        HostNodeKind::Directory => Change::Directory {
            attributes: Attributes::owned(node.mode, 0, 0),
        },
        HostNodeKind::File(content) => Change::File {
            content,
            attributes: Attributes::owned(mode.unwrap_or(node.mode), 0, 0),
        },
        HostNodeKind::Symlink(target) => Change::Symlink {
            target,
            attributes: Attributes {
                mode: None,
                uid: Some(0),
                gid: Some(0),
            },
        },
    };
    Ok(Some(Edit {
        path: place,
        change,
        origins: vec![origin.clone()],
    }))
}

/// Whether `path` leads to a directory of the guest.
fn is_directory(view: &dyn GuestView, path: &GuestPath) -> Result<bool, GuestError> {
    let info = view.info(&view.resolve(path)?)?;
    Ok(info.is_some_and(|info| info.kind == FileKind::Directory))
}

/// `directory` with `relative` appended.
fn join(directory: &GuestPath, relative: &[u8], origin: &Origin) -> Result<GuestPath, GuestError> {
    directory
        .join(relative)
        .map_err(|source| GuestError::BadDestination {
            origin: origin.clone(),
            source,
        })
}
