//! Why a project could not be packed or unpacked.

use std::path::PathBuf;

use super::super::offline::OfflineError;
use crate::base::PathError;
use crate::image::ConvertError;
use crate::store::StoreError;

/// Says why a project could not be packed or unpacked.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The project's place could not be had.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file could not be used.
    #[error(transparent)]
    File(#[from] PathError),
    /// An image is in use, or cannot be read.
    #[error(transparent)]
    Image(Box<OfflineError>),
    /// An image that lies over another could not be made whole.
    #[error("cannot make the image of host `{host}` whole")]
    Flatten {
        /// The host.
        host: String,
        /// Why not.
        #[source]
        source: Box<ConvertError>,
    },
    /// A file of the project is not what a bake writes.
    #[error("`{}` is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The file is no archive of a project, or not a whole one.
    #[error("`{}` is no archive of a project: {reason}", path.display())]
    NoArchive {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The archive is of another version of the program.
    #[error("`{}` has the form {found}, this program reads {known}", path.display())]
    Form {
        /// The archive.
        path: PathBuf,
        /// Its form.
        found: u32,
        /// The form that is known here.
        known: u32,
    },
    /// A file of the archive is not what its list says.
    #[error("`{member}` in `{}` is not as it was packed: {reason}", path.display())]
    Member {
        /// The archive.
        path: PathBuf,
        /// The file in it.
        member: String,
        /// What differs.
        reason: String,
    },
}

impl ArchiveError {
    /// Ways out.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Image(error) => error.hints(),
            _ => Vec::new(),
        }
    }
}

impl From<OfflineError> for ArchiveError {
    fn from(error: OfflineError) -> Self {
        Self::Image(Box::new(error))
    }
}
