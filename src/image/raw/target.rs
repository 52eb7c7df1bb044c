//! One image's file while it is being made: how changes, zeros and holes get into it.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

use super::Written;
use crate::base::PathError;
use crate::block::{BlockDevice as _, Delta, UNIT_BYTES, is_zero};
use crate::image::base_image::{BaseImage, failed_on};
use crate::image::error::ImageError;
use crate::image::ranges::{Ranges, len_of, pieces};

/// How many bytes of changes are written at once.
const BUFFER_BYTES: usize = 1 << 18;

/// A file that is to become an image.
pub(super) struct Target<'a> {
    pub(super) base: &'a BaseImage,
    pub(super) delta: &'a Delta,
    pub(super) file: &'a File,
    pub(super) path: &'a Path,
}

impl Target<'_> {
    pub(super) fn set_len(&self) -> Result<(), ImageError> {
        Ok(self
            .file
            .set_len(self.delta.len_bytes())
            .map_err(PathError::on("set the length of", self.path))?)
    }

    /// The changed units, cut at the image's end.
    fn changed(&self) -> Ranges {
        let mut changed = Ranges::default();
        for (offset, unit) in self.delta.units() {
            let end = offset.saturating_add(u64::try_from(unit.len()).unwrap_or(u64::MAX));
            changed.push(offset..end.min(self.delta.len_bytes()));
        }
        changed
    }

    /// Turns a clone of the base's file into the image.
    pub(super) fn finish_clone(&self) -> Result<Written, ImageError> {
        self.set_len()?;
        let base_end = self.delta.base_end_bytes();
        let cut = Ranges::of(base_end..self.base.len_bytes());
        let stale = self.base.free().union(&cut).intersection(self.base.allocated());
        for range in stale.below(self.delta.len_bytes()).iter() {
            self.punch(&range)?;
        }
        Ok(Written {
            is_clone: true,
            written_bytes: self.write_changes(&self.changed())?,
        })
    }

    /// Writes what the image holds at `changed`; units that are all zero become holes. Gives the number of bytes
    /// written.
    fn write_changes(&self, changed: &Ranges) -> Result<u64, ImageError> {
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut written = 0_u64;
        for piece in changed
            .iter()
            .flat_map(|range| pieces(&range, BUFFER_BYTES).collect::<Vec<_>>())
        {
            let bytes = front(&mut buffer, &piece);
            self.delta.read_at(self.base, piece.start, bytes)?;
            let mut data = Ranges::default();
            for (unit, bytes) in pieces(&piece, UNIT_BYTES).zip(bytes.chunks(UNIT_BYTES)) {
                if is_zero(bytes) {
                    self.punch(&unit)?;
                } else {
                    data.push(unit);
                }
            }
            for run in data.iter() {
                let skipped = len_of(&(piece.start..run.start));
                let bytes = bytes.get(skipped..).and_then(|rest| rest.get(..len_of(&run)));
                self.write_all(run.start, bytes.expect("a run lies within its piece"))?;
            }
            written = written.saturating_add(data.total_bytes());
        }
        Ok(written)
    }

    fn write_all(&self, offset_bytes: u64, bytes: &[u8]) -> Result<(), ImageError> {
        Ok(self
            .file
            .write_all_at(bytes, offset_bytes)
            .map_err(PathError::on("write", self.path))?)
    }

    /// Makes `range` read as zero, as a hole where the file system can.
    fn punch(&self, range: &Range<u64>) -> Result<(), ImageError> {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        match fallocate(
            self.file,
            flags,
            range.start,
            range.end.saturating_sub(range.start),
        ) {
            Ok(()) => Ok(()),
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
                let zeros = vec![0; BUFFER_BYTES.min(len_of(range))];
                pieces(range, BUFFER_BYTES).try_for_each(|piece| {
                    self.write_all(piece.start, zeros.get(..len_of(&piece)).unwrap_or_default())
                })
            }
            Err(errno) => Err(failed_on("punch a hole into", self.path)(errno)),
        }
    }
}

/// The first bytes of `buffer`, as many as `range` holds.
fn front<'a>(buffer: &'a mut [u8], range: &Range<u64>) -> &'a mut [u8] {
    buffer
        .get_mut(..len_of(range))
        .expect("pieces are cut to the buffer's length")
}
