//! One image by itself: opened for reading, or edited; a raw one where it lies.
//!
//! ```text
//!   lock --> what a cut-off edit left to do --> journal, orphans --> edit --> check --> redo file --> image
//!            (on disk)                          (in memory, with the edit)
//! ```

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::edit_delta::{OtherBacking, backing_beside, change_delta};
use super::error::HostError;
use super::vacant::vacant;
use super::verify;
use crate::base::atomic::Durability;
use crate::base::{PathError, Timestamp};
use crate::block::{
    BlockDevice, FileDevice, InPlace, LockError, Overlay, RedoError, lock_for_edit, lock_for_reading, redo,
};
use crate::disk::{DiskError, Root, find_root};
use crate::ext::{self, BlockSize, ExtError, Finding, Fs, RecoveryReport};
use crate::image::{self, ConvertError, ImageKind, OpenError};

/// Says why an image could not be used.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// The image's file system cannot be used.
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
    /// Someone else uses the image.
    #[error(transparent)]
    Locked(#[from] LockError),
    /// The change could not be written, or one that was cut short not be completed.
    #[error(transparent)]
    Redo(#[from] RedoError),
    /// The image is damaged, and so cannot be edited.
    #[error("the image `{}` is damaged in {count} places", path.display())]
    Damaged {
        /// The image.
        path: PathBuf,
        /// How many findings there are.
        count: usize,
    },
    /// The image is a delta, of which the kernel knows nothing.
    #[error("`{}` is a {} image, which the kernel cannot mount", path.display(), kind.name())]
    NotRaw {
        /// The image.
        path: PathBuf,
        /// What kind of file it is.
        kind: ImageKind,
    },
    /// The image has no file system, but begins as an image of another format does, whose name it lacks.
    #[error("`{}` holds no file system, but begins as a {} image does", path.display(), kind.name())]
    Disguised {
        /// The image.
        path: PathBuf,
        /// What it begins as.
        kind: ImageKind,
    },
    /// The image's format is not understood.
    #[error(transparent)]
    Open(Box<OpenError>),
    /// The image is a delta that could not be written anew.
    #[error(transparent)]
    Delta(Box<ConvertError>),
    /// The edit failed.
    #[error(transparent)]
    Edit(#[from] HostError),
    /// A file could not be used.
    #[error(transparent)]
    File(#[from] PathError),
}

impl OfflineError {
    /// Ways out.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Locked(error) => error.hint().map(ToOwned::to_owned).into_iter().collect(),
            Self::Damaged { path, .. } => vec![
                format!("`mln-image image check {}` tells where", path.display()),
                "`e2fsck -f` can mend it".to_owned(),
            ],
            Self::Redo(RedoError::Foreign { path, .. } | RedoError::Damaged { path, .. }) => vec![format!(
                "if the image is a new one, or a copy from before, remove `{}`",
                path.display()
            )],
            Self::Disk { source, .. } => source.hints(),
            Self::Disguised { kind, .. } => vec![format!(
                "if it is one that you trust, give it a name that ends in `.{}`: a guest can write such a beginning into its raw disk",
                kind.extension()
            )],
            Self::Open(error) => error.hint().map(ToOwned::to_owned).into_iter().collect(),
            Self::Delta(error) => error.hints(),
            Self::NotRaw { path, .. } => vec![format!(
                "`mln-image image flatten {}` makes it raw",
                path.display()
            )],
            _ => Vec::new(),
        }
    }
}

impl From<OpenError> for OfflineError {
    fn from(error: OpenError) -> Self {
        Self::Open(Box::new(error))
    }
}

impl From<ConvertError> for OfflineError {
    fn from(error: ConvertError) -> Self {
        Self::Delta(Box::new(error))
    }
}

/// An edit that was made.
#[derive(Debug)]
pub struct Edited<T> {
    /// What the edit itself answered.
    pub value: T,
    /// What had to be done to the file system first.
    pub recovery: RecoveryReport,
}

/// An image opened for reading.
#[derive(Debug)]
pub struct OpenImage {
    /// Its file system, as it is once its journal is replayed.
    pub fs: Fs,
    /// What was done for that, in memory.
    pub recovery: RecoveryReport,
    /// Where in the image it lies.
    pub root: Root,
    /// Why it cannot be edited, where it cannot.
    pub obstacle: Option<ExtError>,
}

/// Lets `edit` change the file system of the image at `path` at the time `now`, and puts all that it did into the
/// file, or nothing. What a journal holds is put in place first. `partition` names the root of a whole disk.
///
/// # Errors
/// What `edit` answers; [`OfflineError`]. The image is as it was then; if the machine stops while the change is being
/// put in place, the next to open the image completes it.
pub fn change_image<T, E: From<OfflineError>>(
    path: &Path,
    partition: Option<&str>,
    now: Timestamp,
    durability: Durability,
    edit: impl FnOnce(&mut Fs) -> Result<T, E>,
) -> Result<Edited<T>, E> {
    let beside = backing_beside(path, durability);
    change_image_over(path, partition, now, durability, &beside, |fs, _| edit(fs))
}

/// What lies around the file system that is edited.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around<'a> {
    /// The whole disk; what is written to it is part of the edit.
    pub(super) disk: &'a dyn BlockDevice,
    /// Where the file system lies in it.
    pub(super) root: &'a Root,
}

/// The same, with the whole disk; a COW file that gets another length comes to lie over what `other_backing` makes.
pub(super) fn change_image_over<T, E: From<OfflineError>>(
    path: &Path,
    partition: Option<&str>,
    now: Timestamp,
    durability: Durability,
    other_backing: &OtherBacking<'_>,
    edit: impl FnOnce(&mut Fs, Around<'_>) -> Result<T, E>,
) -> Result<Edited<T>, E> {
    if image::kind_of(&real_path(path)?) != ImageKind::Raw {
        return change_delta(path, partition, now, durability, other_backing, edit);
    }
    let (place, image) = locked(path)?;
    let device = Arc::new(InPlace::new(image.clone(), &place));
    let (root, window) = find(path, device.clone(), partition)?;
    let vacant_of = (image.clone(), root.clone());
    device.offer(move || vacant(&vacant_of.0, &vacant_of.1));
    let around = Around {
        disk: &*device,
        root: &root,
    };
    let (edited, _) = edit_in_memory(path, image, around, window, now, edit)?;
    let device = Arc::into_inner(device).expect("the file system, which alone shared the device, is gone");
    device.commit(durability).map_err(OfflineError::from)?;
    Ok(edited)
}

/// The edit itself, of the file system in `window`, which is a part of the disk `around`: recovered, changed, written
/// to that disk, and proved to be sound; `image` is what the disk was before.
pub(super) fn edit_in_memory<T, E: From<OfflineError>>(
    path: &Path,
    image: Arc<dyn BlockDevice>,
    around: Around<'_>,
    window: Arc<dyn BlockDevice>,
    now: Timestamp,
    edit: impl FnOnce(&mut Fs, Around<'_>) -> Result<T, E>,
) -> Result<(Edited<T>, BlockSize), E> {
    let failed = |source| unusable(path, source);
    let (mut fs, recovery) = Fs::recover(window, now).map_err(failed)?;
    let value = edit(&mut fs, around)?;
    fs.commit().map_err(failed)?;
    prove(&fs, path, around.root, image)?;
    Ok((Edited { value, recovery }, fs.block_size()))
}

/// The raw image at `path`, where it really lies, opened and locked for a change, its last one complete.
pub(super) fn locked(path: &Path) -> Result<(PathBuf, Arc<FileDevice>), OfflineError> {
    let place = real_path(path)?;
    refuse_delta(&place)?;
    let image = Arc::new(FileDevice::open_writable(&place)?);
    lock_for_edit(&image, &place)?;
    redo::complete(&image, &place)?;
    Ok((place, image))
}

/// Opens the image at `path` for reading, after completing an edit that was cut short. A journal is replayed in memory
/// only; where that cannot be done, the files are shown as they lie.
pub fn open_image(path: &Path, partition: Option<&str>) -> Result<OpenImage, OfflineError> {
    open_device(path, partition, readable(path)?)
}

/// The same of an image that the caller edits at this moment: its files as they were before.
pub fn open_image_being_edited(path: &Path, partition: Option<&str>) -> Result<OpenImage, OfflineError> {
    let device = image::open(&real_path(path)?)?.device;
    open_device(path, partition, device)
}

/// Checks the file system of the image at `path`, as it is once its journal is replayed.
pub fn check_image(
    path: &Path,
    partition: Option<&str>,
) -> Result<(Vec<Finding>, RecoveryReport), OfflineError> {
    let (_, device) = find(path, readable(path)?, partition)?;
    let overlay = Arc::new(Overlay::new(device.clone()));
    let (device, recovery): (Arc<dyn BlockDevice>, _) =
        match Fs::recover(overlay.clone(), Timestamp::default()) {
            Ok((_, recovery)) => (overlay, recovery),
            Err(_) => (device, RecoveryReport::default()),
        };
    let findings = ext::check(device).map_err(|source| unusable(path, source))?;
    Ok((findings, recovery))
}

/// Where the file system lies in the image on `device`, and that part as a device.
pub(super) fn find(
    path: &Path,
    device: Arc<dyn BlockDevice>,
    partition: Option<&str>,
) -> Result<(Root, Arc<dyn BlockDevice>), OfflineError> {
    let found = find_root(&*device, partition).and_then(|root| Ok((root.on(device)?, root)));
    found
        .map(|(window, root)| (root, window))
        .map_err(|source| match image::disguised(path) {
            Some(kind) => OfflineError::Disguised {
                path: path.to_path_buf(),
                kind,
            },
            None => OfflineError::Disk {
                path: path.to_path_buf(),
                source,
            },
        })
}

/// The error of an image whose file system cannot be used.
fn unusable(path: &Path, source: ExtError) -> OfflineError {
    let path = path.to_path_buf();
    match image::disguised(&path) {
        Some(kind) => OfflineError::Disguised { path, kind },
        None => OfflineError::FileSystem { path, source },
    }
}

pub(super) fn open_device(
    path: &Path,
    partition: Option<&str>,
    device: Arc<dyn BlockDevice>,
) -> Result<OpenImage, OfflineError> {
    let (root, device) = find(path, device, partition)?;
    let plain = Fs::open(device.clone()).map_err(|source| unusable(path, source))?;
    let now = plain.superblock().wtime();
    Ok(match Fs::recover(Arc::new(Overlay::new(device)), now) {
        Ok((fs, recovery)) => OpenImage {
            fs,
            recovery,
            root,
            obstacle: None,
        },
        Err(error) => OpenImage {
            fs: plain,
            recovery: RecoveryReport::default(),
            root,
            obstacle: Some(error),
        },
    })
}

/// The image at `path` for reading, its last edit complete: on the disk where that can be, else in memory.
fn readable(path: &Path) -> Result<Arc<dyn BlockDevice>, OfflineError> {
    let place = real_path(path)?;
    if redo::has_redo(&place) {
        complete(&place)?;
    }
    if image::kind_of(&place) != ImageKind::Raw {
        return Ok(image::open(&place)?.device);
    }
    let image = Arc::new(FileDevice::open(&place).map_err(named(path))?);
    lock_for_reading(&image, &place)?;
    Ok(redo::view(image, &place)?)
}

/// Refuses an image that is a delta.
fn refuse_delta(path: &Path) -> Result<(), OfflineError> {
    match image::kind_of(path) {
        ImageKind::Raw => Ok(()),
        kind => Err(OfflineError::NotRaw {
            path: path.to_path_buf(),
            kind,
        }),
    }
}

/// Completes an edit on the disk, unless this user may not or someone is at it.
fn complete(place: &Path) -> Result<(), OfflineError> {
    let image = match FileDevice::open_writable(place) {
        Ok(image) => image,
        Err(error)
            if matches!(
                error.source.kind(),
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
            ) =>
        {
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    if lock_for_edit(&image, place).is_ok() {
        match redo::complete(&image, place) {
            Err(RedoError::File(error)) if error.source.kind() == ErrorKind::PermissionDenied => {}
            Err(error) => return Err(error.into()),
            Ok(_) => {}
        }
    }
    Ok(())
}

/// The file itself: a link to an image stays a link, and what completes an edit lies beside the file.
pub(super) fn real_path(path: &Path) -> Result<PathBuf, OfflineError> {
    Ok(fs::canonicalize(path).map_err(PathError::on("open", path))?)
}

/// An error about the file as the user called it.
fn named(path: &Path) -> impl FnOnce(PathError) -> PathError {
    let path = path.to_path_buf();
    move |error| PathError { path, ..error }
}

/// Refuses a result that is not sound: either the image was damaged, or this program is.
fn prove(fs: &Fs, path: &Path, root: &Root, image: Arc<dyn BlockDevice>) -> Result<(), OfflineError> {
    let Err(error) = verify::check(fs) else {
        return Ok(());
    };
    let before = root.on(image).ok().map(ext::check);
    match before {
        Some(Ok(findings)) if !findings.is_empty() => Err(OfflineError::Damaged {
            path: path.to_path_buf(),
            count: findings.len(),
        }),
        _ => Err(error.into()),
    }
}
