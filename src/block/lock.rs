//! Who uses an image: our own commands among themselves, virtual machines, and the kernel by a loop device.
//!
//! - Our commands hold each other off by `flock`.
//! - User-Mode Linux locks the whole file by `fcntl`, QEMU some of its bytes by open file description
//!   (<https://www.qemu.org/docs/master/system/images.html#disk-image-file-locking>). An exclusive lock of the whole
//!   file by open file description meets both, and keeps both away while it is held.
//! - Xen's `blkback` and the kernel's mount reach a file by a loop device, which `/sys/block` names.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc::{self, flock as Flock};
use rustix::fs::{FlockOperation, flock};

use super::file::FileDevice;
use crate::base::PathError;

/// How long a reader waits for an edit to end.
const WAIT: Duration = Duration::from_millis(20);
/// How often.
const WAITS: u32 = 500;

/// Says who is in the way.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another command of ours.
    #[error("another mln-image is working on `{}`", path.display())]
    Busy {
        /// The image.
        path: PathBuf,
    },
    /// A machine, or another program that locks what it uses.
    #[error("`{}` is in use by {}", path.display(), user_words(*pid))]
    InUse {
        /// The image.
        path: PathBuf,
        /// The process, where the system tells it.
        pid: Option<i32>,
    },
    /// A loop device.
    #[error("`{}` is in use through /dev/{device}", path.display())]
    Loop {
        /// The image.
        path: PathBuf,
        /// The loop device's name.
        device: String,
    },
    /// The image's file could not be looked at.
    #[error(transparent)]
    File(#[from] PathError),
}

fn user_words(pid: Option<i32>) -> String {
    pid.map_or_else(
        || "a virtual machine or another program".to_owned(),
        |pid| format!("process {pid}"),
    )
}

impl LockError {
    /// The way out.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Busy { .. } => Some("try again when it has ended"),
            Self::InUse { .. } => Some("stop the machine first: what it has in memory would undo the change"),
            Self::Loop { .. } => Some("unmount it, or stop the machine that has it as a disk, first"),
            Self::File(_) => None,
        }
    }
}

/// Keeps everyone else away from the image at `path`, opened writable as `image`, for as long as that is open.
pub fn lock_for_edit(image: &FileDevice, path: &Path) -> Result<(), LockError> {
    let busy = || LockError::Busy {
        path: path.to_path_buf(),
    };
    flock(image.file(), FlockOperation::NonBlockingLockExclusive).map_err(|_| busy())?;
    let opened = image.file().metadata().map_err(PathError::on("read", path))?;
    let named = fs::metadata(path).map_err(PathError::on("read", path))?;
    // Another process may have put a new image in place between our opening and our lock.
    if (opened.dev(), opened.ino()) != (named.dev(), named.ino()) {
        return Err(busy());
    }
    if let Some(device) = loop_device(opened.dev(), opened.ino()) {
        return Err(LockError::Loop {
            path: path.to_path_buf(),
            device,
        });
    }
    lock_whole(image, path)
}

/// Keeps edits of the image away while it is read; waits a while for one that is being made. Machines are not asked.
pub fn lock_for_reading(image: &FileDevice, path: &Path) -> Result<(), LockError> {
    for _ in 0..WAITS {
        if flock(image.file(), FlockOperation::NonBlockingLockShared).is_ok() {
            return Ok(());
        }
        std::thread::sleep(WAIT);
    }
    Err(LockError::Busy {
        path: path.to_path_buf(),
    })
}

/// Takes the lock that meets those of virtual machines.
fn lock_whole(image: &FileDevice, path: &Path) -> Result<(), LockError> {
    let whole = |kind| Flock {
        l_type: kind,
        l_whence: 0,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    let exclusive = i16::try_from(libc::F_WRLCK).unwrap_or_default();
    if fcntl(image.file(), FcntlArg::F_OFD_SETLK(&whole(exclusive))).is_ok() {
        return Ok(());
    }
    let mut holder = whole(exclusive);
    let free = i16::try_from(libc::F_UNLCK).unwrap_or_default();
    // A file system that knows no such locks has none that are in the way.
    if fcntl(image.file(), FcntlArg::F_OFD_GETLK(&mut holder)).is_err() || holder.l_type == free {
        return Ok(());
    }
    Err(LockError::InUse {
        path: path.to_path_buf(),
        pid: Some(holder.l_pid).filter(|pid| *pid > 0),
    })
}

/// The loop device whose file this is.
fn loop_device(device: u64, inode: u64) -> Option<String> {
    let entries = fs::read_dir("/sys/block").ok()?;
    for entry in entries.flatten() {
        let backing = entry.path().join("loop/backing_file");
        let Ok(text) = fs::read_to_string(backing) else {
            continue;
        };
        let path = Path::new(text.trim_end_matches('\n'));
        let is_same = fs::metadata(path).is_ok_and(|found| (found.dev(), found.ino()) == (device, inode));
        if is_same {
            return Some(entry.file_name().to_string_lossy().into_owned());
        }
    }
    None
}
