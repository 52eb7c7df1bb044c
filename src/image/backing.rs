//! The raw file that a delta image lies over: the template itself, or a longer or shorter copy of it.
//!
//! ```text
//!   image    |....|####|....|0000|....|0000|      # from the delta, 0 reads as zero, . shows through
//!   backing  |....|....|....|old |....|           old: bytes that the image must not show
//! ```
//!
//! A delta is taken from a [`BaseImage`], in which free space reads as zero. The file below knows nothing of that, so
//! whatever it really holds there has to be covered with zeros; and so has what a host cut off and grew over again.

use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::base_image::BaseImage;
use super::common_units::CommonUnits;
use super::error::ImageError;
use super::ranges::{Ranges, UNIT, len_of, pieces, whole_units};
use super::raw::RawWriter;
use crate::base::PathError;
use crate::base::atomic::Durability;
use crate::block::{BlockDevice as _, Delta, DeviceError, Overlay, UNIT_BYTES, Unit};

/// How many bytes of free space are looked at at once.
const BUFFER_BYTES: usize = 1 << 18;

/// A raw file that images in a delta format lie over. Any number of hosts share it; it must never change.
#[derive(Debug)]
pub struct Backing {
    base: Arc<BaseImage>,
    path: PathBuf,
    len_bytes: u64,
    modified_seconds: i64,
    /// Units in which the file differs from the base without the file's own changes.
    stale: Ranges,
    /// What the file has changed itself.
    changes: Option<Arc<Delta>>,
    common: CommonUnits,
}

/// What was written of an image in a delta format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeltaWritten {
    /// How many bytes of disk the file takes.
    pub allocated_bytes: u64,
    /// How many units of [`UNIT_BYTES`] the file holds that differ from its backing, those of zeros included.
    pub covered_units: u64,
    /// What of the file was written; the rest of it are holes.
    pub stored: Ranges,
}

impl Backing {
    /// Takes the template's own file, which lies at `path`. What lies in its free space is read once.
    pub fn template(base: Arc<BaseImage>, path: &Path) -> Result<Self, ImageError> {
        let metadata = base.file().metadata().map_err(PathError::on("read", path))?;
        let stale = stale(&base).map_err(PathError::on("read", path))?;
        Ok(Self {
            path: path.to_path_buf(),
            len_bytes: base.len_bytes(),
            modified_seconds: metadata.mtime(),
            stale,
            changes: None,
            common: CommonUnits::default(),
            base,
        })
    }

    /// Makes the image that differs from the template by `changes` as a file of its own: for a format whose images are
    /// as long as their backing, and for what many images have in common.
    ///
    /// It is as sparse as a raw image, or a reflink where the file system has them. It has the template's time of
    /// modification, in whole seconds, so that the images over it are the same bytes in every run.
    pub fn changed(
        writer: &RawWriter,
        base: Arc<BaseImage>,
        changes: Arc<Delta>,
        destination: &Path,
        durability: Durability,
    ) -> Result<Self, ImageError> {
        let (unfinished, _) = writer.write(&base, &changes, destination)?;
        copy_modified_seconds(&base, unfinished.file())
            .and_then(|()| copy_permissions(&base, unfinished.file()))
            .map_err(PathError::on("date", unfinished.temporary_path()))?;
        unfinished.persist(durability)?;
        Self::of_changed(base, changes, destination)
    }

    /// Takes a file that [`Backing::changed`] made before, if it looks like that: length and time are right.
    pub fn existing(
        base: Arc<BaseImage>,
        changes: Arc<Delta>,
        path: &Path,
    ) -> Result<Option<Self>, ImageError> {
        let Ok(metadata) = std::fs::symlink_metadata(path) else {
            return Ok(None);
        };
        let backing = Self::of_changed(base, changes, path)?;
        let is_same = metadata.is_file()
            && metadata.len() == backing.len_bytes
            && (metadata.mtime(), metadata.mtime_nsec()) == (backing.modified_seconds, 0);
        Ok(is_same.then_some(backing))
    }

    fn of_changed(base: Arc<BaseImage>, changes: Arc<Delta>, path: &Path) -> Result<Self, ImageError> {
        let metadata = base.file().metadata().map_err(PathError::on("read", path))?;
        Ok(Self {
            path: path.to_path_buf(),
            len_bytes: changes.len_bytes(),
            modified_seconds: metadata.mtime(),
            stale: Ranges::default(),
            changes: Some(changes),
            common: CommonUnits::default(),
            base,
        })
    }

    /// Makes a copy of the template that is `len_bytes` long, as [`Backing::changed`] does.
    pub fn resized(
        writer: &RawWriter,
        base: Arc<BaseImage>,
        len_bytes: u64,
        destination: &Path,
        durability: Durability,
    ) -> Result<Self, ImageError> {
        let overlay = Overlay::new(base.clone());
        overlay.set_len_bytes(len_bytes)?;
        let changes = Arc::new(overlay.finish()?);
        Self::changed(writer, base, changes, destination, durability)
    }

    /// Where the file lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's length in bytes.
    pub fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    /// When the file was last modified, in seconds since the epoch.
    pub fn modified_seconds(&self) -> i64 {
        self.modified_seconds
    }

    /// The compressed units that the images over this file have in common.
    pub(super) fn common(&self) -> &CommonUnits {
        &self.common
    }

    /// Shows `visit` every unit in which the image of `delta` may differ from this file, in ascending order: its
    /// offset and its bytes. The last unit may reach beyond the image's end, with zeros.
    pub(super) fn each_difference<E: From<DeviceError>>(
        &self,
        delta: &Delta,
        mut visit: impl FnMut(u64, &Unit) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut visit = |offset: u64, unit: &Unit| {
            let held = self.changes.as_ref().and_then(|changes| changes.unit(offset));
            if held == Some(unit) {
                Ok(())
            } else {
                visit(offset, unit)
            }
        };
        let hidden = self.hidden(delta);
        let mut hidden = hidden
            .iter()
            .flat_map(|range| pieces(&range, UNIT_BYTES).collect::<Vec<_>>())
            .peekable();
        for (offset, own) in delta.units() {
            while let Some(unit) = hidden.next_if(|unit| unit.start < offset) {
                self.visit_read(delta, unit.start, &mut visit)?;
            }
            hidden.next_if(|unit| unit.start == offset);
            visit(offset, own)?;
        }
        hidden.try_for_each(|unit| self.visit_read(delta, unit.start, &mut visit))
    }

    /// Shows `visit` a unit whose bytes the delta does not hold itself.
    fn visit_read<E: From<DeviceError>>(
        &self,
        delta: &Delta,
        offset_bytes: u64,
        visit: &mut impl FnMut(u64, &Unit) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut unit = [0; UNIT_BYTES];
        let inside = len_of(&(offset_bytes..delta.len_bytes())).min(UNIT_BYTES);
        delta.read_at(&*self.base, offset_bytes, unit.split_at_mut(inside).0)?;
        visit(offset_bytes, &Arc::new(unit))
    }

    /// Whole units of the image, changed ones perhaps among them, that must not show what this file holds.
    fn hidden(&self, delta: &Delta) -> Ranges {
        let cut = Ranges::of(delta.base_end_bytes()..self.len_bytes).intersection(self.base.allocated());
        let own = self.changes.iter().flat_map(|changes| changes.units());
        let own = Ranges::from_unsorted(own.map(|(offset, _)| offset..offset.saturating_add(UNIT)));
        let hidden = self.stale.union(&cut).union(&own).below(delta.len_bytes());
        Ranges::from_unsorted(hidden.iter().map(|range| whole_units(&range)))
    }
}

/// The units in which the template's file differs from what the base shows of it.
fn stale(base: &BaseImage) -> io::Result<Ranges> {
    let suspect = base.free().intersection(base.allocated());
    let suspect =
        Ranges::from_unsorted(suspect.iter().map(|range| whole_units(&range))).below(base.len_bytes());
    let mut stale = Ranges::default();
    let mut buffers = (vec![0; BUFFER_BYTES], vec![0; BUFFER_BYTES]);
    for range in suspect.iter() {
        for piece in pieces(&range, BUFFER_BYTES) {
            let held = buffers.0.split_at_mut(len_of(&piece)).0;
            let shown = buffers.1.split_at_mut(len_of(&piece)).0;
            base.file().read_exact_at(held, piece.start)?;
            base.read_at(piece.start, shown).map_err(io::Error::other)?;
            let units = pieces(&piece, UNIT_BYTES)
                .zip(held.chunks(UNIT_BYTES).zip(shown.chunks(UNIT_BYTES)))
                .filter(|(_, (held, shown))| held != shown);
            units.for_each(|(unit, _)| stale.push(unit));
        }
    }
    Ok(stale)
}

/// Lets those read `file` who may read the template: machines may run as several accounts over one backing.
fn copy_permissions(base: &BaseImage, file: &std::fs::File) -> io::Result<()> {
    file.set_permissions(base.file().metadata()?.permissions())
}

/// Gives `file` the template's time of modification, cut to whole seconds.
fn copy_modified_seconds(base: &BaseImage, file: &std::fs::File) -> io::Result<()> {
    let seconds = base.file().metadata()?.mtime();
    let distance = Duration::from_secs(seconds.unsigned_abs());
    let time = if seconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(distance)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(distance)
    };
    file.set_modified(time.ok_or(io::ErrorKind::InvalidData)?)
}
