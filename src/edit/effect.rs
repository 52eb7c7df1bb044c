//! What an edit really changes in a guest: nothing, its attributes, its content, or whether it is there at all.

use super::change::{Attributes, Change, Content, Edit};
use super::list::EditList;
use super::view::{GuestView, NodeInfo, ViewError, read_content};
use crate::base::{FileKind, GuestPath};

/// What one edit changes in one guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The path comes into being.
    Create,
    /// The path gets another content, or becomes another kind of file.
    Modify,
    /// Only mode or owner change.
    Attributes,
    /// The path goes away.
    Remove,
    /// The guest is so already.
    None,
}

impl Effect {
    /// The effect in a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Modify => "modify",
            Self::Attributes => "attributes",
            Self::Remove => "remove",
            Self::None => "none",
        }
    }
}

/// Every edit of `edits`, in order, with what it changes in the guest that `view` shows.
pub fn effective<'e>(
    view: &dyn GuestView,
    edits: &'e EditList,
) -> Result<Vec<(&'e Edit, Effect)>, ViewError> {
    edits
        .iter()
        .map(|edit| Ok((edit, effect(view, edits, edit)?)))
        .collect()
}

/// What `edit` changes, given that the whole of `edits` is applied.
fn effect(view: &dyn GuestView, edits: &EditList, edit: &Edit) -> Result<Effect, ViewError> {
    let old = if is_below_removed(edits, &edit.path) {
        None
    } else {
        view.info(&edit.path)?
    };
    let Some(old) = old else {
        return Ok(match edit.change {
            Change::Absent => Effect::None,
            _ => Effect::Create,
        });
    };
    let (same, attributes) = match &edit.change {
        Change::Absent => return Ok(Effect::Remove),
        Change::File { content, attributes } => (
            old.kind == FileKind::Regular && same_content(view, &edit.path, &old, content)?,
            attributes,
        ),
        Change::Directory { attributes } => (old.kind == FileKind::Directory, attributes),
        Change::Symlink { target, attributes } => {
            (view.read_link(&edit.path)?.as_ref() == Some(target), attributes)
        }
    };
    Ok(match (same, same_attributes(&old, attributes)) {
        (false, _) => Effect::Modify,
        (true, false) => Effect::Attributes,
        (true, true) => Effect::None,
    })
}

/// Whether a directory above `path` is removed first, so that nothing is at `path` when its edit comes.
fn is_below_removed(edits: &EditList, path: &GuestPath) -> bool {
    std::iter::successors(path.parent(), GuestPath::parent).any(|directory| {
        edits
            .get(&directory)
            .is_some_and(|edit| edit.change == Change::Absent)
    })
}

/// Whether the regular file at `path` holds `content` already.
fn same_content(
    view: &dyn GuestView,
    path: &GuestPath,
    old: &NodeInfo,
    content: &Content,
) -> Result<bool, ViewError> {
    if old.len_bytes != content.len_bytes() {
        return Ok(false);
    }
    Ok(view.read(path)? == Some(read_content(content, path)?))
}

/// Whether a file has the attributes that an edit sets. A link's mode means nothing.
fn same_attributes(old: &NodeInfo, wanted: &Attributes) -> bool {
    let mode = wanted.mode.filter(|_| old.kind != FileKind::Symlink);
    mode.is_none_or(|mode| mode == old.mode)
        && wanted.uid.is_none_or(|uid| uid == old.uid)
        && wanted.gid.is_none_or(|gid| gid == old.gid)
}
