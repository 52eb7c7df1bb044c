//! The edits of one host, in the order in which they are applied, at most one for each path.

use std::collections::BTreeMap;

use super::change::{Change, Edit};
use crate::base::GuestPath;

/// An ordered list of edits with one entry a path: a later edit of the same path is merged into the earlier one.
#[derive(Debug, Clone, Default)]
pub struct EditList {
    edits: Vec<Edit>,
    places: BTreeMap<GuestPath, usize>,
}

impl EditList {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `edit`; where its path has one already, the new state counts, attributes that it leaves open stay as
    /// they were wanted, and both origins are kept.
    pub fn push(&mut self, edit: Edit) {
        if let Some(place) = self.places.get(&edit.path) {
            merge(&mut self.edits[*place], edit);
        } else {
            self.places.insert(edit.path.clone(), self.edits.len());
            self.edits.push(edit);
        }
    }

    /// Adds every edit of `other`, in order.
    pub fn extend(&mut self, other: impl IntoIterator<Item = Edit>) {
        other.into_iter().for_each(|edit| self.push(edit));
    }

    /// The edit of `path`, if there is one.
    pub fn get(&self, path: &GuestPath) -> Option<&Edit> {
        self.places.get(path).map(|place| &self.edits[*place])
    }

    /// The edit of `path`, or else that of the nearest directory above it that has one.
    pub(super) fn nearest(&self, path: &GuestPath) -> Option<&Edit> {
        let place = path.and_above().find_map(|path| self.places.get(path))?;
        Some(&self.edits[*place])
    }

    /// The edits of what lies below `directory`, by path.
    pub(super) fn below<'a>(&'a self, directory: &GuestPath) -> impl Iterator<Item = &'a Edit> {
        // The lowest byte that a name may hold, so that nothing below sorts before it.
        let first = directory.join(b"\x01").unwrap_or_else(|_| directory.clone());
        let directory = directory.clone();
        self.places
            .range(first..)
            .take_while(move |(path, _)| path.starts_with(&directory))
            .map(|(_, place)| &self.edits[*place])
    }

    /// The edits in order.
    pub fn iter(&self) -> impl Iterator<Item = &Edit> {
        self.edits.iter()
    }

    /// How many paths are edited.
    pub fn len(&self) -> usize {
        self.edits.len()
    }

    /// Whether nothing is edited.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }
}

impl IntoIterator for EditList {
    type Item = Edit;
    type IntoIter = std::vec::IntoIter<Edit>;

    fn into_iter(self) -> Self::IntoIter {
        self.edits.into_iter()
    }
}

/// Puts `later` over `earlier`, both of the same path.
fn merge(earlier: &mut Edit, mut later: Edit) {
    if let (Some(old), Some(new)) = (attributes(&mut earlier.change), attributes(&mut later.change)) {
        *new = old.overlaid(*new);
    }
    earlier.change = later.change;
    for origin in later.origins {
        if !earlier.origins.contains(&origin) {
            earlier.origins.push(origin);
        }
    }
}

/// The attributes that a change sets, if it makes anything.
fn attributes(change: &mut Change) -> Option<&mut super::Attributes> {
    match change {
        Change::File { attributes, .. }
        | Change::Directory { attributes }
        | Change::Symlink { attributes, .. } => Some(attributes),
        Change::Absent => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Attributes;
    use super::*;
    use crate::base::Origin;

    #[test]
    fn below_finds_whole_components_only() {
        let mut list = EditList::new();
        for path in ["/a", "/a-b/c", "/a/b", "/a/b/c", "/a0"] {
            list.push(Edit::directory(
                GuestPath::literal(path),
                Attributes::default(),
                Origin::implied("test"),
            ));
        }
        let below = |path| {
            list.below(&GuestPath::literal(path))
                .map(|edit| edit.path.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(below("/a"), ["/a/b", "/a/b/c"]);
        assert_eq!(below("/"), ["/a", "/a-b/c", "/a/b", "/a/b/c", "/a0"]);
        assert_eq!(below("/b"), Vec::<String>::new());
    }

    #[test]
    fn a_later_edit_of_a_path_wins_and_keeps_attributes_and_origins() {
        let path = GuestPath::literal("/etc/shadow");
        let mut list = EditList::new();
        list.push(Edit::file(
            path.clone(),
            "a",
            Attributes::owned(0o640, 0, 42),
            Origin::implied("users"),
        ));
        list.push(Edit::file(
            path.clone(),
            "b",
            Attributes::default(),
            Origin::implied("root_password"),
        ));
        assert_eq!(list.len(), 1);
        let edit = list.get(&path).unwrap();
        let wanted = Edit::file(
            path,
            "b",
            Attributes::owned(0o640, 0, 42),
            Origin::implied("users"),
        );
        assert_eq!(edit.change, wanted.change);
        assert_eq!(edit.origins.len(), 2);
    }
}
