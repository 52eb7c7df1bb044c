//! A project that is being brought in: it is made beside its place, and gets its name when it is whole.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::layout::{HostPlaces, ProjectPlaces, Projects};
use super::workspace::{ProjectLock, sync_file_system, take_lock};
use crate::base::PathError;
use crate::base::atomic::{Durability, sync_directory};
use crate::base::cleanup::Undo;
use crate::project::HostName;

/// The right to make a project that is not there yet. Dropped before [`Incoming::finish`], nothing of it stays.
#[derive(Debug)]
pub struct Incoming {
    places: ProjectPlaces,
    /// The same project as it lies while it is being made.
    staging: ProjectPlaces,
    _undo: Undo,
    _lock: ProjectLock,
}

impl Incoming {
    /// Takes the lock of a project that must not be there, and makes an empty directory for it.
    pub fn begin(places: ProjectPlaces) -> Result<Self, StoreError> {
        fs::create_dir_all(places.root()).map_err(PathError::on("create the directory", places.root()))?;
        let lock = take_lock(&places)?;
        if fs::symlink_metadata(places.directory()).is_ok() {
            return Err(StoreError::Exists {
                project: places.name().to_owned(),
            });
        }
        let staging = Projects::at(&places.staging_root()).project(places.name())?;
        // What a killed run has left.
        remove(&places.staging_root())?;
        for directory in [places.staging_root(), staging.directory()] {
            let made = DirBuilder::new().mode(0o755).create(&directory);
            made.map_err(PathError::on("create the directory", &directory))?;
        }
        let undone = places.staging_root();
        Ok(Self {
            _undo: Undo::register(Box::new(move || drop(remove(&undone)))),
            places,
            staging,
            _lock: lock,
        })
    }

    /// Where the project is being made.
    pub fn directory(&self) -> PathBuf {
        self.staging.directory()
    }

    /// Where it will lie.
    pub fn destination(&self) -> PathBuf {
        self.places.directory()
    }

    /// Where the files of `host` are being made.
    pub fn host(&self, host: &HostName) -> HostPlaces {
        self.staging.host(host)
    }

    /// Forces all to the disk, if that is wanted, and gives the project its name. Answers where it lies.
    pub fn finish(self, durability: Durability) -> Result<PathBuf, StoreError> {
        let (from, to) = (self.directory(), self.destination());
        if durability == Durability::Sync {
            sync_file_system(&from)?;
        }
        fs::rename(&from, &to).map_err(PathError::on("create", &to))?;
        if durability == Durability::Sync {
            sync_directory(&to)?;
        }
        Ok(to)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // What does not go now goes when the next one is brought in.
        drop(remove(&self.places.staging_root()));
    }
}

fn remove(directory: &Path) -> Result<(), PathError> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(PathError::on("remove the directory", directory)(error))
        }
        _ => Ok(()),
    }
}
