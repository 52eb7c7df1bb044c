//! Carries out a list of edits in a file system.
//!
//! An edit names a state, so what is there already is kept as far as the state allows: a file that only gets another
//! content keeps its inode, mode, owner and extended attributes; a directory keeps its entries. Links on the way are
//! followed inside the image; directories that are missing on the way are made, 0755 and root's. In an image with
//! security labels new files get theirs.

use super::content;
use super::error::HostError;
use super::guest_view::ExtView;
use super::labels::Labels;
use crate::base::{FileKind, GuestPath};
use crate::edit::{Attributes, Change, Content, Edit, GuestView as _};
use crate::ext::{ExtError, Follow, Fs, Inode, InodeNo, NewNode};

/// The mode of a file that comes into being without one of its own.
const FILE_MODE: u16 = 0o644;

/// The same of a directory.
const DIRECTORY_MODE: u16 = 0o755;

/// Carries out `edits` in order. Until the file system is committed, only contents of files reach the device.
pub(super) fn apply<'e>(fs: &mut Fs, edits: impl IntoIterator<Item = &'e Edit>) -> Result<(), HostError> {
    let labels = Labels::of(fs)?;
    edits
        .into_iter()
        .try_for_each(|edit| apply_edit(fs, labels.as_ref(), edit))
}

/// Gives one path its state.
fn apply_edit(fs: &mut Fs, labels: Option<&Labels>, edit: &Edit) -> Result<(), HostError> {
    let mut place = Place::find(fs, labels, &edit.path)?;
    match &edit.change {
        Change::File { content, attributes } => place.put_file(content, *attributes),
        Change::Directory { attributes } => place.put_directory(*attributes),
        Change::Symlink { target, attributes } => place.put_link(target, *attributes),
        Change::Absent => place.remove(),
    }
}

/// A path that is being edited, its parent found.
struct Place<'a> {
    fs: &'a mut Fs,
    labels: Option<&'a Labels>,
    path: &'a GuestPath,
    /// The path's directory with no links on the way; it may not exist yet.
    parent: GuestPath,
    /// The same as an inode, where it is there and was found without a link on the way.
    directory: Option<InodeNo>,
    /// The path's last component; the root's own name is that of no entry.
    name: &'a [u8],
    /// What is there now, a link itself rather than what it leads to.
    present: Option<Inode>,
}

impl<'a> Place<'a> {
    fn find(fs: &'a mut Fs, labels: Option<&'a Labels>, path: &'a GuestPath) -> Result<Self, HostError> {
        let parent = path.parent().unwrap_or_else(GuestPath::root);
        let directory = plain_directory(fs, &parent).map_err(edit_failed(path))?;
        let (parent, present) = if let (Some(directory), Some(name)) = (directory, path.file_name()) {
            (parent, entry(fs, directory, name).map_err(edit_failed(path))?)
        } else {
            let parent = ExtView::new(fs).resolve(&parent)?;
            (parent, inode_at(fs, path, Follow::NotLast)?)
        };
        Ok(Self {
            fs,
            labels,
            path,
            parent,
            directory,
            name: path.file_name().unwrap_or(b"/"),
            present,
        })
    }

    fn put_file(&mut self, content: &Content, attributes: Attributes) -> Result<(), HostError> {
        let node = match self.present_kind() {
            Some((FileKind::Regular, node)) => {
                self.set_attributes(node, attributes)?;
                node
            }
            Some((FileKind::Directory, _)) => return Err(self.in_the_way(self.path, FileKind::Directory)),
            _ => {
                let (parent, name) = (self.make_way()?, self.name);
                let new = new_node(attributes, FILE_MODE);
                let node = self.run(|fs| fs.create_file(parent, name, new))?;
                self.label(parent, node)?;
                node
            }
        };
        let mut reader = content::reader(content)?;
        self.run(|fs| fs.replace_content_from(node, &mut reader, content.len_bytes()))
    }

    fn put_directory(&mut self, attributes: Attributes) -> Result<(), HostError> {
        let node = match self.present_kind() {
            Some((FileKind::Directory, node)) => node,
            // A link to a directory stays: distributions move directories so.
            Some((FileKind::Symlink, _)) => match inode_at(self.fs, self.path, Follow::All)? {
                Some(led) if led.kind == FileKind::Directory => led.number,
                _ => return Err(self.in_the_way(self.path, FileKind::Symlink)),
            },
            Some((kind, _)) => return Err(self.in_the_way(self.path, kind)),
            None => {
                let (parent, name) = (self.make_way()?, self.name);
                let new = new_node(attributes, DIRECTORY_MODE);
                let node = self.run(|fs| fs.mkdir(parent, name, new))?;
                return self.label(parent, node);
            }
        };
        self.set_attributes(node, attributes)
    }

    fn put_link(&mut self, target: &[u8], attributes: Attributes) -> Result<(), HostError> {
        match self.present_kind() {
            Some((FileKind::Directory, _)) => return Err(self.in_the_way(self.path, FileKind::Directory)),
            Some((FileKind::Symlink, node)) if self.run(|fs| fs.read_link(node))? == target => {
                return self.set_attributes(
                    node,
                    Attributes {
                        mode: None,
                        ..attributes
                    },
                );
            }
            _ => {}
        }
        let (parent, name) = (self.make_way()?, self.name);
        let new = new_node(attributes, 0);
        let node = self.run(|fs| fs.symlink(parent, name, target, new))?;
        self.label(parent, node)
    }

    fn remove(&mut self) -> Result<(), HostError> {
        if self.present.is_none() {
            return Ok(());
        }
        let (parent, name) = (self.make_way_only()?, self.name);
        self.run(|fs| fs.remove_tree(parent, name))
    }

    /// The kind and number of what is there now.
    fn present_kind(&self) -> Option<(FileKind, InodeNo)> {
        self.present.as_ref().map(|node| (node.kind, node.number))
    }

    /// The directory that the path lies in, made if it was missing; a file or link that is in the path's place goes.
    fn make_way(&mut self) -> Result<InodeNo, HostError> {
        let parent = self.make_way_only()?;
        if self.present.take().is_some() {
            let name = self.name;
            self.run(|fs| fs.unlink(parent, name))?;
        }
        Ok(parent)
    }

    /// The directory that the path lies in, made if it was missing.
    fn make_way_only(&mut self) -> Result<InodeNo, HostError> {
        if let Some(directory) = self.directory {
            return Ok(directory);
        }
        let mut directory = InodeNo::ROOT;
        let mut place = GuestPath::root();
        let components: Vec<Vec<u8>> = self.parent.components().map(<[u8]>::to_vec).collect();
        for name in components {
            place = place
                .join(&name)
                .expect("a component of a guest path can be joined to another");
            directory = match self.run(|fs| fs.find_entry(directory, &name))? {
                None => {
                    let new = new_node(Attributes::default(), DIRECTORY_MODE);
                    let node = self.run(|fs| fs.mkdir(directory, &name, new))?;
                    self.label_at(directory, node, &place)?;
                    node
                }
                Some(node) => match self.run(|fs| fs.inode(node))?.kind {
                    FileKind::Directory => node,
                    kind => return Err(self.in_the_way(&place, kind)),
                },
            };
        }
        Ok(directory)
    }

    /// Labels the path's new file.
    fn label(&mut self, parent: InodeNo, node: InodeNo) -> Result<(), HostError> {
        let name = self.name;
        let path = self.parent.join(name);
        let path = path.expect("a component of a guest path can be joined to another");
        self.label_at(parent, node, &path)
    }

    /// Labels the new file `node` at `path`, which has no links on the way.
    fn label_at(&mut self, parent: InodeNo, node: InodeNo, path: &GuestPath) -> Result<(), HostError> {
        match self.labels {
            Some(labels) => self.run(|fs| labels.give(fs, parent, (node, path))),
            None => Ok(()),
        }
    }

    fn set_attributes(&mut self, node: InodeNo, attributes: Attributes) -> Result<(), HostError> {
        let old = self.run(|fs| fs.inode(node))?;
        if let Some(mode) = attributes.mode.filter(|mode| *mode != old.mode) {
            self.run(|fs| fs.set_mode(node, mode))?;
        }
        let (uid, gid) = (
            attributes.uid.unwrap_or(old.uid),
            attributes.gid.unwrap_or(old.gid),
        );
        if (uid, gid) != (old.uid, old.gid) {
            self.run(|fs| fs.set_owner(node, uid, gid))?;
        }
        Ok(())
    }

    /// Does one thing to the file system; an error names the path.
    fn run<T>(&mut self, step: impl FnOnce(&mut Fs) -> Result<T, ExtError>) -> Result<T, HostError> {
        step(self.fs).map_err(edit_failed(self.path))
    }

    fn in_the_way(&self, place: &GuestPath, kind: FileKind) -> HostError {
        HostError::InTheWay {
            path: self.path.clone(),
            place: place.clone(),
            kind,
        }
    }
}

/// The directory at `path`, if there is one and no link on the way.
fn plain_directory(fs: &Fs, path: &GuestPath) -> Result<Option<InodeNo>, ExtError> {
    let mut directory = InodeNo::ROOT;
    for name in path.components() {
        match entry(fs, directory, name)? {
            Some(inode) if inode.kind == FileKind::Directory => directory = inode.number,
            _ => return Ok(None),
        }
    }
    Ok(Some(directory))
}

/// What is called `name` in `directory`.
fn entry(fs: &Fs, directory: InodeNo, name: &[u8]) -> Result<Option<Inode>, ExtError> {
    let found = fs.find_entry(directory, name)?;
    found.map(|inode| fs.inode(inode)).transpose()
}

/// What is at `path`.
fn inode_at(fs: &Fs, path: &GuestPath, follow: Follow) -> Result<Option<Inode>, HostError> {
    fs.lookup(path, follow)
        .and_then(|found| found.map(|inode| fs.inode(inode)).transpose())
        .map_err(edit_failed(path))
}

fn edit_failed(path: &GuestPath) -> impl FnOnce(ExtError) -> HostError {
    let path = path.clone();
    move |source| HostError::Edit { path, source }
}

/// A new node's mode and owner: root's unless told otherwise.
fn new_node(attributes: Attributes, default_mode: u16) -> NewNode {
    NewNode {
        mode: attributes.mode.unwrap_or(default_mode),
        uid: attributes.uid.unwrap_or(0),
        gid: attributes.gid.unwrap_or(0),
    }
}
