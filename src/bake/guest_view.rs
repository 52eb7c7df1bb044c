//! A guest's files as `guest` wants to see them, read from an ext file system.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use crate::base::{FileKind, GuestPath};
use crate::edit::{GuestView, NodeInfo, ViewError, resolve_with};
use crate::ext::{ExtError, Follow, Fs, Inode};

/// The longest file that is read whole, in bytes. Whoever asks for a file has looked at its length.
const LIMIT_BYTES: u64 = 64 << 20;

/// How many paths are remembered of a template: hosts ask for the same few hundred.
const KNOWN_PATHS: usize = 2048;

/// The files of an ext file system.
#[derive(Debug)]
pub(super) struct ExtView<'a> {
    fs: &'a Fs,
    known: Option<&'a Known>,
}

/// What was found at paths of a file system that does not change, for all who ask again.
#[derive(Debug, Default)]
pub(super) struct Known {
    followed: Paths<Option<Inode>>,
    itself: Paths<Option<Inode>>,
    resolved: Paths<GuestPath>,
}

/// What was found at each path.
#[derive(Debug)]
struct Paths<T>(RwLock<HashMap<GuestPath, T>>);

impl<T> Default for Paths<T> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<T: Clone> Paths<T> {
    /// What was found at `path`, or what `look` finds there now.
    fn get(&self, path: &GuestPath, look: impl FnOnce() -> Result<T, ViewError>) -> Result<T, ViewError> {
        let remembered = {
            let paths = self.0.read().unwrap_or_else(PoisonError::into_inner);
            paths.get(path).cloned()
        };
        if let Some(found) = remembered {
            return Ok(found);
        }
        let found = look()?;
        let mut paths = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if paths.len() < KNOWN_PATHS {
            paths.insert(path.clone(), found.clone());
        }
        Ok(found)
    }
}

impl<'a> ExtView<'a> {
    /// The files of `fs` as they are at this moment.
    pub(super) fn new(fs: &'a Fs) -> Self {
        Self { fs, known: None }
    }

    /// The files of `fs`, which does not change as long as there is `known`.
    pub(super) fn unchanging(fs: &'a Fs, known: &'a Known) -> Self {
        Self {
            fs,
            known: Some(known),
        }
    }

    /// The size of the file system's blocks.
    pub(super) fn block_bytes(&self) -> u32 {
        self.fs.block_size().bytes()
    }

    /// What is at `path`, if anything is.
    fn find(&self, path: &GuestPath, follow: Follow) -> Result<Option<Inode>, ViewError> {
        match (self.known, follow) {
            (None, _) => self.look(path, follow),
            (Some(known), Follow::All) => known.followed.get(path, || self.look(path, follow)),
            (Some(known), Follow::NotLast) => known.itself.get(path, || self.look(path, follow)),
        }
    }

    /// The same, from the file system.
    fn look(&self, path: &GuestPath, follow: Follow) -> Result<Option<Inode>, ViewError> {
        let found = self.fs.lookup(path, follow);
        let inode = match found {
            Ok(inode) => inode,
            Err(ExtError::LinkLoop { .. }) => return Err(ViewError::LinkLoop { path: path.clone() }),
            Err(source) => return Err(failed(path)(source)),
        };
        inode
            .map(|inode| self.fs.inode(inode).map_err(failed(path)))
            .transpose()
    }
}

impl GuestView for ExtView<'_> {
    fn is_labelled(&self) -> Result<bool, ViewError> {
        super::labels::is_labelled(self.fs).map_err(failed(&GuestPath::root()))
    }

    fn read(&self, path: &GuestPath) -> Result<Option<Vec<u8>>, ViewError> {
        match self.find(path, Follow::All)? {
            Some(node) if node.kind == FileKind::Regular => {
                let content = self.fs.read_file(node.number, LIMIT_BYTES);
                content.map(Some).map_err(failed(path))
            }
            _ => Ok(None),
        }
    }

    fn info(&self, path: &GuestPath) -> Result<Option<NodeInfo>, ViewError> {
        let node = self.find(path, Follow::NotLast)?;
        Ok(node.map(|node| NodeInfo {
            kind: node.kind,
            mode: node.mode,
            uid: node.uid,
            gid: node.gid,
            len_bytes: node.size_in_bytes,
        }))
    }

    fn read_link(&self, path: &GuestPath) -> Result<Option<Vec<u8>>, ViewError> {
        match self.find(path, Follow::NotLast)? {
            Some(node) if node.kind == FileKind::Symlink => {
                self.fs.read_link(node.number).map(Some).map_err(failed(path))
            }
            _ => Ok(None),
        }
    }

    fn list(&self, path: &GuestPath) -> Result<Option<Vec<Vec<u8>>>, ViewError> {
        let Some(node) = self.find(path, Follow::All)? else {
            return Ok(None);
        };
        if node.kind != FileKind::Directory {
            return Ok(None);
        }
        let entries = self.fs.read_dir(node.number).map_err(failed(path))?;
        let mut names: Vec<Vec<u8>> = entries.into_iter().map(|entry| entry.name).collect();
        names.sort();
        Ok(Some(names))
    }

    fn resolve(&self, path: &GuestPath) -> Result<GuestPath, ViewError> {
        let resolve = || resolve_with(path, |place| self.read_link(place));
        match self.known {
            None => resolve(),
            Some(known) => known.resolved.get(path, resolve),
        }
    }
}

/// Names the path of a failed look.
fn failed(path: &GuestPath) -> impl FnOnce(ExtError) -> ViewError {
    let path = path.clone();
    move |source| ViewError::Read {
        path,
        source: Box::new(source),
    }
}
