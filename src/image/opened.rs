//! Opens an image of any format that is known here, for reading.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::open::open_regular;
use super::qcow2::{Qcow2Device, Qcow2Header, QcowError};
use super::uml_cow::{CowDevice, CowError, CowHeader};
use crate::base::PathError;
use crate::block::{BlockDevice, DeviceError, FileDevice};

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
    /// It cannot be read.
    #[error("cannot read the image `{}`", path.display())]
    Device {
        /// The image.
        path: PathBuf,
        /// The reason.
        #[source]
        source: DeviceError,
    },
    /// It is not there, or no file.
    #[error(transparent)]
    File(#[from] PathError),
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
}

/// What kind of file the image at `path` is: its first bytes tell, and what is neither qcow2 nor COW is raw.
pub fn kind_of(path: &Path) -> Result<ImageKind, OpenError> {
    kind(&open_regular(path)?, path)
}

fn kind(file: &FileDevice, path: &Path) -> Result<ImageKind, OpenError> {
    let mut magic = [0; 4];
    if file.len_bytes() >= 4 {
        file.read_at(0, &mut magic).map_err(|source| OpenError::Device {
            path: path.to_path_buf(),
            source,
        })?;
    }
    Ok(match &magic {
        b"QFI\xfb" => ImageKind::Qcow2,
        b"OOOM" => ImageKind::UmlCow,
        _ => ImageKind::Raw,
    })
}

/// Opens the image at `path` for reading, with the file that it lies over.
pub fn open(path: &Path) -> Result<OpenedImage, OpenError> {
    let file = open_regular(path)?;
    let kind = kind(&file, path)?;
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
