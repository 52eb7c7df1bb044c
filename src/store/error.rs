//! Why a project cannot be worked on.

use crate::base::PathError;

/// Says why a project cannot be worked on.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file or directory could not be made, read or removed.
    #[error(transparent)]
    File(#[from] PathError),
    /// The project has been baked, and nobody said that it may be replaced.
    #[error("project `{project}` exists already")]
    Exists {
        /// The project's name.
        project: String,
    },
    /// Another process works on the project.
    #[error("another process is working on project `{project}`")]
    Locked {
        /// The project's name.
        project: String,
    },
    /// The name cannot be that of a directory.
    #[error("`{project}` cannot be a project's name: it has to be a plain file name")]
    UnfitName {
        /// The name.
        project: String,
    },
}
