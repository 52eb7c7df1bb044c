//! Writing a batch of images in one pass from front to back: each piece of the template is read once for all of them,
//! and what a host changed is written together with what lies around it.

use std::collections::BTreeSet;
use std::ops::Range;

use super::Written;
use super::output::{AlignedBuffer, Direct, Output};
use super::target::Target;
use crate::base::PathError;
use crate::block::{BlockDevice as _, is_zero};
use crate::image::base_image::BaseImage;
use crate::image::error::ImageError;
use crate::image::ranges::{Ranges, UNIT, len_of, whole_units};

/// How many bytes of an image are written at once: longer writes were no faster, 1 MiB took twice the processor time.
const PIECE_BYTES: usize = 4 << 20;

/// [`PIECE_BYTES`] as offsets are counted.
const PIECE: u64 = 4 << 20;

/// An image that is being written.
pub(super) struct Copying<'a> {
    target: Target<'a>,
    output: Output<'a>,
    /// What is written; all else are zeros, and stays a hole.
    data: Ranges,
    /// What of it is not as in the base.
    changed: Ranges,
    /// The first error; nothing more is written after it.
    outcome: Result<(), ImageError>,
}

/// The bytes that all images have from the base.
struct Shared<'a> {
    range: Range<u64>,
    /// Nothing if they could not be read: then each image tries for itself, and has an error of its own to tell.
    bytes: Option<&'a [u8]>,
}

/// Writes every image. The writes are the same whichever images share the reading.
pub(super) fn copy_base(base: &BaseImage, copies: &mut [(usize, Copying<'_>)]) {
    if copies.is_empty() {
        return;
    }
    let data = copies.iter().flat_map(|(_, copy)| copy.data.iter());
    let windows: BTreeSet<u64> = data
        .flat_map(|range| range.start / PIECE..range.end.div_ceil(PIECE))
        .collect();
    let mut buffers = (AlignedBuffer::new(PIECE_BYTES), AlignedBuffer::new(PIECE_BYTES));
    for window in windows {
        let start = window.saturating_mul(PIECE);
        let window = start..start.saturating_add(PIECE);
        let shared = read_shared(base, &window, &mut buffers.0);
        for (_, copy) in copies.iter_mut().filter(|(_, copy)| copy.outcome.is_ok()) {
            if let Err(error) = copy.put(&window, &shared, &mut buffers.1) {
                copy.fail(error);
            }
        }
    }
}

/// Reads what the base has in `window`, from its first data to its last.
fn read_shared<'b>(base: &BaseImage, window: &Range<u64>, buffer: &'b mut AlignedBuffer) -> Shared<'b> {
    let start = base.data().within(window).next();
    let end = base.data().within(window).last();
    let (start, end) = start
        .zip(end)
        .map_or((0, 0), |(first, last)| (first.start, last.end));
    let bytes = buffer.front(len_of(&(start..end)));
    let is_read = bytes.is_empty() || base.read_at(start, bytes).is_ok();
    Shared {
        range: start..end,
        bytes: is_read.then_some(&*bytes),
    }
}

impl<'a> Copying<'a> {
    /// Finds out what is to be written, and gives the file its length.
    pub(super) fn begin(target: Target<'a>, known: Direct<'a>) -> Self {
        let delta = target.delta;
        let (mut changed, mut zeros) = (Ranges::default(), Ranges::default());
        for (offset, unit) in delta.units() {
            let range = offset..offset.saturating_add(UNIT).min(delta.len_bytes());
            if is_zero(&unit[..]) {
                zeros.push(range);
            } else {
                changed.push(range);
            }
        }
        let base_end = delta.base_end_bytes();
        let shown = target.base.data().below(base_end);
        if !base_end.is_multiple_of(UNIT) && shown.overlaps(&(base_end.saturating_sub(1)..base_end)) {
            let cut = whole_units(&(base_end.saturating_sub(1)..base_end));
            changed = changed
                .union(&Ranges::of(cut))
                .below(delta.len_bytes())
                .difference(&zeros);
        }
        Self {
            outcome: target.set_len(),
            output: Output::open(target.file, target.path, known),
            data: shown.difference(&zeros).union(&changed),
            changed,
            target,
        }
    }

    /// Writes what the image has in `window`.
    fn put(
        &mut self,
        window: &Range<u64>,
        shared: &Shared<'_>,
        own: &mut AlignedBuffer,
    ) -> Result<(), ImageError> {
        for run in self.data.within(window) {
            let unchanged = shared.get(&run).filter(|_| !self.changed.overlaps(&run));
            let bytes = if let Some(bytes) = unchanged {
                bytes
            } else {
                let bytes = own.front(len_of(&run));
                self.target.delta.read_at(self.target.base, run.start, bytes)?;
                bytes
            };
            self.output
                .write(run.start, bytes)
                .map_err(PathError::on("write", self.target.path))?;
        }
        Ok(())
    }

    /// Gives up: what was written so far gives its room to the other images.
    fn fail(&mut self, error: ImageError) {
        // The file is a temporary that goes anyway; that it does not get shorter is no further harm.
        drop(self.target.file.set_len(0));
        self.outcome = Err(error);
    }

    /// Tells what was written.
    pub(super) fn finish(self) -> Result<Written, ImageError> {
        self.outcome?;
        Ok(Written {
            is_clone: false,
            written_bytes: self.data.total_bytes(),
        })
    }
}

impl Shared<'_> {
    /// The bytes of `run`, if they are among those that were read.
    fn get(&self, run: &Range<u64>) -> Option<&[u8]> {
        let skipped = run.start.checked_sub(self.range.start)?;
        let bytes = self.bytes?.get(len_of(&(0..skipped))..)?;
        bytes.get(..len_of(run))
    }
}
