//! What a file system should hold after each operation, kept in plain maps.

use std::collections::BTreeMap;

use mln_image::base::FileKind;

use crate::support::snapshot::{Facts, Snapshot, shown};
use crate::support::{Content, Node, Tree};

/// An inode of the model.
pub(super) type Id = u32;

/// The root directory.
pub(super) const ROOT: Id = 0;

/// Seconds and nanoseconds.
pub(super) type Time = (i64, u32);

/// One file of any kind.
#[derive(Debug, Clone)]
struct Inode {
    mode: u16,
    uid: u32,
    gid: u32,
    mtime: Time,
    ctime: Time,
    xattrs: BTreeMap<String, Vec<u8>>,
    body: Body,
}

/// What a file holds.
#[derive(Debug, Clone)]
enum Body {
    File(Vec<u8>),
    Directory {
        entries: BTreeMap<Vec<u8>, Id>,
        parent: Id,
    },
    Symlink(String),
    /// A device, a pipe or a socket, and the numbers of a device.
    Special(FileKind, String),
}

/// The operation may not be done; nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused;

/// A tree of files in memory.
#[derive(Debug, Clone)]
pub(super) struct Model {
    inodes: BTreeMap<Id, Inode>,
    next: Id,
}

impl Model {
    /// A model with nothing but a root directory like `root`, and `lost+found` like `lost_found`.
    pub(super) fn new(tree: &Snapshot) -> Self {
        let mut model = Self {
            inodes: BTreeMap::new(),
            next: 1,
        };
        let root = &tree.0[b"".as_slice()];
        let entries = BTreeMap::new();
        model.inodes.insert(
            ROOT,
            like(
                root,
                Body::Directory {
                    entries,
                    parent: ROOT,
                },
            ),
        );
        let lost_found = &tree.0[b"lost+found".as_slice()];
        let entries = BTreeMap::new();
        let id = model.add(like(
            lost_found,
            Body::Directory {
                entries,
                parent: ROOT,
            },
        ));
        model.entries_mut(ROOT).insert(b"lost+found".to_vec(), id);
        model
    }

    /// How many files were ever made.
    pub(super) fn len(&self) -> usize {
        self.inodes.len()
    }

    /// Every path with its inode, in order; hard links appear once for each name.
    pub(super) fn paths(&self) -> Vec<(Vec<u8>, Id)> {
        let mut found = vec![(b"/".to_vec(), ROOT)];
        let mut place = 0;
        while let Some((path, id)) = found.get(place).cloned() {
            if let Body::Directory { entries, .. } = &self.inodes[&id].body {
                for (name, child) in entries {
                    found.push((join(&path, name), *child));
                }
            }
            place += 1;
        }
        found.sort();
        found
    }

    /// Every path of one kind, without `lost+found`.
    pub(super) fn paths_of(&self, kind: FileKind) -> Vec<(Vec<u8>, Id)> {
        let mut paths = self.paths();
        paths.retain(|(path, id)| self.kind(*id) == kind && path != b"/lost+found");
        paths
    }

    pub(super) fn kind(&self, id: Id) -> FileKind {
        match self.inodes[&id].body {
            Body::File(_) => FileKind::Regular,
            Body::Directory { .. } => FileKind::Directory,
            Body::Symlink(_) => FileKind::Symlink,
            Body::Special(kind, _) => kind,
        }
    }

    /// The inode that `name` in `parent` leads to.
    pub(super) fn child(&self, parent: Id, name: &[u8]) -> Option<Id> {
        match &self.inodes[&parent].body {
            Body::Directory { entries, .. } => entries.get(name).copied(),
            _ => None,
        }
    }

    /// The names in a directory.
    pub(super) fn names(&self, id: Id) -> Vec<Vec<u8>> {
        match &self.inodes[&id].body {
            Body::Directory { entries, .. } => entries.keys().cloned().collect(),
            _ => Vec::new(),
        }
    }

    /// A regular file's bytes.
    pub(super) fn bytes(&self, id: Id) -> &[u8] {
        match &self.inodes[&id].body {
            Body::File(bytes) => bytes,
            _ => &[],
        }
    }

    pub(super) fn create(&mut self, parent: Id, name: &[u8], mode: u16, now: Time) -> Result<Id, Refused> {
        self.make(parent, name, mode, now, Body::File(Vec::new()))
    }

    pub(super) fn mkdir(&mut self, parent: Id, name: &[u8], mode: u16, now: Time) -> Result<Id, Refused> {
        let entries = BTreeMap::new();
        self.make(parent, name, mode, now, Body::Directory { entries, parent })
    }

    pub(super) fn symlink(
        &mut self,
        parent: Id,
        name: &[u8],
        target: String,
        now: Time,
    ) -> Result<Id, Refused> {
        self.make(parent, name, 0o777, now, Body::Symlink(target))
    }

    pub(super) fn link(&mut self, id: Id, parent: Id, name: &[u8], now: Time) -> Result<(), Refused> {
        if self.kind(id) == FileKind::Directory || self.child(parent, name).is_some() {
            return Err(Refused);
        }
        self.enter(parent, name, id, now);
        self.inodes.get_mut(&id).unwrap().ctime = now;
        Ok(())
    }

    /// A device, a pipe or a socket.
    pub(super) fn mknod(
        &mut self,
        parent: Id,
        name: &[u8],
        kind: FileKind,
        numbers: String,
        now: Time,
    ) -> Result<Id, Refused> {
        self.make(parent, name, 0o640, now, Body::Special(kind, numbers))
    }

    /// Sets or removes an attribute.
    pub(super) fn set_xattr(&mut self, id: Id, name: &str, value: Option<Vec<u8>>, now: Time) {
        let inode = self.inodes.get_mut(&id).unwrap();
        if inode.xattrs.get(name) == value.as_ref() {
            return;
        }
        inode.ctime = now;
        match value {
            Some(value) => inode.xattrs.insert(name.to_owned(), value),
            None => inode.xattrs.remove(name),
        };
    }

    /// Writes from `offset` on; a gap before it reads as zero.
    pub(super) fn write(&mut self, id: Id, offset: usize, bytes: &[u8], now: Time) {
        let inode = self.inodes.get_mut(&id).unwrap();
        (inode.mtime, inode.ctime) = (now, now);
        if let Body::File(content) = &mut inode.body {
            let end = offset + bytes.len();
            if content.len() < end {
                content.resize(end, 0);
            }
            content[offset..end].copy_from_slice(bytes);
        }
    }

    pub(super) fn truncate(&mut self, id: Id, len: usize, now: Time) {
        let inode = self.inodes.get_mut(&id).unwrap();
        (inode.mtime, inode.ctime) = (now, now);
        if let Body::File(content) = &mut inode.body {
            content.resize(len, 0);
        }
    }

    pub(super) fn chmod(&mut self, id: Id, mode: u16, now: Time) {
        let inode = self.inodes.get_mut(&id).unwrap();
        (inode.mode, inode.ctime) = (mode, now);
    }

    pub(super) fn chown(&mut self, id: Id, uid: u32, gid: u32, now: Time) {
        let inode = self.inodes.get_mut(&id).unwrap();
        (inode.uid, inode.gid, inode.ctime) = (uid, gid, now);
    }

    pub(super) fn set_mtime(&mut self, id: Id, mtime: Time, now: Time) {
        let inode = self.inodes.get_mut(&id).unwrap();
        (inode.mtime, inode.ctime) = (mtime, now);
    }

    pub(super) fn unlink(&mut self, parent: Id, name: &[u8], now: Time) -> Result<(), Refused> {
        let id = self.child(parent, name).ok_or(Refused)?;
        if self.kind(id) == FileKind::Directory {
            return Err(Refused);
        }
        self.leave(parent, name, now);
        Ok(())
    }

    pub(super) fn rmdir(&mut self, parent: Id, name: &[u8], now: Time) -> Result<(), Refused> {
        let id = self.child(parent, name).ok_or(Refused)?;
        match &self.inodes[&id].body {
            Body::Directory { entries, .. } if entries.is_empty() => {}
            _ => return Err(Refused),
        }
        self.leave(parent, name, now);
        Ok(())
    }

    /// As rename(2): a file replaces what is no directory, a directory an empty one; nothing moves below itself.
    pub(super) fn rename(
        &mut self,
        (old_parent, old_name): (Id, &[u8]),
        (new_parent, new_name): (Id, &[u8]),
        now: Time,
    ) -> Result<(), Refused> {
        let id = self.child(old_parent, old_name).ok_or(Refused)?;
        let is_directory = self.kind(id) == FileKind::Directory;
        if is_directory && self.is_within(new_parent, id) {
            return Err(Refused);
        }
        if let Some(victim) = self.child(new_parent, new_name) {
            if victim == id {
                return Ok(());
            }
            match &self.inodes[&victim].body {
                Body::Directory { entries, .. } if is_directory && entries.is_empty() => {}
                Body::Directory { .. } => return Err(Refused),
                _ if is_directory => return Err(Refused),
                _ => {}
            }
            self.leave(new_parent, new_name, now);
        }
        self.leave(old_parent, old_name, now);
        self.enter(new_parent, new_name, id, now);
        self.inodes.get_mut(&id).unwrap().ctime = now;
        if let Body::Directory { parent, .. } = &mut self.inodes.get_mut(&id).unwrap().body {
            *parent = new_parent;
        }
        Ok(())
    }

    /// The model as a second reader should see it, times cut to seconds where inodes have no room for more.
    pub(super) fn tree(&self, has_nanoseconds: bool) -> Tree {
        let node = |id| {
            let inode: &Inode = &self.inodes[&id];
            Node {
                kind: self.kind(id),
                mode: inode.mode,
                uid: inode.uid,
                gid: inode.gid,
                mtime: (inode.mtime.0, if has_nanoseconds { inode.mtime.1 } else { 0 }),
                content: match &inode.body {
                    Body::File(bytes) => Content::of(bytes),
                    Body::Symlink(target) => Content::Target(target.clone()),
                    Body::Directory { .. } | Body::Special(..) => Content::Nothing,
                },
            }
        };
        Tree(
            self.paths()
                .into_iter()
                .map(|(path, id)| (path, node(id)))
                .collect(),
        )
    }

    /// The model as the kernel should see it, times cut to seconds where inodes have no room for more.
    pub(super) fn snapshot(&self, has_nanoseconds: bool) -> Snapshot {
        let paths = self.paths();
        let mut links: BTreeMap<Id, u64> = BTreeMap::new();
        for (_, id) in &paths {
            *links.entry(*id).or_default() += 1;
        }
        let facts = paths.into_iter().map(|(path, id)| {
            let path = path.strip_prefix(b"/").unwrap().to_vec();
            (path, self.facts(id, links[&id], has_nanoseconds))
        });
        Snapshot(facts.collect())
    }

    fn facts(&self, id: Id, links: u64, has_nanoseconds: bool) -> Facts {
        let inode = &self.inodes[&id];
        let cut = |(seconds, nanoseconds): Time| (seconds, if has_nanoseconds { nanoseconds } else { 0 });
        let below = |entries: &BTreeMap<Vec<u8>, Id>| {
            let children = entries
                .values()
                .filter(|child| self.kind(**child) == FileKind::Directory);
            u64::try_from(children.count()).unwrap()
        };
        let (len, content, links_count) = match &inode.body {
            Body::File(bytes) => (bytes.len(), shown(bytes), links),
            Body::Symlink(target) => (target.len(), target.clone(), links),
            Body::Special(_, numbers) => (0, numbers.clone(), links),
            Body::Directory { entries, .. } => (0, String::new(), 2 + below(entries)),
        };
        Facts {
            kind: self.kind(id),
            mode: inode.mode,
            uid: inode.uid,
            gid: inode.gid,
            links_count,
            mtime: cut(inode.mtime),
            ctime: cut(inode.ctime),
            len_bytes: u64::try_from(len).unwrap(),
            content,
            xattrs: inode
                .xattrs
                .iter()
                .map(|(name, value)| (name.clone(), shown(value)))
                .collect(),
        }
    }

    fn is_within(&self, mut id: Id, ancestor: Id) -> bool {
        loop {
            if id == ancestor {
                return true;
            }
            match self.inodes[&id].body {
                Body::Directory { parent, .. } if id != ROOT => id = parent,
                _ => return false,
            }
        }
    }

    fn make(&mut self, parent: Id, name: &[u8], mode: u16, now: Time, body: Body) -> Result<Id, Refused> {
        if self.child(parent, name).is_some() {
            return Err(Refused);
        }
        let id = self.add(Inode {
            mode,
            uid: 0,
            gid: 0,
            mtime: now,
            ctime: now,
            xattrs: BTreeMap::new(),
            body,
        });
        self.enter(parent, name, id, now);
        Ok(id)
    }

    fn add(&mut self, inode: Inode) -> Id {
        let id = self.next;
        self.next += 1;
        self.inodes.insert(id, inode);
        id
    }

    fn enter(&mut self, parent: Id, name: &[u8], id: Id, now: Time) {
        self.entries_mut(parent).insert(name.to_vec(), id);
        self.set_mtime(parent, now, now);
    }

    /// Takes the name away; an inode without names stays in the map, where nobody finds it.
    fn leave(&mut self, parent: Id, name: &[u8], now: Time) {
        if let Some(id) = self.entries_mut(parent).remove(name) {
            self.inodes.get_mut(&id).unwrap().ctime = now;
        }
        self.set_mtime(parent, now, now);
    }

    fn entries_mut(&mut self, id: Id) -> &mut BTreeMap<Vec<u8>, Id> {
        match &mut self.inodes.get_mut(&id).unwrap().body {
            Body::Directory { entries, .. } => entries,
            _ => panic!("inode {id} of the model is no directory"),
        }
    }
}

fn like(facts: &Facts, body: Body) -> Inode {
    Inode {
        mode: facts.mode,
        uid: facts.uid,
        gid: facts.gid,
        mtime: facts.mtime,
        ctime: facts.ctime,
        xattrs: BTreeMap::new(),
        body,
    }
}

/// `name` below `path`.
pub(super) fn join(path: &[u8], name: &[u8]) -> Vec<u8> {
    let mut joined = path.to_vec();
    if path != b"/" {
        joined.push(b'/');
    }
    joined.extend_from_slice(name);
    joined
}
