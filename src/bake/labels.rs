//! Security labels of `SELinux` for files that a bake makes: what the image's own policy gives them, else what their
//! directory has. Images without labels stay so.

use super::error::HostError;
use super::guest_view::ExtView;
use crate::base::{FileKind, GuestPath};
use crate::ext::{ExtError, Fs, InodeNo};
use crate::guest::FileContexts;

/// The attribute that holds a label, with a zero byte at its end.
const NAME: &[u8] = b"security.selinux";

/// The labels that new files of one image get.
#[derive(Debug)]
pub(super) struct Labels(FileContexts);

impl Labels {
    /// The labels for `fs`; `None` if its root has none.
    pub(super) fn of(fs: &Fs) -> Result<Option<Self>, HostError> {
        let path = GuestPath::root();
        let label = label_of(fs, InodeNo::ROOT).map_err(|source| HostError::Edit { path, source })?;
        if label.is_none() {
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
}

fn label_of(fs: &Fs, inode: InodeNo) -> Result<Option<Vec<u8>>, ExtError> {
    let xattrs = fs.xattrs(inode)?;
    let found = xattrs.into_iter().find(|xattr| xattr.name == NAME);
    Ok(found.map(|xattr| xattr.value))
}
