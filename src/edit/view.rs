//! The guest as a stage sees it: the template, or the template with earlier stages' edits already in place.

use std::fs;

use super::change::{Change, Content, Edit};
use super::list::EditList;
use crate::base::{FileKind, GuestPath};

/// Read access to a guest's files. Symbolic links are resolved inside the guest only.
pub trait GuestView {
    /// The whole content of the regular file at `path`, links followed; `None` where there is none.
    fn read(&self, path: &GuestPath) -> Result<Option<Vec<u8>>, ViewError>;

    /// What is at `path` itself, a link not followed; `None` where nothing is.
    fn info(&self, path: &GuestPath) -> Result<Option<NodeInfo>, ViewError>;

    /// The text of the symbolic link at `path`; `None` where there is no link.
    fn read_link(&self, path: &GuestPath) -> Result<Option<Vec<u8>>, ViewError>;

    /// The names in the directory at `path`, links followed, without `.` and `..`, sorted; `None` where there is none.
    fn list(&self, path: &GuestPath) -> Result<Option<Vec<Vec<u8>>>, ViewError>;

    /// Where `path` leads once every symbolic link, the last one too, is resolved inside the guest. Components that
    /// do not exist stay as they are.
    fn resolve(&self, path: &GuestPath) -> Result<GuestPath, ViewError>;

    /// Whether the guest's files have security labels of `SELinux`, so that new ones get theirs, too.
    fn is_labelled(&self) -> Result<bool, ViewError> {
        Ok(false)
    }

    /// Whether anything, even a dangling link, is at `path`.
    fn exists(&self, path: &GuestPath) -> Result<bool, ViewError> {
        Ok(self.info(path)?.is_some())
    }
}

/// What a stage may ask about a file without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeInfo {
    /// What it is.
    pub kind: FileKind,
    /// The twelve permission bits.
    pub mode: u16,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// Its length in bytes.
    pub len_bytes: u64,
}

/// Says why a guest's file could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// The file is there, but the image does not yield it.
    #[error("cannot read `{path}` in the guest")]
    Read {
        /// The guest's path.
        path: GuestPath,
        /// The file system's reason.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A chain of symbolic links that does not end.
    #[error("too many levels of symbolic links at `{path}` in the guest")]
    LinkLoop {
        /// The guest's path.
        path: GuestPath,
    },
}

/// A guest with a list of edits applied, as a value: what the next stage sees.
///
/// Edits name paths without links on the way (see [`GuestView::resolve`]), so a look-up resolves first.
pub struct EditedView<'a> {
    base: &'a dyn GuestView,
    edits: &'a EditList,
}

impl std::fmt::Debug for EditedView<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("EditedView")
            .field("edits", &self.edits.len())
            .finish_non_exhaustive()
    }
}

impl<'a> EditedView<'a> {
    /// `base` with `edits` applied.
    pub fn new(base: &'a dyn GuestView, edits: &'a EditList) -> Self {
        Self { base, edits }
    }

    /// Whether an edit removes `path` or a directory above it.
    fn is_removed(&self, path: &GuestPath) -> bool {
        let nearest = self.edits.nearest(path);
        nearest.is_some_and(|edit| edit.change == Change::Absent)
    }

    /// Whether an edit makes something below `path`, so that it will be a directory.
    fn is_made_parent(&self, path: &GuestPath) -> bool {
        self.edits.below(path).any(|edit| edit.change != Change::Absent)
    }
}

impl GuestView for EditedView<'_> {
    fn is_labelled(&self) -> Result<bool, ViewError> {
        self.base.is_labelled()
    }

    fn read(&self, path: &GuestPath) -> Result<Option<Vec<u8>>, ViewError> {
        let path = self.resolve(path)?;
        match self.edits.get(&path).map(|edit| &edit.change) {
            Some(Change::File { content, .. }) => read_content(content, &path).map(Some),
            Some(_) => Ok(None),
            None if self.is_removed(&path) => Ok(None),
            None => self.base.read(&path),
        }
    }

    fn info(&self, path: &GuestPath) -> Result<Option<NodeInfo>, ViewError> {
        let path = resolve_parent(self, path)?;
        if let Some(edit) = self.edits.get(&path) {
            return Ok(edited_info(edit, self.base.info(&path)?));
        }
        if self.is_removed(&path) {
            return Ok(None);
        }
        match self.base.info(&path)? {
            None if self.is_made_parent(&path) => Ok(Some(NodeInfo {
                kind: FileKind::Directory,
                mode: 0o755,
                uid: 0,
                gid: 0,
                len_bytes: 0,
            })),
            found => Ok(found),
        }
    }

    fn read_link(&self, path: &GuestPath) -> Result<Option<Vec<u8>>, ViewError> {
        let path = resolve_parent(self, path)?;
        match self.edits.get(&path).map(|edit| &edit.change) {
            Some(Change::Symlink { target, .. }) => Ok(Some(target.clone())),
            Some(_) => Ok(None),
            None if self.is_removed(&path) => Ok(None),
            None => self.base.read_link(&path),
        }
    }

    fn list(&self, path: &GuestPath) -> Result<Option<Vec<Vec<u8>>>, ViewError> {
        let path = self.resolve(path)?;
        match self.info(&path)? {
            Some(info) if info.kind == FileKind::Directory => {}
            _ => return Ok(None),
        }
        let mut names = if self.is_removed(&path) {
            None
        } else {
            self.base.list(&path)?
        }
        .unwrap_or_default();
        let depth = path.components().count();
        for edit in self.edits.below(&path) {
            names.extend(edit.path.components().nth(depth).map(<[u8]>::to_vec));
        }
        names.sort();
        names.dedup();
        let mut kept = Vec::with_capacity(names.len());
        for name in names {
            let child = path.join(&name).map_err(|source| ViewError::Read {
                path: path.clone(),
                source: Box::new(source),
            })?;
            if self.exists(&child)? {
                kept.push(name);
            }
        }
        Ok(Some(kept))
    }

    fn resolve(&self, path: &GuestPath) -> Result<GuestPath, ViewError> {
        // Most paths have no link on the way, and no edit.
        if self.edits.nearest(path).is_none() {
            let resolved = self.base.resolve(path)?;
            if resolved == *path {
                return Ok(resolved);
            }
        }
        resolve_with(path, |place| self.raw_link(place))
    }
}

impl EditedView<'_> {
    /// The link text at `path`, whose parents are resolved already.
    fn raw_link(&self, path: &GuestPath) -> Result<Option<Vec<u8>>, ViewError> {
        match self.edits.get(path).map(|edit| &edit.change) {
            Some(Change::Symlink { target, .. }) => Ok(Some(target.clone())),
            Some(_) => Ok(None),
            None if self.is_removed(path) => Ok(None),
            None => self.base.read_link(path),
        }
    }
}

/// How many links one path may lead through, as in the kernel.
const LINK_LIMIT: usize = 40;

/// Resolves every link of `path`, asking `link` for the text of each prefix whose parents hold no link. A `..` of a
/// link's text goes up from the resolved directory and stops at the root.
pub(crate) fn resolve_with(
    path: &GuestPath,
    mut link: impl FnMut(&GuestPath) -> Result<Option<Vec<u8>>, ViewError>,
) -> Result<GuestPath, ViewError> {
    let mut rest: Vec<Vec<u8>> = path.components().rev().map(<[u8]>::to_vec).collect();
    let mut place = GuestPath::root();
    let mut links = 0;
    while let Some(name) = rest.pop() {
        match name.as_slice() {
            b"" | b"." => continue,
            b".." => {
                place = place.parent().unwrap_or(place);
                continue;
            }
            _ => {}
        }
        let next = place.join(&name).map_err(|source| ViewError::Read {
            path: path.clone(),
            source: Box::new(source),
        })?;
        let Some(target) = link(&next)? else {
            place = next;
            continue;
        };
        links += 1;
        if links > LINK_LIMIT {
            return Err(ViewError::LinkLoop { path: path.clone() });
        }
        if target.first() == Some(&b'/') {
            place = GuestPath::root();
        }
        rest.extend(target.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec));
    }
    Ok(place)
}

/// `path` with its parents' links resolved and its last component as it is.
fn resolve_parent(view: &dyn GuestView, path: &GuestPath) -> Result<GuestPath, ViewError> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(path.clone());
    };
    let resolved = view.resolve(&parent)?;
    if resolved == parent {
        return Ok(path.clone());
    }
    resolved.join(name).map_err(|source| ViewError::Read {
        path: path.clone(),
        source: Box::new(source),
    })
}

/// What an edited path will be, given what is there now.
fn edited_info(edit: &Edit, old: Option<NodeInfo>) -> Option<NodeInfo> {
    let (kind, attributes, default_mode, len_bytes) = match &edit.change {
        Change::Absent => return None,
        Change::File { content, attributes } => (FileKind::Regular, attributes, 0o644, content.len_bytes()),
        Change::Directory { attributes } => (FileKind::Directory, attributes, 0o755, 0),
        Change::Symlink { target, attributes } => (
            FileKind::Symlink,
            attributes,
            0o777,
            u64::try_from(target.len()).unwrap_or(u64::MAX),
        ),
    };
    let old = old.filter(|node| node.kind == kind);
    let (mode, uid, gid) = old.map_or((default_mode, 0, 0), |node| (node.mode, node.uid, node.gid));
    Some(NodeInfo {
        kind,
        mode: attributes.mode.unwrap_or(mode),
        uid: attributes.uid.unwrap_or(uid),
        gid: attributes.gid.unwrap_or(gid),
        len_bytes,
    })
}

/// The bytes of an edit's content.
pub(super) fn read_content(content: &Content, path: &GuestPath) -> Result<Vec<u8>, ViewError> {
    match content {
        Content::Bytes(bytes) => Ok(bytes.to_vec()),
        Content::Joined(pieces) => Ok(pieces.concat()),
        Content::HostFile { path: file, .. } => fs::read(file).map_err(|source| ViewError::Read {
            path: path.clone(),
            source: Box::new(source),
        }),
    }
}
