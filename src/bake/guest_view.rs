//! A guest's files as `guest` wants to see them, read from an ext file system.

use crate::base::{FileKind, GuestPath};
use crate::edit::{GuestView, NodeInfo, ViewError, resolve_with};
use crate::ext::{ExtError, Follow, Fs, Inode};

/// The longest file that is read whole, in bytes. Whoever asks for a file has looked at its length.
const LIMIT_BYTES: u64 = 64 << 20;

/// The files of an ext file system.
#[derive(Debug)]
pub(super) struct ExtView<'a>(pub(super) &'a Fs);

impl ExtView<'_> {
    /// What is at `path`, if anything is.
    fn find(&self, path: &GuestPath, follow: Follow) -> Result<Option<Inode>, ViewError> {
        let found = self.0.lookup(path, follow);
        let inode = match found {
            Ok(inode) => inode,
            Err(ExtError::LinkLoop { .. }) => return Err(ViewError::LinkLoop { path: path.clone() }),
            Err(source) => return Err(failed(path)(source)),
        };
        inode
            .map(|inode| self.0.inode(inode).map_err(failed(path)))
            .transpose()
    }
}

impl GuestView for ExtView<'_> {
    fn read(&self, path: &GuestPath) -> Result<Option<Vec<u8>>, ViewError> {
        match self.find(path, Follow::All)? {
            Some(node) if node.kind == FileKind::Regular => {
                let content = self.0.read_file(node.number, LIMIT_BYTES);
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
                self.0.read_link(node.number).map(Some).map_err(failed(path))
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
        let entries = self.0.read_dir(node.number).map_err(failed(path))?;
        let mut names: Vec<Vec<u8>> = entries.into_iter().map(|entry| entry.name).collect();
        names.sort();
        Ok(Some(names))
    }

    fn resolve(&self, path: &GuestPath) -> Result<GuestPath, ViewError> {
        resolve_with(path, |place| self.read_link(place))
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
