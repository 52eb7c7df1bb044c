//! What belongs to running machines and goes with them: one directory a project, below one a user.
//!
//! ```text
//!   /run/mln or /tmp/mln-UID          the user's own, closed to others
//!     lab-1a2b3c4d.lock               held by whoever starts or stops the project
//!     lab-1a2b3c4d/
//!       lan.ctl                       a switch's socket
//!       www1/
//!         record.json                 that the machine was started, and how
//!         console                     what it has printed
//!         www1/pid www1/mconsole      what User-Mode Linux puts there
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::base::PathError;
use crate::base::atomic::{self, Durability};

use super::command::LaunchHost;
use super::run::RunError;

/// The longest path of a socket in bytes, without its final zero: unix(7).
pub(super) const SOCKET_PATH_MAX: usize = 107;

/// The runtime directory of one project.
#[derive(Debug, Clone)]
pub(super) struct Runtime {
    base: PathBuf,
    name: String,
}

/// The runtime directory of one machine.
#[derive(Debug, Clone)]
pub(super) struct MachinePlace {
    pub(super) directory: PathBuf,
}

/// That a machine was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// How its console is reached: `screen`, `pty` and so on.
    pub(super) terminal: crate::project::Terminal,
    /// Why it is known not to run any more, if it is.
    #[serde(default)]
    pub(super) crash: Option<String>,
}

/// The right to start and stop a project's machines, held until it is dropped.
#[derive(Debug)]
pub(super) struct RuntimeLock {
    _file: File,
}

impl Runtime {
    /// That of the project whose runtime directory is called `name`.
    pub(super) fn new(host: &LaunchHost, name: &str) -> Self {
        Self {
            base: host.runtime.clone(),
            name: name.to_owned(),
        }
    }

    /// Where the project's sockets are.
    pub(super) fn directory(&self) -> PathBuf {
        self.base.join(&self.name)
    }

    /// The directory as text, for command lines.
    pub(super) fn shown(&self) -> String {
        self.directory().display().to_string()
    }

    /// Where what belongs to the machine with the short name `handle` lies.
    pub(super) fn machine(&self, handle: &str) -> MachinePlace {
        MachinePlace {
            directory: self.directory().join(handle),
        }
    }

    /// Makes the directory, in one that nobody else may write to.
    pub(super) fn make(&self, host: &LaunchHost) -> Result<(), RunError> {
        let mode = if host.is_root() { 0o711 } else { 0o700 };
        let make = |path: &Path| match DirBuilder::new().mode(mode).create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made.map_err(PathError::on("create the directory", path)),
        };
        make(&self.base)?;
        let found = fs::symlink_metadata(&self.base).map_err(PathError::on("look at", &self.base))?;
        if !found.is_dir() || found.uid() != host.uid || found.mode() & 0o022 != 0 {
            return Err(RunError::RuntimeNotOurs {
                path: self.base.clone(),
            });
        }
        make(&self.directory())?;
        Ok(())
    }

    /// Takes the project's lock, or says that another process has it.
    pub(super) fn lock(&self, host: &LaunchHost, project: &str) -> Result<RuntimeLock, RunError> {
        self.make(host)?;
        let path = self.lock_path();
        loop {
            let file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)
                .map_err(PathError::on("create", &path))?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => {
                    return Err(RunError::Busy {
                        project: project.to_owned(),
                    });
                }
                Err(errno) => return Err(PathError::on("lock", &path)(errno.into()).into()),
            }
            // Whoever had the lock before may have removed the file that it was on.
            let same = |found: fs::Metadata| file.metadata().is_ok_and(|own| own.ino() == found.ino());
            if fs::metadata(&path).is_ok_and(same) {
                self.make(host)?;
                return Ok(RuntimeLock { _file: file });
            }
        }
    }

    /// Whether anything has been started and not been stopped since.
    pub(super) fn exists(&self) -> bool {
        self.directory().is_dir()
    }

    /// Removes everything, once nothing runs any more; the lock is the caller's.
    pub(super) fn remove(&self, _lock: &RuntimeLock) -> Result<(), PathError> {
        let directory = self.directory();
        fs::remove_dir_all(&directory).map_err(PathError::on("remove the directory", &directory))?;
        let lock = self.lock_path();
        fs::remove_file(&lock).map_err(PathError::on("remove", &lock))
    }

    /// Removes everything while the process ends, whoever has the lock.
    pub(super) fn remove_all(&self) {
        drop(fs::remove_dir_all(self.directory()));
        drop(fs::remove_file(self.lock_path()));
    }

    fn lock_path(&self) -> PathBuf {
        self.base.join(format!("{}.lock", self.name))
    }
}

impl MachinePlace {
    /// What the machine has printed.
    pub(super) fn console(&self) -> PathBuf {
        self.directory.join("console")
    }

    fn record_path(&self) -> PathBuf {
        self.directory.join("record.json")
    }

    /// What was written down when the machine was started; `None` if it was not, or cleanly stopped since.
    pub(super) fn record(&self) -> Option<Record> {
        let text = fs::read(self.record_path()).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Makes the directory, empty, and writes down that the machine is being started.
    pub(super) fn begin(&self, record: &Record) -> Result<(), RunError> {
        match fs::remove_dir_all(&self.directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(PathError::on("remove the directory", &self.directory)(error).into());
            }
            _ => {}
        }
        let made = DirBuilder::new().mode(0o700).create(&self.directory);
        made.map_err(PathError::on("create the directory", &self.directory))?;
        self.write(record)
    }

    /// Writes `record` down.
    pub(super) fn write(&self, record: &Record) -> Result<(), RunError> {
        let text = serde_json::to_vec(record).map_err(io::Error::other);
        let path = self.record_path();
        let text = text.map_err(PathError::on("write", &path))?;
        Ok(atomic::write(&path, &text, Durability::NoSync)?)
    }

    /// Forgets that the machine was started, with everything that it left.
    pub(super) fn forget(&self) -> Result<(), PathError> {
        match fs::remove_dir_all(&self.directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(PathError::on("remove the directory", &self.directory)(error))
            }
            _ => Ok(()),
        }
    }
}
