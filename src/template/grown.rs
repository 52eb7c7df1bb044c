//! Copies of templates that have another length, for images in formats that are as long as what they lie over: kept for
//! all projects, so that a bake need not make them again.
//!
//! ```text
//!   store/grown/
//!     grown.lock                                                 held by whoever adds a copy or removes one
//!     debian-12-V1.0.ext3-2147483648-0123456789ab.DIGEST.img     one file, many names:
//!   projects/farm/.backing/
//!     debian-12-V1.0.ext3-2147483648-0123456789ab.img            a hard link
//! ```
//!
//! A project has a hard link to the copy: it stays whole when the template goes, and how many names a copy has tells
//! whether anybody uses it. A copy's name says what it was made from and what it holds, and it is on the disk before it
//! has that name.

use std::fs::{self, DirEntry};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::error::TemplateError;
use super::name::TemplateName;
use super::registry::StoreLock;
use super::store::Store;
use crate::base::atomic;

/// The directory of the copies in that of the templates.
const DIRECTORY: &str = "grown";

/// The file whose lock whoever changes the directory holds; it is never removed.
const LOCK_FILE: &str = "grown.lock";

/// How the name of every copy ends.
const SUFFIX: &str = ".img";

/// The copies in one store. Nothing is read before something is asked.
#[derive(Debug)]
pub struct GrownCopies<'a> {
    store: &'a Path,
}

/// The right to add a copy.
#[derive(Debug)]
pub struct NewCopy {
    directory: PathBuf,
    _lock: StoreLock,
}

/// A copy as its name tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrownCopy {
    /// Where it lies.
    pub path: PathBuf,
    /// The digest of what it holds, as it was when it was made.
    pub digest: String,
}

impl Store {
    /// The grown copies of the store's templates.
    pub(super) fn grown(&self) -> GrownCopies<'_> {
        GrownCopies {
            store: self.directory(),
        }
    }
}

impl<'a> GrownCopies<'a> {
    /// The copies beside the template at `path`.
    pub fn beside(path: &'a Path) -> Self {
        Self {
            store: path.parent().unwrap_or(Path::new("")),
        }
    }

    /// The copy that a project calls `name`.
    pub fn find(&self, name: &str) -> Option<GrownCopy> {
        let stem = name.strip_suffix(SUFFIX)?;
        self.entries().find_map(|entry| {
            let file = entry.file_name();
            let digest = file.to_str()?.strip_prefix(stem)?.strip_prefix('.')?;
            Some(GrownCopy {
                path: entry.path(),
                digest: digest.strip_suffix(SUFFIX)?.to_owned(),
            })
        })
    }

    /// Makes the directory where it is missing, waits until no other process adds a copy, and removes the copies that
    /// nobody needs: those of templates that have gone, and those of `template` that no project uses.
    pub fn begin(&self, template: &TemplateName) -> Result<NewCopy, TemplateError> {
        let directory = self.directory();
        let lock = StoreLock::take_file(&directory, LOCK_FILE, || ())?;
        let template = template.to_string();
        for entry in self.entries() {
            let name = entry.file_name();
            let Some(of) = name.to_str().and_then(template_of) else {
                continue;
            };
            let is_unused = || entry.metadata().is_ok_and(|metadata| metadata.nlink() == 1);
            if !self.store.join(of).exists() || (of == template && is_unused()) {
                atomic::remove_if_there(&entry.path())?;
            }
        }
        Ok(NewCopy {
            directory,
            _lock: lock,
        })
    }

    /// Removes the copies of `template`; projects keep what they use. Answers their names.
    pub(super) fn remove(&self, template: &TemplateName) -> Result<Vec<String>, TemplateError> {
        let template = template.to_string();
        let is_own = |name: &String| template_of(name).is_some_and(|of| of == template);
        let names = self
            .entries()
            .filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(is_own).collect();
        if names.is_empty() {
            return Ok(names);
        }
        names.sort();
        let directory = self.directory();
        let lock = StoreLock::take_file(&directory, LOCK_FILE, || ())?;
        names
            .iter()
            .try_for_each(|name| atomic::remove_if_there(&directory.join(name)))?;
        drop(lock);
        Ok(names.iter().map(|name| format!("{DIRECTORY}/{name}")).collect())
    }

    fn directory(&self) -> PathBuf {
        self.store.join(DIRECTORY)
    }

    /// What lies in the directory; nothing where it cannot be read.
    fn entries(&self) -> impl Iterator<Item = DirEntry> {
        fs::read_dir(self.directory()).into_iter().flatten().flatten()
    }
}

impl NewCopy {
    /// Where the copy belongs that projects call `name` and that holds what `digest` says.
    pub fn place(&self, name: &str, digest: &str) -> PathBuf {
        let stem = name.strip_suffix(SUFFIX).unwrap_or(name);
        self.directory.join(format!("{stem}.{digest}{SUFFIX}"))
    }
}

/// The file of the template that the copy called `name` was made from.
fn template_of(name: &str) -> Option<&str> {
    let (stem, _digest) = name.strip_suffix(SUFFIX)?.rsplit_once('.')?;
    let (stem, _made_from) = stem.rsplit_once('-')?;
    let (template, _len_bytes) = stem.rsplit_once('-')?;
    template.parse::<TemplateName>().ok().map(|_| template)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::atomic::Durability;

    /// Adds a copy of `template`, called `name` by projects.
    fn add(store: &Store, template: &str, name: &str) -> PathBuf {
        let new = store.grown().begin(&template.parse().unwrap()).unwrap();
        let path = new.place(name, "d1");
        atomic::write(&path, name.as_bytes(), Durability::NoSync).unwrap();
        path
    }

    #[test]
    fn copies_that_nobody_needs_go() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(place.path());
        let [one, two] = ["one-V1.0.ext4", "two.ext3"];
        for name in [one, two] {
            atomic::write(&place.path().join(name), b"", Durability::NoSync).unwrap();
        }
        let used = add(&store, one, "one-V1.0.ext4-77-ab.img");
        fs::hard_link(&used, place.path().join("link")).unwrap();
        let unused = add(&store, one, "one-V1.0.ext4-78-ab.img");
        let others = add(&store, two, "two.ext3-77-ab.img");
        let found = store.grown().find("one-V1.0.ext4-78-ab.img").unwrap();
        assert_eq!((found.path, found.digest.as_str()), (unused.clone(), "d1"));
        assert_eq!(store.grown().find("one-V1.0.ext4-78-abc.img"), None);
        let newest = add(&store, one, "one-V1.0.ext4-79-ab.img");
        assert_eq!(
            [&used, &unused, &others, &newest].map(|path| path.exists()),
            [true, false, true, true]
        );
        fs::remove_file(place.path().join(two)).unwrap();
        add(&store, one, "one-V1.0.ext4-80-ab.img");
        assert_eq!([&used, &others].map(|path| path.exists()), [true, false]);
        assert_eq!(
            store.remove(one, || ()).unwrap().copies,
            ["77", "80"].map(|len| format!("grown/one-V1.0.ext4-{len}-ab.d1.img"))
        );
        assert!(!used.exists());
        assert!(place.path().join("link").exists());
    }

    #[test]
    fn a_name_that_says_no_template_is_left_alone() {
        for name in [
            "notes.img",
            "grown.lock",
            "a-1-2.img",
            "x-1.ab.img",
            "a.ext3-1-2.d",
        ] {
            assert_eq!(template_of(name), None, "{name}");
        }
        assert_eq!(template_of("a-b.ext3-1-2.d.img"), Some("a-b.ext3"));
    }
}
