//! Security labels of `SELinux` for files that a bake makes: what the image's own policy gives them, else what their
//! directory has. Images without labels stay so.

use super::error::HostError;
use super::guest_view::ExtView;
use super::offline::OfflineError;
use crate::base::{FileKind, GuestPath};
use crate::edit::GuestView as _;
use crate::ext::{ExtError, Fs, InodeNo};
use crate::guest::FileContexts;

/// The attribute that holds a label, with a zero byte at its end.
const NAME: &[u8] = b"security.selinux";

/// Labels the new file at `path` of `fs`, those on the way to it and everything below it, where the image has labels and
/// they have none.
///
/// # Errors
/// [`OfflineError::Edit`].
pub fn label_new(fs: &mut Fs, path: &GuestPath) -> Result<(), OfflineError> {
    let Some(labels) = Labels::of(fs)? else {
        return Ok(());
    };
    let parent = ExtView::new(fs).resolve(&path.parent().unwrap_or_else(GuestPath::root));
    let (mut directory, mut place) = (InodeNo::ROOT, GuestPath::root());
    let whole = parent.map_err(HostError::from)?;
    for name in whole.components().chain(path.file_name()) {
        let path = place
            .join(name)
            .expect("a component of a guest path can be joined to another");
        let failed = |source| HostError::Edit {
            path: path.clone(),
            source,
        };
        let Some(inode) = fs.find_entry(directory, name).map_err(failed)? else {
            return Ok(());
        };
        labels
            .give_missing(fs, directory, (inode, &path))
            .map_err(failed)?;
        (directory, place) = (inode, path);
    }
    labels.give_below(fs, directory, place)
}

/// Whether the files of `fs` have labels: its root has one then.
pub(super) fn is_labelled(fs: &Fs) -> Result<bool, ExtError> {
    Ok(label_of(fs, InodeNo::ROOT)?.is_some())
}

/// The labels that new files of one image get.
#[derive(Debug)]
pub(super) struct Labels(FileContexts);

impl Labels {
    /// The labels for `fs`; `None` if its root has none.
    pub(super) fn of(fs: &Fs) -> Result<Option<Self>, HostError> {
        let path = GuestPath::root();
        if !is_labelled(fs).map_err(|source| HostError::Edit { path, source })? {
            return Ok(None);
        }
        let contexts = FileContexts::read(&ExtView::new(fs))?;
        Ok(Some(Self(contexts.unwrap_or_default())))
    }

    /// Labels the new file `inode` of `directory`.
    pub(super) fn give(
        &self,
        fs: &mut Fs,
        directory: InodeNo,
        (inode, path): (InodeNo, &GuestPath),
    ) -> Result<(), ExtError> {
        let kind: FileKind = fs.inode(inode)?.kind;
        let label = match self.0.label(path, kind) {
            Some(label) => Some([label, b"\0"].concat()),
            None => label_of(fs, directory)?,
        };
        label.map_or(Ok(()), |label| fs.set_xattr(inode, NAME, &label))
    }

    /// The same unless the file has a label.
    fn give_missing(
        &self,
        fs: &mut Fs,
        directory: InodeNo,
        file: (InodeNo, &GuestPath),
    ) -> Result<(), ExtError> {
        match label_of(fs, file.0)? {
            Some(_) => Ok(()),
            None => self.give(fs, directory, file),
        }
    }

    /// Gives labels to all files below `path` that have none; `inode` is what is there.
    fn give_below(&self, fs: &mut Fs, inode: InodeNo, path: GuestPath) -> Result<(), OfflineError> {
        let mut waiting = vec![(inode, path)];
        while let Some((directory, path)) = waiting.pop() {
            let failed = |source| HostError::Edit {
                path: path.clone(),
                source,
            };
            if fs.inode(directory).map_err(failed)?.kind != FileKind::Directory {
                continue;
            }
            for entry in fs.read_dir(directory).map_err(failed)? {
                let path = path
                    .join(&entry.name)
                    .expect("the name of a directory's entry can be joined to a path");
                self.give_missing(fs, directory, (entry.inode, &path))
                    .map_err(failed)?;
                waiting.push((entry.inode, path));
            }
        }
        Ok(())
    }
}

fn label_of(fs: &Fs, inode: InodeNo) -> Result<Option<Vec<u8>>, ExtError> {
    let xattrs = fs.xattrs(inode)?;
    let found = xattrs.into_iter().find(|xattr| xattr.name == NAME);
    Ok(found.map(|xattr| xattr.value))
}
