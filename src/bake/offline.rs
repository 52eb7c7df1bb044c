//! One image edited by itself: the same overlay, edits and atomic writing as in a bake, over the image's own file.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};

use super::apply::apply;
use super::error::HostError;
use super::verify;
use crate::base::atomic::Durability;
use crate::base::{PathError, Timestamp};
use crate::block::{FileDevice, Overlay};
use crate::disk::{DiskError, find_root};
use crate::edit::EditList;
use crate::ext::{ExtError, Fs};
use crate::image::{BaseImage, RawWriter};

/// Says why an image could not be edited.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// The image's file system cannot be edited.
    #[error("cannot use the image `{}`", path.display())]
    FileSystem {
        /// The image.
        path: PathBuf,
        /// The file system's reason.
        #[source]
        source: ExtError,
    },
    /// The image is a whole disk whose partitions cannot be used.
    #[error("cannot use the image `{}`", path.display())]
    Disk {
        /// The image.
        path: PathBuf,
        /// Why.
        #[source]
        source: DiskError,
    },
    /// Another process edits the image.
    #[error("another process is working on `{}`", path.display())]
    Busy {
        /// The image.
        path: PathBuf,
    },
    /// The edit failed.
    #[error(transparent)]
    Edit(#[from] HostError),
    /// A file could not be used.
    #[error(transparent)]
    File(#[from] PathError),
}

/// Carries out `edits` in the image at `path` at the time `now`. The old image stays until the new one is whole, so
/// that this takes as much disk as a second copy for a while. `partition` names the root of a whole disk.
pub fn edit_image(
    path: &Path,
    partition: Option<&str>,
    edits: &EditList,
    now: Timestamp,
    durability: Durability,
) -> Result<(), OfflineError> {
    // A link to an image stays a link.
    let path = fs::canonicalize(path).map_err(PathError::on("open", path))?;
    let device = Arc::new(FileDevice::open(&path)?);
    lock(&path, &device)?;
    let base = Arc::new(BaseImage::as_it_is(device.clone()).map_err(HostError::from)?);
    let overlay = Arc::new(Overlay::new(base.clone()));
    let failed = |source| OfflineError::FileSystem {
        path: path.clone(),
        source,
    };
    let root = find_root(&*overlay, partition)
        .and_then(|root| root.on(overlay.clone()))
        .map_err(|source| OfflineError::Disk {
            path: path.clone(),
            source,
        })?;
    let mut fs = Fs::open_for_edit(root, now).map_err(failed)?;
    apply(&mut fs, edits)?;
    fs.commit().map_err(failed)?;
    verify::check(&fs)?;
    drop(fs);
    let overlay = Arc::into_inner(overlay).expect("the file system, which alone shared the overlay, is gone");
    let delta = overlay.finish().map_err(HostError::from)?;
    if delta.changed_units() == 0 {
        return Ok(());
    }
    let (file, _) = RawWriter::new()
        .write(&base, &delta, &path)
        .map_err(HostError::from)?;
    let old = device.file().metadata().map_err(PathError::on("read", &path))?;
    let new = file.file().metadata().map_err(PathError::on("read", &path))?;
    if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
        fchown(file.file(), Some(old.uid()), Some(old.gid()))
            .map_err(PathError::on("give the owner of the old image to", &path))?;
    }
    let mode = fs::Permissions::from_mode(old.mode() & 0o7777);
    file.file()
        .set_permissions(mode)
        .map_err(PathError::on("set the mode of", &path))?;
    Ok(file.persist(durability)?)
}

/// Keeps other edits of the same image away for as long as `device` is open.
fn lock(path: &Path, device: &FileDevice) -> Result<(), OfflineError> {
    let busy = || OfflineError::Busy {
        path: path.to_path_buf(),
    };
    flock(device.file(), FlockOperation::NonBlockingLockExclusive).map_err(|_| busy())?;
    let failed = || PathError::on("read", path);
    let opened = device.file().metadata().map_err(failed())?;
    let named = fs::metadata(path).map_err(failed())?;
    // Another process may have put its new image in place between our opening and our lock.
    if (opened.dev(), opened.ino()) == (named.dev(), named.ino()) {
        Ok(())
    } else {
        Err(busy())
    }
}
