//! The right to change a project: its lock, its left-overs, and the manifest that says that it is whole.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rustix::fs::{FlockOperation, flock, syncfs};
use rustix::io::Errno;

use super::backings::remove_backings;
use super::error::StoreError;
use super::layout::{HostPlaces, ProjectPlaces};
use super::present::is_private;
use crate::base::atomic::{self, Durability};
use crate::base::{AtomicFile, PathError};
use crate::project::{HostName, has_plain_password};

/// What shall become of a project that has been baked already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It stays as it is, and there is nothing to do here.
    Refuse,
    /// Its files are replaced one by one, each when its successor is whole.
    Replace,
}

/// What a project is declared whole with.
#[derive(Debug)]
pub struct Finish<'a> {
    /// The project's text.
    pub project_text: &'a [u8],
    /// How its machines are started, as `launch.json` says it.
    pub launch: AtomicFile,
    /// The manifest.
    pub manifest: AtomicFile,
    /// Every host that the project has.
    pub hosts: &'a [HostName],
    /// The shared files that images lie over, relative to the project's directory.
    pub backings: &'a BTreeSet<String>,
    /// Whether all files are forced to the disk.
    pub durability: Durability,
}

/// The right to change one project, held until this value is dropped.
#[derive(Debug)]
pub struct Workspace {
    places: ProjectPlaces,
    /// Whether the manifest still speaks of the files beside it.
    is_sealed: Mutex<bool>,
    /// Whether it did when the project was opened.
    was_sealed: bool,
    _lock: ProjectLock,
}

/// The lock of a project. It is given up by name: the file alone would not do while a program that another thread is
/// about to start still has it from us.
#[derive(Debug)]
pub(super) struct ProjectLock(File);

impl Drop for ProjectLock {
    fn drop(&mut self) {
        // A lock that cannot be given up goes with the process.
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

impl Workspace {
    /// Takes the project's lock, makes its directory and removes what an interrupted run left in it.
    pub fn open(places: ProjectPlaces, existing: Existing) -> Result<Self, StoreError> {
        fs::create_dir_all(places.root()).map_err(PathError::on("create the directory", places.root()))?;
        let lock = take_lock(&places)?;
        if existing == Existing::Refuse && places.is_baked() {
            return Err(StoreError::Exists {
                project: places.name().to_owned(),
            });
        }
        let directory = places.directory();
        make_directory(&directory)?;
        atomic::remove_left_overs(&directory)?;
        for host in subdirectories(&directory, |_| true)? {
            atomic::remove_left_overs(&host)?;
        }
        Ok(Self {
            is_sealed: Mutex::new(places.is_baked()),
            was_sealed: places.is_baked(),
            places,
            _lock: lock,
        })
    }

    /// Where the project's files lie.
    pub fn places(&self) -> &ProjectPlaces {
        &self.places
    }

    /// Makes the directory of `host`.
    pub fn make_host(&self, host: &HostName) -> Result<HostPlaces, StoreError> {
        let places = self.places.host(host);
        make_directory(places.directory())?;
        Ok(places)
    }

    /// Whether the last bake of the project came to its end.
    pub fn was_sealed(&self) -> bool {
        self.was_sealed
    }

    /// Makes the directory of shared files, and tells where the one called `name` lies in it: an absolute path, since
    /// images name it so.
    pub fn make_backing(&self, name: &str) -> Result<PathBuf, StoreError> {
        let directory = self.places.backings();
        make_directory(&directory)?;
        let directory =
            fs::canonicalize(&directory).map_err(PathError::on("find the directory", &directory))?;
        Ok(directory.join(name))
    }

    /// Removes what a host has from an earlier bake beside the files called `names`; what is remembered of it stays, since
    /// without that nobody would know that its image holds what a machine has written.
    pub fn tidy_host(&self, places: &HostPlaces, names: &[&str]) -> Result<(), StoreError> {
        for name in HostPlaces::FILES {
            let is_kept = [HostPlaces::CONSOLE_LOG, HostPlaces::MEMORY].contains(&name);
            if !names.contains(&name) && !is_kept {
                atomic::remove_if_there(&places.file(name))?;
            }
        }
        Ok(())
    }

    /// Has to be called before a file is put under its final name: from then on, until [`Workspace::finish`], the
    /// project counts as unfinished.
    pub fn unseal(&self) -> Result<(), StoreError> {
        let mut is_sealed = self
            .is_sealed
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if *is_sealed {
            let manifest = self.places.manifest();
            fs::remove_file(&manifest).map_err(PathError::on("remove", &manifest))?;
            *is_sealed = false;
        }
        Ok(())
    }

    /// Writes a file that lies beside the hosts, unless it is there already.
    pub fn put(&self, path: &Path, content: &[u8], durability: Durability) -> Result<(), StoreError> {
        let file = AtomicFile::create(path)?;
        file.file()
            .write_all(content)
            .map_err(PathError::on("write", file.temporary_path()))?;
        self.put_file(file, durability)
    }

    /// Gives a file that lies beside the hosts its name, unless it is there already.
    pub fn put_file(&self, file: AtomicFile, durability: Durability) -> Result<(), StoreError> {
        if file.is_there()? {
            return Ok(());
        }
        self.unseal()?;
        Ok(file.persist(durability)?)
    }

    /// Declares the project whole: forces all its files to the disk if they shall survive a power cut, writes its own
    /// files, the manifest last, then removes the files of hosts that it no longer has. A file that is not ours keeps its
    /// directory. A project that is whole already, and the same, is not touched.
    pub fn finish(&self, finish: Finish<'_>) -> Result<(), StoreError> {
        let durability = finish.durability;
        if !finish.manifest.is_there()? {
            self.unseal()?;
        }
        if durability == Durability::Sync {
            sync_file_system(&self.places.directory())?;
        }
        self.put_project_text(finish.project_text, durability)?;
        self.put_file(finish.launch, durability)?;
        self.put_file(finish.manifest, durability)?;
        self.remove_unwanted(finish.hosts, finish.backings)?;
        if durability == Durability::Sync {
            let root = self.places.root();
            File::open(root)
                .and_then(|handle| handle.sync_all())
                .map_err(PathError::on("sync", root))?;
        }
        Ok(())
    }
}

impl Workspace {
    /// Writes the project's text, which is for the owner's eyes alone if it spells out a password.
    fn put_project_text(&self, text: &[u8], durability: Durability) -> Result<(), StoreError> {
        let path = self.places.project_text();
        if !has_plain_password(&String::from_utf8_lossy(text)) {
            return self.put(&path, text, durability);
        }
        let file = AtomicFile::private(&path, text)?;
        if is_private(&path) {
            return self.put_file(file, durability);
        }
        self.unseal()?;
        Ok(file.persist(durability)?)
    }

    /// Removes hosts and shared files that the project no longer has.
    fn remove_unwanted(&self, hosts: &[HostName], wanted: &BTreeSet<String>) -> Result<(), StoreError> {
        let hosts: BTreeSet<&OsStr> = hosts.iter().map(|host| host.as_str().as_ref()).collect();
        let backings = self.places.backings();
        for directory in subdirectories(&self.places.directory(), |name| !hosts.contains(name))? {
            if directory == backings {
                remove_backings(&directory, wanted)?;
            } else if directory == self.places.removed() {
                // Theirs alone who asked for it to be kept.
            } else {
                remove_host(&directory)?;
            }
        }
        Ok(())
    }
}

/// Takes the project's lock, or says that another process has it.
pub(super) fn take_lock(places: &ProjectPlaces) -> Result<ProjectLock, StoreError> {
    let path = places.lock();
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(PathError::on("create", &path))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(ProjectLock(file)),
        Err(Errno::WOULDBLOCK) => Err(StoreError::Locked {
            project: places.name().to_owned(),
        }),
        Err(errno) => Err(PathError::on("lock", &path)(errno.into()).into()),
    }
}

/// Forces everything that was written to the file system of `directory` to the disk.
pub(super) fn sync_file_system(directory: &Path) -> Result<(), PathError> {
    let handle = File::open(directory).map_err(PathError::on("open", directory))?;
    syncfs(&handle).map_err(|errno| PathError::on("sync the file system of", directory)(errno.into()))
}

pub(super) fn make_directory(directory: &Path) -> Result<(), PathError> {
    match fs::create_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && directory.is_dir() => Ok(()),
        made => made.map_err(PathError::on("create the directory", directory)),
    }
}

/// The directories right inside `directory` whose names are `wanted`, links not followed, sorted.
fn subdirectories(directory: &Path, wanted: impl Fn(&OsStr) -> bool) -> Result<Vec<PathBuf>, PathError> {
    let failed = || PathError::on("read the directory", directory);
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed())? {
        let entry = entry.map_err(failed())?;
        if wanted(&entry.file_name()) && entry.file_type().map_err(failed())?.is_dir() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Removes a host's files, and its directory if nothing else is in it.
fn remove_host(directory: &Path) -> Result<(), PathError> {
    for name in HostPlaces::FILES {
        atomic::remove_if_there(&directory.join(name))?;
    }
    remove_directory_if_empty(directory)
}

pub(super) fn remove_directory_if_empty(directory: &Path) -> Result<(), PathError> {
    match fs::remove_dir(directory) {
        Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => {
            Err(PathError::on("remove the directory", directory)(error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Projects;
    use super::*;

    fn open(root: &Path, existing: Existing) -> Result<Workspace, StoreError> {
        Workspace::open(Projects::at(root).project("lab")?, existing)
    }

    fn finish(workspace: &Workspace, project_text: &[u8], hosts: &[HostName], durability: Durability) {
        let file = |path: &Path| {
            let file = AtomicFile::create(path).unwrap();
            file.file().write_all(b"{}").unwrap();
            file
        };
        let finish = Finish {
            project_text,
            launch: file(&workspace.places().launch()),
            manifest: file(&workspace.places().manifest()),
            hosts,
            backings: &BTreeSet::new(),
            durability,
        };
        workspace.finish(finish).unwrap();
    }

    fn put(path: &Path) {
        atomic::write(path, b"x", Durability::NoSync).unwrap();
    }

    #[test]
    fn only_one_process_works_on_a_project() {
        let root = tempfile::tempdir().unwrap();
        let first = open(root.path(), Existing::Refuse).unwrap();
        let second = open(root.path(), Existing::Refuse).unwrap_err();
        assert_eq!(second.to_string(), "another process is working on project `lab`");
        drop(first);
        drop(open(root.path(), Existing::Refuse).unwrap());
    }

    #[test]
    fn a_finished_project_is_replaced_only_when_asked_and_unfinished_until_finished_again() {
        let root = tempfile::tempdir().unwrap();
        let workspace = open(root.path(), Existing::Refuse).unwrap();
        finish(&workspace, b"text", &[], Durability::Sync);
        drop(workspace);
        let refused = open(root.path(), Existing::Refuse).unwrap_err();
        assert_eq!(refused.to_string(), "project `lab` exists already");
        let workspace = open(root.path(), Existing::Replace).unwrap();
        assert!(workspace.places().is_baked());
        workspace.unseal().unwrap();
        workspace.unseal().unwrap();
        assert!(!workspace.places().is_baked());
        drop(workspace);
        drop(open(root.path(), Existing::Refuse).unwrap());
    }

    #[test]
    fn left_overs_go_and_vanished_hosts_go_without_foreign_files() {
        let root = tempfile::tempdir().unwrap();
        let [kept, gone, foreign] = ["kept", "gone", "foreign"].map(|name| HostName::new(name).unwrap());
        let workspace = open(root.path(), Existing::Refuse).unwrap();
        for host in [&kept, &gone, &foreign] {
            put(&workspace
                .make_host(host)
                .unwrap()
                .root_image(crate::project::ImageFormat::Raw));
        }
        let places = workspace.places().clone();
        put(&places.host(&kept).file("root.img.mln-partial"));
        put(&places.directory().join("manifest.json.mln-partial"));
        put(&places.host(&foreign).file("notes"));
        drop(workspace);
        let workspace = open(root.path(), Existing::Refuse).unwrap();
        finish(&workspace, b"", std::slice::from_ref(&kept), Durability::NoSync);
        let left: Vec<_> = walkdir::WalkDir::new(places.directory())
            .sort_by_file_name()
            .into_iter()
            .map(|entry| {
                entry
                    .unwrap()
                    .path()
                    .strip_prefix(root.path())
                    .unwrap()
                    .to_owned()
            })
            .filter(|path| path.extension().is_some() || path.ends_with("notes"))
            .collect();
        let expected = [
            "foreign/notes",
            "kept/root.img",
            "lab.mln",
            "launch.json",
            "manifest.json",
        ];
        assert_eq!(left, expected.map(|path| Path::new("lab").join(path)));
        drop(workspace);
        open(root.path(), Existing::Replace).unwrap().remove().unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }
}
