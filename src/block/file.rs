//! A device that is a file of the host.

use std::fs::{File, OpenOptions};
use std::io;
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{Advice, fadvise};

use super::device::{BlockDevice, DeviceError, check_range, len_of};
use crate::base::PathError;

/// A file, read and written by position, so that any number of threads may share it.
#[derive(Debug)]
pub struct FileDevice {
    file: File,
    len_bytes: AtomicU64,
    is_writable: bool,
}

impl FileDevice {
    /// Opens the file at `path` for reading only.
    pub fn open(path: &Path) -> Result<Self, PathError> {
        let file = File::open(path).map_err(PathError::on("open", path))?;
        Self::from_file(file, false).map_err(PathError::on("read", path))
    }

    /// Opens the file at `path` for reading and writing.
    pub fn open_writable(path: &Path) -> Result<Self, PathError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .map_err(PathError::on("open", path))?;
        Self::from_file(file, true).map_err(PathError::on("read", path))
    }

    /// Makes a device of an open file, which has to be a regular one: nothing else has a length to rely on.
    pub fn from_file(file: File, is_writable: bool) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "it is not a regular file",
            ));
        }
        Ok(Self {
            file,
            len_bytes: AtomicU64::new(metadata.len()),
            is_writable,
        })
    }

    /// Has the kernel begin to bring a range to the disk, which it need not wait with until everything is there.
    pub(super) fn begin_writing_back(&self, offset_bytes: u64, len_bytes: u64) {
        // On Linux this begins to write what is dirty back (posix_fadvise(2), notes). It is advice: that it is not
        // taken does no harm.
        let len_bytes = NonZeroU64::new(len_bytes);
        let _is_taken = fadvise(&self.file, offset_bytes, len_bytes, Advice::DontNeed).is_ok();
    }

    /// The open file.
    pub fn file(&self) -> &File {
        &self.file
    }
}

impl BlockDevice for FileDevice {
    fn len_bytes(&self) -> u64 {
        self.len_bytes.load(Ordering::Acquire)
    }

    fn read_at(&self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        let len_bytes = len_of(buffer);
        check_range(offset_bytes, len_bytes, self.len_bytes())?;
        self.file
            .read_exact_at(buffer, offset_bytes)
            .map_err(failed("read", offset_bytes, len_bytes))
    }

    fn will_read(&self, offset_bytes: u64, len_bytes: u64) {
        // Advice: that it is not taken does no harm.
        let len_bytes = NonZeroU64::new(len_bytes);
        let _is_taken = fadvise(&self.file, offset_bytes, len_bytes, Advice::WillNeed).is_ok();
    }

    fn write_at(&self, offset_bytes: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        if !self.is_writable {
            return Err(DeviceError::ReadOnly);
        }
        let len_bytes = len_of(bytes);
        check_range(offset_bytes, len_bytes, self.len_bytes())?;
        self.file
            .write_all_at(bytes, offset_bytes)
            .map_err(failed("write", offset_bytes, len_bytes))
    }

    fn set_len_bytes(&self, len_bytes: u64) -> Result<(), DeviceError> {
        if !self.is_writable {
            return Err(DeviceError::ReadOnly);
        }
        self.file
            .set_len(len_bytes)
            .map_err(failed("resize", 0, len_bytes))?;
        self.len_bytes.store(len_bytes, Ordering::Release);
        Ok(())
    }

    fn sync(&self) -> Result<(), DeviceError> {
        self.file.sync_data().map_err(failed("sync", 0, self.len_bytes()))
    }
}

/// Names the range of a failed call.
fn failed(
    operation: &'static str,
    offset_bytes: u64,
    len_bytes: u64,
) -> impl FnOnce(io::Error) -> DeviceError {
    move |source| DeviceError::Io {
        operation,
        offset_bytes,
        len_bytes,
        source,
    }
}
