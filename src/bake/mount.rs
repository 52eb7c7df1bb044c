//! An image's file system mounted by the kernel, for root. Nothing else here needs that.
//!
//! `losetup` makes the loop device: the kernel's interface for it cannot be used without `unsafe`. It is let go at once,
//! and so vanishes with the mount.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::mount::{MountFlags, mount};

use super::offline::{OfflineError, locked, open_device};
use crate::block::BlockDevice as _;

/// Says why an image could not be mounted.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// The image cannot be used.
    #[error(transparent)]
    Image(#[from] OfflineError),
    /// There is no loop device for it.
    #[error("cannot make a loop device of `{}`: {reason}", path.display())]
    Loop {
        /// The image.
        path: PathBuf,
        /// What `losetup` said.
        reason: String,
    },
    /// The kernel refused.
    #[error("cannot mount `{}` on `{}`", path.display(), directory.display())]
    Mount {
        /// The image.
        path: PathBuf,
        /// Where to.
        directory: PathBuf,
        /// The kernel's reason.
        #[source]
        source: io::Error,
    },
}

/// A loop device that goes with its last user.
struct Loop(String);

impl Loop {
    /// Makes one of the bytes of the file at `path` that lie in `range`.
    fn over(path: &Path, range: Range<u64>, is_read_only: bool) -> Result<Self, MountError> {
        let failed = |reason: String| MountError::Loop {
            path: path.to_path_buf(),
            reason,
        };
        let output = Command::new("losetup")
            .args(["--find", "--show"])
            .args(is_read_only.then_some("--read-only"))
            .args([
                format!("--offset={}", range.start),
                format!("--sizelimit={}", range.end.saturating_sub(range.start)),
            ])
            .arg("--")
            .arg(path)
            .output()
            .map_err(|error| failed(format!("cannot run `losetup`: {error}")))?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        Ok(Self(String::from_utf8_lossy(&output.stdout).trim().to_owned()))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        // While it is in use, this only says that it may go then; what fails is seen by `losetup --list`.
        drop(Command::new("losetup").args(["--detach", &self.0]).output());
    }
}

/// Mounts the file system of the image at `path` on `directory`. An edit that was cut short is completed first, the
/// journal replayed by the kernel. While it is mounted, nobody here edits the image; `umount` ends it.
///
/// # Errors
/// [`MountError`]; nothing is mounted then.
pub fn mount_image(
    path: &Path,
    partition: Option<&str>,
    directory: &Path,
    is_read_only: bool,
) -> Result<(), MountError> {
    let (place, image) = locked(path)?;
    let opened = open_device(path, partition, image.clone())?;
    let kind = opened.fs.superblock().type_name();
    let device = Loop::over(&place, opened.root.range(image.len_bytes()), is_read_only)?;
    let flags = if is_read_only {
        MountFlags::RDONLY
    } else {
        MountFlags::empty()
    };
    mount(device.0.as_str(), directory, kind, flags, None).map_err(|errno| MountError::Mount {
        path: path.to_path_buf(),
        directory: directory.to_path_buf(),
        source: errno.into(),
    })
}
