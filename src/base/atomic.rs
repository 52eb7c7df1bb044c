//! Files that appear whole or not at all: a temporary beside the destination, synced, then renamed over it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

use super::cleanup::Temporary;
use super::io_error::PathError;

/// What the name of every unfinished file ends in; whoever holds a project's lock may remove such files.
pub const PARTIAL_SUFFIX: &str = ".mln-partial";

/// How many bytes of two files are compared at once.
const COMPARED_BYTES: usize = 1 << 14;

/// Whether a finished file is forced to the disk before it gets its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Sync the file and its directory: it survives a power cut.
    Sync,
    /// Leave the writing to the kernel.
    NoSync,
}

/// A file under construction. Dropped before [`AtomicFile::persist`], it vanishes.
#[derive(Debug)]
pub struct AtomicFile {
    file: File,
    temporary: Temporary,
    destination: PathBuf,
}

impl AtomicFile {
    /// Begins a file that will replace `destination`; the temporary lies beside it.
    pub fn create(destination: &Path) -> Result<Self, PathError> {
        Self::create_with_mode(destination, 0o666)
    }

    /// The same for a file that holds secrets, as a disk image does: nobody but its owner can ever open it.
    pub fn create_private(destination: &Path) -> Result<Self, PathError> {
        Self::create_with_mode(destination, 0o600)
    }

    /// Begins a file with `mode`, less what the umask takes away.
    fn create_with_mode(destination: &Path, mode: u32) -> Result<Self, PathError> {
        let path = temporary_path(destination);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(mode);
        let file = match options.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                absent(&path, "remove the left-over")?;
                options.open(&path)
            }
            outcome => outcome,
        };
        let file = file.map_err(PathError::on("create", &path))?;
        Ok(Self {
            file,
            temporary: Temporary::register(path),
            destination: destination.to_path_buf(),
        })
    }

    /// Takes charge of the file at `path`, which is finished but for its name and lies in the file system of
    /// `destination`.
    pub fn adopt(file: File, path: PathBuf, destination: &Path) -> Self {
        Self {
            file,
            temporary: Temporary::register(path),
            destination: destination.to_path_buf(),
        }
    }

    /// A file with this content for the owner's eyes alone.
    pub fn private(destination: &Path, content: &[u8]) -> Result<Self, PathError> {
        let made = Self::create_private(destination)?;
        made.file()
            .write_all(content)
            .map_err(PathError::on("write", made.temporary_path()))?;
        Ok(made)
    }

    /// The open file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The path of the temporary, for programs that want a name.
    pub fn temporary_path(&self) -> &Path {
        self.temporary.path()
    }

    /// The path that it will have.
    pub fn destination(&self) -> &Path {
        &self.destination
    }

    /// Gives the file the owner, the group and the mode of another, which it is to replace.
    pub fn take_after(&self, other: &fs::Metadata) -> Result<(), PathError> {
        let failed = || PathError::on("keep the owner of", &self.destination);
        let own = self.file.metadata().map_err(failed())?;
        if (own.uid(), own.gid()) != (other.uid(), other.gid()) {
            fchown(&self.file, Some(other.uid()), Some(other.gid())).map_err(failed())?;
        }
        self.file.set_permissions(other.permissions()).map_err(failed())
    }

    /// Whether the file that has the final name now has the same content.
    pub fn is_there(&self) -> Result<bool, PathError> {
        let Ok(there) = File::open(&self.destination) else {
            return Ok(false);
        };
        let path = self.temporary.path();
        let new = File::open(path).map_err(PathError::on("open", path))?;
        // What cannot be read is not the same.
        Ok(is_same(new, there).unwrap_or(false))
    }

    /// Gives the file its final name, replacing what had it.
    pub fn persist(self, durability: Durability) -> Result<(), PathError> {
        let Self {
            file,
            temporary,
            destination,
        } = self;
        if durability == Durability::Sync {
            file.sync_all().map_err(PathError::on("sync", temporary.path()))?;
        }
        fs::rename(temporary.path(), &destination)
            .map_err(PathError::on("rename into place", &destination))?;
        temporary.forget();
        if durability == Durability::Sync {
            sync_directory(&destination)?;
        }
        Ok(())
    }
}

/// Whether two files have the same content.
fn is_same(mut one: File, mut other: File) -> io::Result<bool> {
    let mut rest = one.metadata()?.len();
    if other.metadata()?.len() != rest {
        return Ok(false);
    }
    let mut buffers = ([0; COMPARED_BYTES], [0; COMPARED_BYTES]);
    while rest > 0 {
        let count = usize::try_from(rest)
            .unwrap_or(COMPARED_BYTES)
            .min(COMPARED_BYTES);
        let (one_bytes, other_bytes) = (&mut buffers.0[..count], &mut buffers.1[..count]);
        one.read_exact(one_bytes)?;
        other.read_exact(other_bytes)?;
        if one_bytes != other_bytes {
            return Ok(false);
        }
        rest = rest.saturating_sub(u64::try_from(count).unwrap_or(rest));
    }
    Ok(true)
}

/// Gives the file at `existing` the name `destination` too, in the place of what has it.
pub fn link(existing: &Path, destination: &Path) -> Result<(), PathError> {
    let path = temporary_path(destination);
    absent(&path, "remove the left-over")?;
    fs::hard_link(existing, &path).map_err(PathError::on("link", existing))?;
    // It goes in any case: renaming a file over another name of its own does nothing.
    let temporary = Temporary::register(path);
    fs::rename(temporary.path(), destination).map_err(PathError::on("rename into place", destination))
}

/// Where a file lies until it gets the name `destination`.
fn temporary_path(destination: &Path) -> PathBuf {
    let mut name = destination.file_name().unwrap_or_default().to_os_string();
    name.push(PARTIAL_SUFFIX);
    destination.with_file_name(name)
}

/// Removes the file at `path` if there is one.
pub fn remove_if_there(path: &Path) -> Result<(), PathError> {
    absent(path, "remove")
}

/// Sees to it that there is no file at `path`; an error says that this program could not do `action`.
fn absent(path: &Path, action: &'static str) -> Result<(), PathError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(PathError::on(action, path)(error)),
        _ => Ok(()),
    }
}

/// Writes `content` to `destination` so that it appears whole or not at all.
pub fn write(destination: &Path, content: &[u8], durability: Durability) -> Result<(), PathError> {
    let file = AtomicFile::create(destination)?;
    file.file()
        .write_all(content)
        .map_err(PathError::on("write", file.temporary_path()))?;
    file.persist(durability)
}

/// The same for the owner's eyes alone.
pub fn write_private(destination: &Path, content: &[u8], durability: Durability) -> Result<(), PathError> {
    AtomicFile::private(destination, content)?.persist(durability)
}

/// Removes every unfinished file directly inside `directory`; call it only under the lock that guards it.
pub fn remove_left_overs(directory: &Path) -> Result<usize, PathError> {
    let mut removed = 0;
    for entry in fs::read_dir(directory).map_err(PathError::on("read the directory", directory))? {
        let path = entry
            .map_err(PathError::on("read the directory", directory))?
            .path();
        if path.as_os_str().to_string_lossy().ends_with(PARTIAL_SUFFIX) {
            fs::remove_file(&path).map_err(PathError::on("remove the left-over", &path))?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Syncs the directory that holds `path`, so that a rename survives a power cut.
pub(crate) fn sync_directory(path: &Path) -> Result<(), PathError> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory)
        .and_then(|handle| handle.sync_all())
        .map_err(PathError::on("sync", directory))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_file_leaves_nothing_and_the_old_content_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        write(&path, b"old", Durability::NoSync).unwrap();
        let file = AtomicFile::create(&path).unwrap();
        file.file().write_all(b"ol").unwrap();
        assert!(!file.is_there().unwrap());
        file.file().write_all(b"d").unwrap();
        assert!(file.is_there().unwrap());
        drop(file);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_gets_a_second_name_whatever_had_it() {
        let directory = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|name| directory.path().join(name));
        write(&one, b"one", Durability::NoSync).unwrap();
        write(&other, b"other", Durability::NoSync).unwrap();
        for _ in 0..2 {
            link(&one, &other).unwrap();
            assert_eq!(
                fs::metadata(&other).unwrap().ino(),
                fs::metadata(&one).unwrap().ino()
            );
            assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
        }
    }

    #[test]
    fn left_overs_of_a_killed_run_are_removed() {
        let directory = tempfile::tempdir().unwrap();
        let file = AtomicFile::create(&directory.path().join("root.img")).unwrap();
        let left_over = file.temporary_path().to_path_buf();
        std::mem::forget(file);
        assert!(left_over.exists());
        assert_eq!(remove_left_overs(directory.path()).unwrap(), 1);
        assert!(!left_over.exists());
    }
}
