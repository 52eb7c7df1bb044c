//! Where a project's files lie.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::base::PathError;

/// The name of the file whose presence says that a project is whole.
const MANIFEST: &str = "manifest.json";

/// The directory that holds every project, one directory each.
#[derive(Debug, Clone)]
pub struct Projects {
    root: PathBuf,
}

impl Projects {
    /// The projects in the directory `root`, which need not exist yet.
    pub fn at(root: &Path) -> Self {
        Self {
            root: root.to_path_buf(),
        }
    }

    /// The names of the projects that have been baked to the end, sorted; none where the directory does not exist.
    pub fn baked(&self) -> Result<Vec<String>, PathError> {
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(PathError::on("read the directory", &self.root)(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(PathError::on("read the directory", &self.root))?;
            if entry.path().join(MANIFEST).is_file() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        names.sort();
        Ok(names)
    }
}
