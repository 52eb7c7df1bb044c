//! A guest's files in memory, for tests of what is computed from them: made by hand, changed by an edit list, dumped
//! as text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use mln_image::base::{FileKind, GuestPath};
use mln_image::edit::{Attributes, Change, Content, EditList, GuestView, NodeInfo, ViewError};

/// Every file by its path, parents always there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MemoryGuest {
    nodes: BTreeMap<GuestPath, Node>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Node {
    kind: FileKind,
    mode: u16,
    uid: u32,
    gid: u32,
    /// A file's bytes or a link's text.
    content: Vec<u8>,
}

impl MemoryGuest {
    /// A guest with nothing but its root directory.
    pub(crate) fn new() -> Self {
        let root = Node::new(FileKind::Directory, 0o755, b"");
        Self {
            nodes: BTreeMap::from([(GuestPath::root(), root)]),
        }
    }

    /// Adds a regular file of root's with mode 0644.
    pub(crate) fn file(&mut self, path: &str, content: impl AsRef<[u8]>) -> &mut Self {
        self.node(path, Node::new(FileKind::Regular, 0o644, content.as_ref()))
    }

    /// Adds a symbolic link.
    pub(crate) fn link(&mut self, path: &str, target: &str) -> &mut Self {
        self.node(path, Node::new(FileKind::Symlink, 0o777, target.as_bytes()))
    }

    /// Adds a directory of root's with mode 0755.
    pub(crate) fn directory(&mut self, path: &str) -> &mut Self {
        self.node(path, Node::new(FileKind::Directory, 0o755, b""))
    }

    /// Adds a file of another kind.
    pub(crate) fn special(&mut self, path: &str, kind: FileKind) -> &mut Self {
        self.node(path, Node::new(kind, 0o600, b""))
    }

    /// Sets mode and owner of what is at `path`.
    pub(crate) fn own(&mut self, path: &str, mode: u16, uid: u32, gid: u32) -> &mut Self {
        let node = self.nodes.get_mut(&GuestPath::literal(path)).unwrap();
        (node.mode, node.uid, node.gid) = (mode, uid, gid);
        self
    }

    /// Takes away what is at `path` and below.
    pub(crate) fn without(&mut self, path: &str) -> &mut Self {
        let path = GuestPath::literal(path);
        self.nodes.retain(|other, _| !other.starts_with(&path));
        self
    }

    /// The text of the file at `path`, links followed.
    #[track_caller]
    pub(crate) fn text(&self, path: &str) -> String {
        let bytes = self.read(&GuestPath::literal(path)).unwrap();
        String::from_utf8(bytes.unwrap_or_else(|| panic!("no `{path}`"))).unwrap()
    }

    /// This guest with `edits` applied in order, as an image would have it.
    pub(crate) fn applied(&self, edits: &EditList) -> Self {
        let mut guest = self.clone();
        for edit in edits.iter() {
            let parent = edit.path.parent().expect("nothing edits the root itself");
            assert_eq!(
                guest.resolve(&parent).unwrap(),
                parent,
                "links on the way to {}",
                edit.path
            );
            let old = guest.nodes.get(&edit.path).cloned();
            let new = match &edit.change {
                Change::Absent => {
                    guest.nodes.retain(|path, _| !path.starts_with(&edit.path));
                    continue;
                }
                Change::File { content, attributes } => {
                    let bytes = match content {
                        Content::Bytes(bytes) => bytes.to_vec(),
                        Content::Joined(pieces) => pieces.concat(),
                        Content::HostFile { path, .. } => std::fs::read(path).unwrap(),
                    };
                    Node::edited(old, FileKind::Regular, 0o644, &bytes, *attributes)
                }
                Change::Directory { attributes } => {
                    Node::edited(old, FileKind::Directory, 0o755, b"", *attributes)
                }
                Change::Symlink { target, attributes } => {
                    Node::edited(old, FileKind::Symlink, 0o777, target, *attributes)
                }
            };
            guest.insert(edit.path.clone(), new);
        }
        guest
    }

    /// One line for each file that `before` has not, or has otherwise, and for each that it alone has.
    pub(crate) fn changes_since(&self, before: &Self) -> String {
        let mut text = String::new();
        for (path, node) in &self.nodes {
            if before.nodes.get(path) != Some(node) {
                let mark = if before.nodes.contains_key(path) { '~' } else { '+' };
                writeln!(text, "{mark} {} {path}{}", node.attributes(), node.arrow()).unwrap();
            }
        }
        for path in before.nodes.keys().filter(|path| !self.nodes.contains_key(*path)) {
            writeln!(text, "- {path}").unwrap();
        }
        text
    }

    fn node(&mut self, path: &str, node: Node) -> &mut Self {
        self.insert(GuestPath::literal(path), node);
        self
    }

    /// Puts `node` at `path`, making missing parents.
    fn insert(&mut self, path: GuestPath, node: Node) {
        if let Some(parent) = path.parent() {
            match self.nodes.get(&parent) {
                None => self.insert(parent, Node::new(FileKind::Directory, 0o755, b"")),
                Some(node) => assert_eq!(node.kind, FileKind::Directory, "the parent of {path}"),
            }
        }
        self.nodes.insert(path, node);
    }

    /// `path` with its links followed, the last one only if `last` says so.
    fn walk(&self, path: &GuestPath, last: bool) -> Result<GuestPath, ViewError> {
        let mut rest: Vec<Vec<u8>> = path.components().rev().map(<[u8]>::to_vec).collect();
        let mut place = GuestPath::root();
        let mut links = 0;
        while let Some(name) = rest.pop() {
            if name == b".." {
                place = place.parent().unwrap_or_else(GuestPath::root);
                continue;
            }
            let next = place.join(&name).unwrap();
            let link = self
                .nodes
                .get(&next)
                .filter(|node| node.kind == FileKind::Symlink);
            let Some(link) = link.filter(|_| last || !rest.is_empty()) else {
                place = next;
                continue;
            };
            links += 1;
            if links > 40 {
                return Err(ViewError::LinkLoop { path: path.clone() });
            }
            if link.content.starts_with(b"/") {
                place = GuestPath::root();
            }
            let names = link.content.split(|byte| *byte == b'/');
            rest.extend(
                names
                    .rev()
                    .filter(|name| !name.is_empty() && *name != b".")
                    .map(<[u8]>::to_vec),
            );
        }
        Ok(place)
    }
}

impl GuestView for MemoryGuest {
    fn read(&self, path: &GuestPath) -> Result<Option<Vec<u8>>, ViewError> {
        let node = self.nodes.get(&self.walk(path, true)?);
        Ok(node
            .filter(|node| node.kind == FileKind::Regular)
            .map(|node| node.content.clone()))
    }

    fn info(&self, path: &GuestPath) -> Result<Option<NodeInfo>, ViewError> {
        let node = self.nodes.get(&self.walk(path, false)?);
        Ok(node.map(|node| NodeInfo {
            kind: node.kind,
            mode: node.mode,
            uid: node.uid,
            gid: node.gid,
            len_bytes: u64::try_from(node.content.len()).unwrap(),
        }))
    }

    fn read_link(&self, path: &GuestPath) -> Result<Option<Vec<u8>>, ViewError> {
        let node = self.nodes.get(&self.walk(path, false)?);
        Ok(node
            .filter(|node| node.kind == FileKind::Symlink)
            .map(|node| node.content.clone()))
    }

    fn list(&self, path: &GuestPath) -> Result<Option<Vec<Vec<u8>>>, ViewError> {
        let path = self.walk(path, true)?;
        if self.nodes.get(&path).map(|node| node.kind) != Some(FileKind::Directory) {
            return Ok(None);
        }
        let inside = self
            .nodes
            .keys()
            .filter(|other| other.parent().as_ref() == Some(&path));
        let mut names: Vec<Vec<u8>> = inside.map(|path| path.file_name().unwrap().to_vec()).collect();
        names.sort();
        Ok(Some(names))
    }

    fn resolve(&self, path: &GuestPath) -> Result<GuestPath, ViewError> {
        self.walk(path, true)
    }
}

impl Node {
    fn new(kind: FileKind, mode: u16, content: &[u8]) -> Self {
        Self {
            kind,
            mode,
            uid: 0,
            gid: 0,
            content: content.to_vec(),
        }
    }

    /// The node that an edit makes of `old`.
    fn edited(old: Option<Self>, kind: FileKind, mode: u16, content: &[u8], wanted: Attributes) -> Self {
        let old = old.filter(|old| old.kind == kind);
        let old = old.unwrap_or_else(|| Self::new(kind, mode, b""));
        Self {
            kind,
            mode: wanted.mode.unwrap_or(old.mode),
            uid: wanted.uid.unwrap_or(old.uid),
            gid: wanted.gid.unwrap_or(old.gid),
            content: content.to_vec(),
        }
    }

    fn attributes(&self) -> String {
        format!(
            "{}{:04o} {}:{}",
            self.kind.letter(),
            self.mode,
            self.uid,
            self.gid
        )
    }

    fn arrow(&self) -> String {
        match self.kind {
            FileKind::Symlink => format!(" -> {}", String::from_utf8_lossy(&self.content)),
            _ => String::new(),
        }
    }
}

impl MemoryGuest {
    /// Writes every file below `directory`, with its mode; owners are whoever runs the test.
    pub(crate) fn write_below(&self, directory: &std::path::Path) {
        use std::os::unix::ffi::OsStrExt as _;
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        for (path, node) in &self.nodes {
            let inside = &path.as_bytes()[1..];
            let place = directory.join(std::ffi::OsStr::from_bytes(inside));
            match node.kind {
                FileKind::Directory => std::fs::create_dir_all(&place).unwrap(),
                FileKind::Symlink => {
                    symlink(std::ffi::OsStr::from_bytes(&node.content), &place).unwrap();
                    continue;
                }
                _ => {
                    let mut file = std::fs::File::create(&place).unwrap();
                    std::io::Write::write_all(&mut file, &node.content).unwrap();
                }
            }
            let mode = std::fs::Permissions::from_mode(node.mode.into());
            std::fs::set_permissions(&place, mode).unwrap();
        }
    }
}
