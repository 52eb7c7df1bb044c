//! Copying the template's data into a batch of images, each piece read once for all of them.

use std::ops::Range;

use super::Written;
use super::target::{Target, front};
use crate::block::BlockDevice as _;
use crate::image::base_image::BaseImage;
use crate::image::error::ImageError;
use crate::image::ranges::{Ranges, len_of, pieces};

/// How many bytes of the template are read at once: long writes get large pages from the kernel, and the piece still
/// fits a processor's cache.
const PIECE_BYTES: usize = 1 << 20;

/// An image that the template's data is being copied into.
pub(super) struct Copying<'a> {
    target: Target<'a>,
    /// What comes from the delta.
    changed: Ranges,
    /// What comes from the template as it is.
    unchanged: Ranges,
    /// The first error; nothing more is written after it.
    outcome: Result<(), ImageError>,
}

/// Copies the base's data into every file, each piece read once. The pieces are the same whichever images share them.
pub(super) fn copy_base(base: &BaseImage, copies: &mut [(usize, Copying<'_>)]) {
    if copies.is_empty() {
        return;
    }
    let mut buffer = vec![0; PIECE_BYTES];
    for run in base.plain().iter() {
        for piece in pieces(&run, PIECE_BYTES) {
            let bytes = front(&mut buffer, &piece);
            let mut wanting = copies
                .iter_mut()
                .filter(|(_, copy)| copy.wants(&piece))
                .peekable();
            if wanting.peek().is_none() {
                continue;
            }
            let mut is_read = base.read_at(piece.start, bytes).is_ok();
            for (_, copy) in wanting {
                // A failed read is repeated for each image, so that each has an error of its own to tell.
                if !is_read && let Err(error) = base.read_at(piece.start, bytes) {
                    copy.fail(error.into());
                    continue;
                }
                is_read = true;
                if let Err(error) = copy.put(&piece, bytes) {
                    copy.fail(error);
                }
            }
        }
    }
}

impl<'a> Copying<'a> {
    pub(super) fn begin(target: Target<'a>) -> Self {
        let shown = Ranges::whole(target.delta.base_end_bytes());
        let changed = target.changed().union(&target.base.mixed().intersection(&shown));
        let unchanged = target.base.plain().intersection(&shown).difference(&changed);
        Self {
            outcome: target.set_len(),
            target,
            changed,
            unchanged,
        }
    }

    /// Whether some of `piece` is to be copied.
    pub(super) fn wants(&self, piece: &Range<u64>) -> bool {
        self.outcome.is_ok() && self.unchanged.overlaps(piece)
    }

    /// Writes what of `piece`, whose content is `bytes`, is unchanged.
    pub(super) fn put(&self, piece: &Range<u64>, bytes: &[u8]) -> Result<(), ImageError> {
        for run in self
            .unchanged
            .from(piece.start)
            .take_while(|run| run.start < piece.end)
        {
            let run = run.start.max(piece.start)..run.end.min(piece.end);
            let skipped = len_of(&(piece.start..run.start));
            let bytes = bytes.get(skipped..).and_then(|rest| rest.get(..len_of(&run)));
            self.target
                .write_all(run.start, bytes.expect("the run was cut to the piece"))?;
        }
        Ok(())
    }

    /// Gives up: what was written so far gives its room to the other images.
    fn fail(&mut self, error: ImageError) {
        // The file is a temporary that goes anyway; that it does not get shorter is no further harm.
        drop(self.target.file.set_len(0));
        self.outcome = Err(error);
    }

    /// Writes the changes, once all data of the base is there.
    pub(super) fn finish(self) -> Result<Written, ImageError> {
        self.outcome?;
        let written = self.target.write_changes(&self.changed, |_| Ok(()))?;
        Ok(Written {
            is_clone: false,
            written_bytes: written.saturating_add(self.unchanged.total_bytes()),
        })
    }
}
