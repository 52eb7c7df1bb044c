//! A template that is on its way here, in a directory of its own beside the templates, so that a pull which was cut off
//! goes on with what it has. What lies there is nothing until its whole digest is proved.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use super::error::OciError;
use crate::base::digest::Sha256Digest;
use crate::base::{ByteSize, PathError, Timestamp};

/// The directory's name; it ends in no type, so that it is no template.
const DIRECTORY: &str = "pulls";

/// How long what was cut off is kept, in seconds.
const KEPT_SECONDS: i64 = 7 * 24 * 3600;

/// A file that is being filled; nobody else fills it meanwhile.
#[derive(Debug)]
pub(super) struct Partial {
    pub(super) file: File,
    pub(super) path: PathBuf,
    /// Whether something may be in it already.
    pub(super) is_used: bool,
}

impl Partial {
    /// Opens the file for the template whose manifest has `digest`, `len_bytes` long, in the store `directory`.
    pub(super) fn open(directory: &Path, digest: Sha256Digest, len_bytes: u64) -> Result<Self, OciError> {
        let directory = directory.join(DIRECTORY);
        fs::create_dir_all(&directory).map_err(PathError::on("create the directory", &directory))?;
        let path = directory.join(format!("sha256-{digest}"));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(PathError::on("open", &path))?;
        let metadata = file.metadata().map_err(PathError::on("read", &path))?;
        if !is_locked(&file, &path)? || !is_named(&file, &path) {
            return Err(OciError::Busy);
        }
        file.set_len(len_bytes)
            .map_err(PathError::on("make room in", &path))?;
        Ok(Self {
            file,
            path,
            is_used: metadata.blocks() > 0,
        })
    }

    /// Refuses what does not fit: `needed_bytes`, less what the file has already.
    pub(super) fn ensure_room(&self, needed_bytes: u64) -> Result<(), OciError> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        let on_file = |errno: rustix::io::Errno| PathError::on("look at", directory)(errno.into());
        let room = rustix::fs::fstatvfs(&self.file).map_err(on_file)?;
        let metadata = self.file.metadata().map_err(PathError::on("read", &self.path))?;
        let has = metadata.blocks().saturating_mul(512);
        let needed = needed_bytes.saturating_sub(has);
        let free = room.f_bavail.saturating_mul(room.f_frsize);
        if needed <= free {
            return Ok(());
        }
        Err(OciError::NoRoom {
            needed: ByteSize(needed),
            free: ByteSize(free),
            directory: directory.to_path_buf(),
        })
    }

    /// Gives up what came.
    pub(super) fn discard(&self) {
        // A left-over that cannot be removed costs room, and is tried again in a week.
        drop(fs::remove_file(&self.path));
    }
}

/// Removes what pulls left in the store `directory` long before `now`, and no pull is at.
pub(super) fn forget_old(directory: &Path, now: Timestamp) -> Result<(), OciError> {
    let directory = directory.join(DIRECTORY);
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(PathError::on("read the directory", &directory)(error).into()),
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let is_old = entry.metadata().is_ok_and(|metadata| {
            metadata.is_file() && metadata.mtime().saturating_add(KEPT_SECONDS) < now.seconds
        });
        if !is_old {
            continue;
        }
        let file = OpenOptions::new().write(true).open(&path);
        if file.is_ok_and(|file| is_locked(&file, &path).unwrap_or(false)) {
            fs::remove_file(&path).map_err(PathError::on("remove", &path))?;
        }
    }
    Ok(())
}

/// Takes the file, if nobody else has it; closing it gives it back.
fn is_locked(file: &File, path: &Path) -> Result<bool, OciError> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(errno) => Err(PathError::on("lock", path)(errno.into()).into()),
    }
}

/// Whether the file at `path` is still this one: another process may have finished it a moment ago.
fn is_named(file: &File, path: &Path) -> bool {
    let named = fs::metadata(path)
        .ok()
        .map(|metadata| (metadata.dev(), metadata.ino()));
    let open = file
        .metadata()
        .ok()
        .map(|metadata| (metadata.dev(), metadata.ino()));
    named.is_some() && named == open
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt as _;

    #[test]
    fn one_pull_at_a_time_goes_on_with_what_there_is() {
        let store = tempfile::tempdir().unwrap();
        let digest = Sha256Digest::of(b"manifest");
        let first = Partial::open(store.path(), digest, 1 << 20).unwrap();
        assert!(!first.is_used);
        let busy = Partial::open(store.path(), digest, 1 << 20).unwrap_err();
        assert!(matches!(busy, OciError::Busy));
        first.file.write_all_at(b"some", 4096).unwrap();
        first.file.sync_all().unwrap();
        first.ensure_room(1 << 20).unwrap();
        let too_much = first.ensure_room(1 << 60).unwrap_err();
        assert!(matches!(too_much, OciError::NoRoom { .. }));
        drop(first);
        assert!(Partial::open(store.path(), digest, 1 << 20).unwrap().is_used);
    }

    #[test]
    fn what_was_cut_off_long_ago_goes_unless_somebody_is_at_it() {
        let store = tempfile::tempdir().unwrap();
        let partial = Partial::open(store.path(), Sha256Digest::of(b"a"), 4096).unwrap();
        let path = partial.path.clone();
        let later = |days: i64| {
            let mtime = path.metadata().map_or(0, |metadata| metadata.mtime());
            Timestamp::from_seconds(mtime + days * 24 * 3600)
        };
        let in_a_month = later(30);
        forget_old(store.path(), in_a_month).unwrap();
        assert!(path.exists());
        drop(partial);
        forget_old(store.path(), later(6)).unwrap();
        assert!(path.exists());
        forget_old(store.path(), in_a_month).unwrap();
        assert!(!path.exists());
    }
}
