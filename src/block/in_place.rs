//! An image file that is being changed where it lies: nothing of it is lost until everything is there.
//!
//! ```text
//!   writes --little--> overlay in memory ------------------------> redo file --> image
//!          \--much, into ranges that nothing uses--> image, the ranges noted in a file that rolls back
//! ```
//!
//! Dropped before [`InPlace::commit`], the image is as it was, to the byte; but where much was written, the ranges that
//! nothing used are holes.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::device::{BlockDevice, DeviceError, check_range, len_of};
use super::file::FileDevice;
use super::overlay::Overlay;
use super::redo::{self, RedoError};
use super::unit::UNIT;
use crate::base::atomic::Durability;

/// How many bytes of changes are held in memory before data goes into unused ranges at once.
const HELD_BYTES: u64 = 8 << 20;

/// How much is written to unused ranges in one run before the kernel is asked to bring it to the disk: a request for every
/// small file takes longer than it gains. What comes in shorter runs waits for the sync.
const RUN_BYTES: u64 = 4 << 20;

/// A device over one image file whose changes appear in the file all at once.
#[derive(Debug)]
pub struct InPlace {
    path: PathBuf,
    image: Arc<FileDevice>,
    overlay: Overlay,
    through: Mutex<Through>,
}

/// What is known of the ranges that data may be written into.
#[derive(Default)]
struct Through {
    /// Tells the ranges, once they are needed.
    offer: Option<Box<dyn FnOnce() -> Vec<Range<u64>> + Send>>,
    /// Whole units, sorted.
    vacant: Vec<Range<u64>>,
    /// Whether the file that rolls back lies beside the image.
    is_open: bool,
    /// What was written there last, and the disk was not asked to take yet.
    run: Range<u64>,
}

impl fmt::Debug for Through {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Through")
            .field("vacant", &self.vacant)
            .field("is_open", &self.is_open)
            .finish_non_exhaustive()
    }
}

impl InPlace {
    /// Begins to change the image at `path`, opened writable as `image`, locked, its last change complete.
    pub fn new(image: Arc<FileDevice>, path: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
            overlay: Overlay::new(image.clone()),
            image,
            through: Mutex::default(),
        }
    }

    /// Says how to find out which ranges of the file are of no meaning to the image as it was, sorted: data may be
    /// written there before the change as a whole is certain. Asked once, and only if there is much to write.
    pub fn offer(&self, vacant: impl FnOnce() -> Vec<Range<u64>> + Send + 'static) {
        self.lock().offer = Some(Box::new(vacant));
    }

    /// Puts all changes into the image's file; answers whether there were any.
    ///
    /// # Errors
    /// [`RedoError`]; the image is as it was then, or the next to open it completes the change.
    pub fn commit(self, durability: Durability) -> Result<bool, RedoError> {
        let delta = self.overlay.take_changes()?;
        let is_open = self.lock().is_open;
        let is_same = delta.changed_units() == 0
            && delta.len_bytes() == self.image.len_bytes()
            && delta.base_end_bytes() == delta.len_bytes();
        if is_same && !is_open {
            return Ok(false);
        }
        if is_open && durability == Durability::Sync {
            self.image.sync()?;
        }
        redo::commit(&self.image, &self.path, &delta, durability)?;
        self.lock().is_open = false;
        Ok(true)
    }

    /// The end of the range from `offset_bytes` on, at most to `end`, that may go into a hole at once; nothing if it
    /// may not begin there.
    fn through_end(&self, offset_bytes: u64, end: u64) -> Result<Option<u64>, DeviceError> {
        let mut through = self.lock();
        if !through.is_open && self.overlay.held_bytes() < HELD_BYTES {
            return Ok(None);
        }
        if let Some(offer) = through.offer.take() {
            through.vacant = self.whole_units(offer());
        }
        let first = through.vacant.partition_point(|range| range.end <= offset_bytes);
        let Some(range) = through
            .vacant
            .get(first)
            .filter(|range| range.start <= offset_bytes)
        else {
            return Ok(None);
        };
        let mut end = end.min(range.end).min(self.overlay.base_end_bytes());
        if let Some(change) = self.overlay.next_change(offset_bytes) {
            end = end.min(change);
        }
        if end <= offset_bytes {
            return Ok(None);
        }
        if !through.is_open {
            let len_bytes = self.image.len_bytes();
            redo::roll_back_file(&self.image, &self.path, &through.vacant).map_err(|source| {
                DeviceError::Io {
                    operation: "prepare to write",
                    offset_bytes,
                    len_bytes,
                    source: std::io::Error::other(source),
                }
            })?;
            through.is_open = true;
        }
        Ok(Some(end))
    }

    /// The whole units of `ranges` that lie in the file.
    fn whole_units(&self, ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
        let end = self.image.len_bytes();
        let whole = |range: Range<u64>| {
            let start = range.start.div_ceil(UNIT).saturating_mul(UNIT);
            let end = (range.end.min(end) / UNIT).saturating_mul(UNIT);
            start..end
        };
        let whole = ranges.into_iter().map(whole);
        whole.filter(|range| !range.is_empty()).collect()
    }

    /// Has the kernel begin to bring what was written to the disk, once a run of it is long enough.
    fn write_back(&self, written: Range<u64>) {
        let mut through = self.lock();
        let start = if through.run.end == written.start {
            through.run.start
        } else {
            written.start
        };
        let len_bytes = written.end.saturating_sub(start);
        let is_long = len_bytes >= RUN_BYTES;
        through.run = if is_long { written.end } else { start }..written.end;
        drop(through);
        if is_long {
            self.image.begin_writing_back(start, len_bytes);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Through> {
        self.through.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for InPlace {
    fn drop(&mut self) {
        if self.lock().is_open {
            // What fails here is done by the next to open the image.
            drop(redo::complete(&self.image, &self.path));
        }
    }
}

impl BlockDevice for InPlace {
    fn len_bytes(&self) -> u64 {
        self.overlay.len_bytes()
    }

    fn read_at(&self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        self.overlay.read_at(offset_bytes, buffer)
    }

    fn write_at(&self, offset_bytes: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        check_range(offset_bytes, len_of(bytes), self.len_bytes())?;
        let (mut place, mut rest) = (offset_bytes, bytes);
        while !rest.is_empty() {
            let all = place.saturating_add(len_of(rest));
            let through = self.through_end(place, all)?;
            let next_unit = (place / UNIT).saturating_add(1).saturating_mul(UNIT);
            let end = through.unwrap_or(next_unit.min(all));
            let len = usize::try_from(end.saturating_sub(place)).unwrap_or(usize::MAX);
            let Some((piece, behind)) = rest.split_at_checked(len) else {
                break;
            };
            if through.is_some() {
                self.image.write_at(place, piece)?;
                self.write_back(place..end);
            } else {
                self.overlay.write_at(place, piece)?;
            }
            (place, rest) = (end, behind);
        }
        Ok(())
    }

    fn set_len_bytes(&self, len_bytes: u64) -> Result<(), DeviceError> {
        self.overlay.set_len_bytes(len_bytes)
    }
}
