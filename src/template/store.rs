//! The store: a directory of templates, found by name.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::error::TemplateError;
use super::hashes;
use super::name::{TemplateName, Version};
use super::opened::{Identity, Template};
use super::registry::{Entry, Registry, StoreLock};
use crate::base::PathError;
use crate::base::atomic;

/// How many near names an error shows.
const NEAR_NAMES: usize = 3;

/// How alike, from 0 to 1, two names have to be to be near.
const NEAR_LIKENESS: f64 = 0.8;

/// A directory of templates. Nothing is read before something is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    directory: PathBuf,
}

/// One file of the store, or an entry whose file has gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// What projects call it.
    pub name: TemplateName,
    /// The file in the directory.
    pub file: TemplateName,
    /// Whether file and record agree.
    pub state: State,
    /// Whether the name without a version means this file.
    pub is_newest: bool,
    /// The file's length in bytes; 0 when it has gone.
    pub len_bytes: u64,
    /// What the file occupies on the disk, in bytes.
    pub allocated_bytes: u64,
    /// What was recorded of it.
    pub entry: Option<Entry>,
}

/// Whether a file of the store and the record of it agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Length and time of change are those that were recorded.
    Recorded,
    /// The file was put there by hand.
    Unrecorded,
    /// The file is not the one that was recorded.
    Changed,
    /// The file has gone.
    Missing,
}

/// What was removed from the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// The template's file.
    pub file: TemplateName,
    /// Its grown copies, relative to the store's directory.
    pub copies: Vec<String>,
}

impl Store {
    /// The store in `directory`, which need not exist: then there are no templates.
    pub fn open(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
        }
    }

    /// Where the store lies.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Finds and opens the template that a project calls `name`.
    ///
    /// A name with a version means the file of exactly that name; one without means its newest version, or, if there is
    /// none, the file of exactly that name.
    pub fn find(&self, name: &str) -> Result<Template, TemplateError> {
        let file = self.resolve(name)?;
        // The record only spares work here; one that cannot be read must not keep anybody from a good template.
        let entry = Registry::read(&self.directory)
            .ok()
            .and_then(|mut registry| registry.0.remove(&file));
        let path = self.path_of(&file);
        Template::open(file, path, entry)
    }

    /// Everything in the store, sorted by name and version: files, and entries whose file has gone.
    pub fn list(&self) -> Result<Vec<Listed>, TemplateError> {
        let files = self.files()?;
        let mut registry = Registry::read(&self.directory)?;
        let known: BTreeSet<TemplateName> = registry.0.keys().chain(&files).cloned().collect();
        known
            .into_iter()
            .map(|file| {
                let entry = registry.0.remove(&file);
                let is_newest = newest(&files, &file.without_version()) == Some(&file);
                self.listed(file, entry, is_newest)
            })
            .collect()
    }

    /// Removes the file that `name` means, its entry and its grown copies; an entry without a file goes by the file's full
    /// name.
    pub fn remove(&self, name: &str, when_busy: impl FnOnce()) -> Result<Removed, TemplateError> {
        let missing = |error| -> Result<TemplateName, TemplateError> {
            let registry = Registry::read(&self.directory)?;
            let named = name.parse().ok().filter(|file| registry.0.contains_key(file));
            named.ok_or(error)
        };
        // Looked up before the lock, which would make the directory.
        let file = self.resolve(name).or_else(missing)?;
        let lock = self.lock(when_busy)?;
        atomic::remove_if_there(&self.path_of(&file))?;
        Registry::update(&lock, |registry| {
            registry.0.remove(&file);
        })?;
        let copies = self.grown().remove(&file)?;
        hashes::remove(&self.directory, &file)?;
        Ok(Removed { file, copies })
    }

    /// Waits for the right to change the store; `when_busy` is called once if another process has it.
    pub(super) fn lock(&self, when_busy: impl FnOnce()) -> Result<StoreLock, TemplateError> {
        StoreLock::take(&self.directory, when_busy)
    }

    /// Where the file called `file` lies, or would.
    pub(super) fn path_of(&self, file: &TemplateName) -> PathBuf {
        self.directory.join(file.to_string())
    }

    /// The newest version that the store has of `name`.
    pub(super) fn newest_version(&self, name: &TemplateName) -> Result<Option<TemplateName>, TemplateError> {
        let files = self.files()?;
        Ok(newest(&files, &name.without_version())
            .filter(|file| file.version().is_some())
            .cloned())
    }

    /// The version that a new template called `name` gets: `first`, or the one after the newest.
    pub(super) fn next_version(&self, name: &TemplateName, first: Version) -> Result<Version, TemplateError> {
        let newest = self.newest_version(name)?.and_then(|file| file.version());
        Ok(newest.map_or(first, |newest| first.max(newest.next())))
    }

    /// The file that `name` means.
    fn resolve(&self, name: &str) -> Result<TemplateName, TemplateError> {
        let files = self.files()?;
        let found = name
            .parse()
            .ok()
            .and_then(|wanted: TemplateName| match wanted.version() {
                Some(_) => files.get(&wanted),
                None => newest(&files, &wanted),
            });
        found.cloned().ok_or_else(|| TemplateError::NotFound {
            name: name.to_owned(),
            directory: self.directory.clone(),
            near: near_names(name, &files),
        })
    }

    /// The names of every file that is named like a template.
    fn files(&self) -> Result<BTreeSet<TemplateName>, TemplateError> {
        let failed = || PathError::on("read the directory", &self.directory);
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeSet::new()),
            Err(error) => return Err(failed()(error).into()),
        };
        let mut files = BTreeSet::new();
        for entry in entries {
            let entry = entry.map_err(failed())?;
            let name = entry.file_name().to_str().and_then(|name| name.parse().ok());
            // A link counts as what it leads to; one that leads nowhere is no template.
            let is_file = || fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_file());
            if let Some(name) = name.filter(|_| is_file()) {
                files.insert(name);
            }
        }
        Ok(files)
    }

    fn listed(
        &self,
        file: TemplateName,
        entry: Option<Entry>,
        is_newest: bool,
    ) -> Result<Listed, TemplateError> {
        let path = self.path_of(&file);
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(PathError::on("read", &path)(error).into()),
        };
        let state = match (&metadata, &entry) {
            (None, _) => State::Missing,
            (Some(_), None) => State::Unrecorded,
            (Some(metadata), Some(entry)) if entry.describes(Identity::of(metadata)) => State::Recorded,
            (Some(_), Some(_)) => State::Changed,
        };
        Ok(Listed {
            name: file.without_version(),
            file,
            state,
            is_newest,
            len_bytes: metadata.as_ref().map_or(0, fs::Metadata::len),
            allocated_bytes: metadata.map_or(0, |metadata| metadata.blocks().saturating_mul(512)),
            entry,
        })
    }
}

/// The newest file of `files` whose name without its version is `name`; a bare file only if there is no version.
fn newest<'a>(files: &'a BTreeSet<TemplateName>, name: &TemplateName) -> Option<&'a TemplateName> {
    // Names sort by stem and type before the version, and a bare file sorts first.
    files
        .range(name..)
        .take_while(|file| file.without_version() == *name)
        .last()
}

/// The names of the store that look most like `name`, the nearest first.
fn near_names(name: &str, files: &BTreeSet<TemplateName>) -> Vec<String> {
    let names: BTreeSet<String> = files
        .iter()
        .flat_map(|file| [file.to_string(), file.without_version().to_string()])
        .collect();
    let mut near: Vec<(f64, String)> = names
        .into_iter()
        .map(|known| (strsim::jaro_winkler(name, &known), known))
        .filter(|(likeness, _)| *likeness >= NEAR_LIKENESS)
        .collect();
    near.sort_by(|(left, _), (right, _)| right.total_cmp(left));
    near.into_iter().map(|(_, name)| name).take(NEAR_NAMES).collect()
}
