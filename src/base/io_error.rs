//! An input/output error that names its file.

use std::io;
use std::path::{Path, PathBuf};

/// What was tried, on which file, and what the system answered.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} `{}`", path.display())]
pub struct PathError {
    /// What was tried, as a verb: `read`, `create`, `rename`.
    pub action: &'static str,
    /// The file.
    pub path: PathBuf,
    /// The system's answer.
    #[source]
    pub source: io::Error,
}

impl PathError {
    /// Makes the closure that `map_err` wants: `.map_err(PathError::on("read", path))`.
    pub fn on(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self { action, path, source }
    }
}
