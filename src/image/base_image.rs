//! A template file as the common base of every host's image: read-only, its free space reading as zero.

use std::fmt;
use std::fs::File;
use std::ops::Range;
use std::sync::OnceLock;

use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;

use super::data_digest::delta_data_digest;
use super::digest::{Blake3Digest, LeafHashes};
use super::error::ImageError;
use super::ranges::{Ranges, whole_units};
use super::scan;
use crate::base::PathError;
use crate::block::{BlockDevice, Delta, DeviceError, FileDevice, Shifted};

/// A template file as the common base of every host's image.
///
/// What the template's file system does not use reads as zero here, so that no deleted file of the template reaches
/// a guest, and an image's bytes do not depend on how it was copied.
pub struct BaseImage {
    device: Shifted,
    /// What reads as zero whatever the file holds.
    free: Ranges,
    /// What the host's file system stores; the rest of the file are holes.
    allocated: Ranges,
    /// Whole units outside of which all reads as zero.
    data: Ranges,
    leaves: OnceLock<LeafHashes>,
}

impl BaseImage {
    /// Takes the template as the base of images that do not copy it: nothing of it is read.
    ///
    /// `used` are the bytes that the template's file system uses; all others are free.
    pub fn new(device: impl Into<Shifted>, used: &Ranges) -> Result<Self, ImageError> {
        let device = device.into();
        let len_bytes = device.len_bytes();
        let before_bytes = device.before_bytes();
        let in_file = len_bytes.saturating_sub(before_bytes);
        let allocated = allocated(device.file(), in_file).map_err(|errno| DeviceError::Io {
            operation: "read",
            offset_bytes: 0,
            len_bytes: in_file,
            source: errno.into(),
        })?;
        let allocated = allocated.shifted(before_bytes);
        let stored = allocated.intersection(used);
        Ok(Self {
            device,
            free: used.complement(len_bytes),
            allocated,
            data: Ranges::from_unsorted(stored.iter().map(|range| whole_units(&range))).below(len_bytes),
            leaves: OnceLock::new(),
        })
    }

    /// The same for images that are copies: reads the whole template once, in the current thread pool, to find out what
    /// of it holds data.
    pub fn scan(device: impl Into<Shifted>, used: &Ranges) -> Result<Self, ImageError> {
        let mut base = Self::new(device, used)?;
        base.data = scan::data(&base)?;
        Ok(base)
    }

    /// Takes the file as it is, all of it in use: for a copy of an image that differs in little from the original.
    pub fn as_it_is(device: impl Into<Shifted>) -> Result<Self, ImageError> {
        Self::new(device, &Ranges::whole(u64::MAX))
    }

    /// Whether the file is the base from its first byte on.
    pub(super) fn is_the_file(&self) -> bool {
        self.device.before_bytes() == 0
    }

    /// Where in the base the file begins.
    pub(super) fn before_bytes(&self) -> u64 {
        self.device.before_bytes()
    }

    /// The template's open file.
    pub(super) fn file(&self) -> &File {
        self.device.file()
    }

    pub(super) fn free(&self) -> &Ranges {
        &self.free
    }

    pub(super) fn allocated(&self) -> &Ranges {
        &self.allocated
    }

    /// Whole units outside of which all reads as zero.
    pub(super) fn data(&self) -> &Ranges {
        &self.data
    }

    /// Hashes the template, once; every [`CommonDigest`](super::CommonDigest) waits for that. It takes one
    /// thread, so that it can go on while images are being written.
    pub fn hash(&self) {
        self.leaves();
    }

    /// Takes hashes that were made before, unless there are some already; answers whether it did.
    pub(super) fn know(&self, leaves: LeafHashes) -> bool {
        self.leaves.set(leaves).is_ok()
    }

    pub(super) fn leaves(&self) -> &LeafHashes {
        // Without hashes made ahead a digest reads all by itself, and tells what is in the way.
        let hash = || scan::leaves(self).unwrap_or_default();
        self.leaves.get_or_init(hash)
    }

    /// The [`data_digest`](super::data_digest) of the image that differs from this base by `delta`.
    pub fn data_digest(&self, delta: &Delta) -> Result<Blake3Digest, ImageError> {
        let data = self.data.below(delta.base_end_bytes());
        Ok(delta_data_digest(self, &data, delta)?)
    }

    /// How many bytes of data a copy of the template holds.
    pub fn data_bytes(&self) -> u64 {
        self.data.total_bytes()
    }
}

impl BlockDevice for BaseImage {
    fn len_bytes(&self) -> u64 {
        self.device.len_bytes()
    }

    fn will_read(&self, offset_bytes: u64, len_bytes: u64) {
        self.device.will_read(offset_bytes, len_bytes);
    }

    fn read_at(&self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        self.device.read_at(offset_bytes, buffer)?;
        let end = offset_bytes.saturating_add(u64::try_from(buffer.len()).unwrap_or(u64::MAX));
        for free in self.free.from(offset_bytes) {
            if free.start >= end {
                break;
            }
            if let Some(piece) = buffer.get_mut(within(free, offset_bytes, end)) {
                piece.fill(0);
            }
        }
        Ok(())
    }
}

impl fmt::Debug for BaseImage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("BaseImage")
            .field("device", &self.device)
            .field("data_bytes", &self.data_bytes())
            .finish_non_exhaustive()
    }
}

/// The part of `range` that lies in `start..end`, counted from `start`.
fn within(range: &Range<u64>, start: u64, end: u64) -> Range<usize> {
    let place =
        |offset: u64| usize::try_from(offset.clamp(start, end).saturating_sub(start)).unwrap_or(usize::MAX);
    place(range.start)..place(range.end)
}

/// The ranges of a file that take no space and read as zero.
pub fn holes(device: &FileDevice) -> Result<Ranges, ImageError> {
    let len_bytes = device.len_bytes();
    let allocated = allocated(device.file(), len_bytes).map_err(|errno| DeviceError::Io {
        operation: "read",
        offset_bytes: 0,
        len_bytes,
        source: errno.into(),
    })?;
    Ok(allocated.complement(len_bytes))
}

/// What of the first `len_bytes` of `file` is stored rather than a hole.
///
/// The file's own position moves; nothing here reads by it.
pub(super) fn allocated(file: &File, len_bytes: u64) -> Result<Ranges, Errno> {
    let mut found = Ranges::default();
    let mut place = 0;
    while place < len_bytes {
        let start = match seek(file, SeekFrom::Data(place)) {
            Ok(start) => start,
            Err(Errno::NXIO) => break,
            Err(errno) => return Err(errno),
        };
        let end = seek(file, SeekFrom::Hole(start))?;
        found.push(start..end.min(len_bytes));
        place = end.max(start.saturating_add(1));
    }
    Ok(found)
}

/// Names the file of a failed call.
pub(super) fn failed_on(action: &'static str, path: &std::path::Path) -> impl FnOnce(Errno) -> ImageError {
    let failed = PathError::on(action, path);
    move |errno| ImageError::File(failed(errno.into()))
}
