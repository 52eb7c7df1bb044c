//! Where a project's files lie.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::StoreError;
use crate::base::PathError;
use crate::project::{HostName, ImageFormat};

/// The directory of a project's shared files; no host can be called so.
const BACKINGS: &str = ".backing";

/// The directory of hosts that a project has no more, but whose files were to be kept.
const REMOVED: &str = ".removed";

/// The directory that holds every project, one directory each.
#[derive(Debug, Clone)]
pub struct Projects {
    root: PathBuf,
}

/// Where one project's files lie.
#[derive(Debug, Clone)]
pub struct ProjectPlaces {
    root: PathBuf,
    name: String,
}

/// Where one host's files lie.
#[derive(Debug, Clone)]
pub struct HostPlaces {
    directory: PathBuf,
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
            let name = entry.file_name().to_string_lossy().into_owned();
            if self.project(&name).is_ok_and(|places| places.is_baked()) {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// Where the files of the project called `name` lie, whether it exists or not.
    pub fn project(&self, name: &str) -> Result<ProjectPlaces, StoreError> {
        let is_plain = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0']);
        if !is_plain {
            return Err(StoreError::UnfitName {
                project: name.to_owned(),
            });
        }
        Ok(ProjectPlaces {
            root: self.root.clone(),
            name: name.to_owned(),
        })
    }
}

impl ProjectPlaces {
    /// The project's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the project has been baked to the end.
    pub fn is_baked(&self) -> bool {
        self.manifest().is_file()
    }

    /// The directory that holds the project's own.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The project's directory.
    pub fn directory(&self) -> PathBuf {
        self.root.join(&self.name)
    }

    /// What went into the bake and what came out.
    pub fn manifest(&self) -> PathBuf {
        self.directory().join("manifest.json")
    }

    /// The project's text as it was baked.
    pub fn project_text(&self) -> PathBuf {
        self.directory().join(format!("{}.mln", self.name))
    }

    /// How the project's machines are started.
    pub fn launch(&self) -> PathBuf {
        self.directory().join("launch.json")
    }

    /// The key that the identities of the project's machines follow from.
    pub fn identity(&self) -> PathBuf {
        // No host can be called so, since the names of hosts have no dot.
        self.directory().join("identity.key")
    }

    /// The file whose lock guards the project.
    pub(super) fn lock(&self) -> PathBuf {
        self.root.join(format!(".{}.lock", self.name))
    }

    /// The directory in which the project is made while it is brought in from elsewhere.
    pub(super) fn staging_root(&self) -> PathBuf {
        self.root.join(format!(".{}.importing", self.name))
    }

    /// The directory of files that several hosts' images lie over.
    pub(super) fn backings(&self) -> PathBuf {
        self.directory().join(BACKINGS)
    }

    /// Where the files of hosts are kept that the project has no more.
    pub fn removed(&self) -> PathBuf {
        self.directory().join(REMOVED)
    }

    /// The path of the shared file `name`, relative to the project's directory.
    pub fn backing_file(&self, name: &str) -> String {
        format!("{BACKINGS}/{name}")
    }

    /// Where the files of `host` lie.
    pub fn host(&self, host: &HostName) -> HostPlaces {
        HostPlaces {
            directory: self.directory().join(host.as_str()),
        }
    }
}

impl HostPlaces {
    /// The names of every file that a host's directory may hold.
    pub(super) const FILES: [&'static str; 9] = [
        "root.img",
        "root.qcow2",
        "root.cow",
        "swap.img",
        "xl.cfg",
        "start",
        "stop",
        Self::CONSOLE_LOG,
        Self::MEMORY,
    ];

    /// What is remembered of how the other files were made.
    pub(super) const MEMORY: &'static str = ".baked";

    /// What a machine said; it stays when the machine is baked again.
    pub(super) const CONSOLE_LOG: &'static str = "console.log";

    /// The host's directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The disk with the root file system.
    pub fn root_image(&self, format: ImageFormat) -> PathBuf {
        self.directory.join(format.root_image())
    }

    /// The file that remembers how the others were made.
    pub fn memory(&self) -> PathBuf {
        self.directory.join(Self::MEMORY)
    }

    /// Whether a disk with a root file system is there.
    pub fn has_images(&self) -> bool {
        ImageFormat::ALL
            .iter()
            .any(|format| self.root_image(*format).is_file())
    }

    /// The disk with the swap area.
    pub fn swap_image(&self) -> PathBuf {
        self.directory.join("swap.img")
    }

    /// The file called `name` beside the images.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_no_plain_file_name_is_refused() {
        let projects = Projects::at(Path::new("/p"));
        for name in ["", ".", "..", "../x", "a/b", ".lock", "a\0b"] {
            assert!(
                matches!(projects.project(name), Err(StoreError::UnfitName { .. })),
                "{name:?}"
            );
        }
        let places = projects.project("webfarm").unwrap();
        assert_eq!(places.manifest(), Path::new("/p/webfarm/manifest.json"));
        let host = places.host(&HostName::new("www1").unwrap());
        assert_eq!(
            host.root_image(ImageFormat::Raw),
            Path::new("/p/webfarm/www1/root.img")
        );
    }
}
