//! Opens an image of any format that is known here, for reading.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::open::open_regular;
use super::qcow2::{Qcow2Device, Qcow2Header, QcowError};
use super::uml_cow::{CowDevice, CowError, CowHeader};
use crate::base::PathError;
use crate::block::BlockDevice;

/// What kind of file an image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageKind {
    /// The disk, byte for byte.
    Raw,
    /// QEMU's format.
    Qcow2,
    /// User-Mode Linux's copy-on-write format.
    UmlCow,
}

/// An image of any format, opened for reading.
#[derive(Debug)]
pub struct OpenedImage {
    /// The disk in it.
    pub device: Arc<dyn BlockDevice>,
    /// What kind of file it is.
    pub kind: ImageKind,
    /// The file that it lies over.
    pub backing: Option<PathBuf>,
}

/// Says why an image could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is a damaged or unknown qcow2 image, or its backing is.
    #[error("cannot open the qcow2 image `{}`", path.display())]
    Qcow2 {
        /// The image.
        path: PathBuf,
        /// The reason.
        #[source]
        source: QcowError,
    },
    /// It is a damaged or unknown COW file, or its backing has changed.
    #[error("cannot open the UML COW file `{}`", path.display())]
    UmlCow {
        /// The image.
        path: PathBuf,
        /// The reason.
        #[source]
        source: CowError,
    },
    /// It is not there, or no file.
    #[error(transparent)]
    File(#[from] PathError),
}

impl OpenError {
    /// The way out, where there is one.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Qcow2 { source, .. } => source.hint(),
            _ => None,
        }
    }
}

impl ImageKind {
    /// What users call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
            Self::UmlCow => "uml-cow",
        }
    }

    /// How the names of its files end.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Raw => "img",
            Self::Qcow2 => "qcow2",
            Self::UmlCow => "cow",
        }
    }
}

/// What kind of file the image at `path` is: its name tells, since a guest may write what it likes into a raw disk.
///
/// A raw image that begins as a qcow2 or COW file does would otherwise show its guest any file that it names as backing.
pub fn kind_of(path: &Path) -> ImageKind {
    match path.extension().and_then(OsStr::to_str) {
        Some("qcow2" | "qcow") => ImageKind::Qcow2,
        Some("cow") => ImageKind::UmlCow,
        _ => ImageKind::Raw,
    }
}

/// What kind of file an image seems to be whose name says that it is raw; nothing if it does not seem to be another.
pub fn disguised(path: &Path) -> Option<ImageKind> {
    let mut magic = [0; 4];
    if kind_of(path) != ImageKind::Raw || open_regular(path).ok()?.read_at(0, &mut magic).is_err() {
        return None;
    }
    match &magic {
        b"QFI\xfb" => Some(ImageKind::Qcow2),
        b"OOOM" => Some(ImageKind::UmlCow),
        _ => None,
    }
}

/// The file that the image at `path` lies over, by its header alone.
pub fn backing_of(path: &Path) -> Result<Option<PathBuf>, OpenError> {
    let file = open_regular(path)?;
    let (path, directory) = (path.to_path_buf(), path.parent().unwrap_or(Path::new("")));
    let backing = match kind_of(&path) {
        ImageKind::Raw => None,
        ImageKind::Qcow2 => {
            let header = Qcow2Header::read(&file).map_err(|source| OpenError::Qcow2 {
                path: path.clone(),
                source,
            })?;
            header.backing_path
        }
        ImageKind::UmlCow => {
            let header = CowHeader::read(&file).map_err(|source| OpenError::UmlCow {
                path: path.clone(),
                source,
            })?;
            Some(header.backing_path)
        }
    };
    Ok(backing.map(|backing| directory.join(backing)))
}

/// Refuses the image at `path` if it cannot be changed, by its header alone: it is of no known kind, or it holds more
/// than its disk.
pub fn ensure_editable(path: &Path) -> Result<(), OpenError> {
    let file = open_regular(path)?;
    let path = path.to_path_buf();
    match kind_of(&path) {
        ImageKind::Raw => Ok(()),
        ImageKind::Qcow2 => Qcow2Header::read(&file)
            .and_then(|header| header.ensure_is_disk_only())
            .map_err(|source| OpenError::Qcow2 { path, source }),
        ImageKind::UmlCow => match CowHeader::read(&file) {
            Ok(_) => Ok(()),
            Err(source) => Err(OpenError::UmlCow { path, source }),
        },
    }
}

/// Opens the image at `path` for reading, with the file that it lies over.
pub fn open(path: &Path) -> Result<OpenedImage, OpenError> {
    let file = open_regular(path)?;
    let kind = kind_of(path);
    let directory = path.parent().unwrap_or(Path::new(""));
    let (device, backing): (Arc<dyn BlockDevice>, _) = match kind {
        ImageKind::Qcow2 => {
            let failed = |source| OpenError::Qcow2 {
                path: path.to_path_buf(),
                source,
            };
            let header = Qcow2Header::read(&file).map_err(failed)?;
            let device = Qcow2Device::open(path).map_err(failed)?;
            (Arc::new(device), header.backing_path)
        }
        ImageKind::UmlCow => {
            let failed = |source| OpenError::UmlCow {
                path: path.to_path_buf(),
                source,
            };
            let header = CowHeader::read(&file).map_err(failed)?;
            let device = CowDevice::open(path).map_err(failed)?;
            (Arc::new(device), Some(header.backing_path))
        }
        ImageKind::Raw => (Arc::new(file), None),
    };
    Ok(OpenedImage {
        device,
        kind,
        backing: backing.map(|backing| directory.join(backing)),
    })
}
