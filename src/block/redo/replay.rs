//! Doing what a redo file says, on any device: it may be done again and again, with the same result.

use super::format::{Header, Kind, Reader, SECTOR_BYTES, UnitRecord};
use super::{RUN_BYTES, RedoError};
use crate::block::delta::Delta;
use crate::block::device::{BlockDevice, DeviceError, len_of};
use crate::block::unit::{UNIT_BYTES, is_zero, read_base};

/// Puts changes in their places.
pub(super) fn apply(image: &dyn BlockDevice, delta: &Delta) -> Result<(), DeviceError> {
    set_len(image, delta.base_end_bytes(), delta.len_bytes())?;
    let mut run = Run::new(image);
    for (offset_bytes, unit) in delta.units() {
        run.push(offset_bytes, unit)?;
    }
    run.flush()
}

/// Does what `redo` says to `image`; `punch` makes a range of it a hole.
pub(super) fn replay(
    redo: &Reader<'_>,
    image: &dyn BlockDevice,
    mut punch: impl FnMut(u64, u64) -> Result<(), RedoError>,
) -> Result<(), RedoError> {
    let header = redo.header;
    match header.kind {
        Kind::Back => {
            redo.ranges(|range| {
                let end = range.end.min(image.len_bytes());
                if range.start < end {
                    punch(range.start, end)?;
                }
                Ok(())
            })?;
        }
        Kind::Forward => {
            set_len(image, header.base_end_bytes, header.new_len_bytes)?;
            let mut run = Run::new(image);
            redo.units(|unit| Ok(run.push(unit.offset_bytes, &unit.new)?))?;
            run.flush()?;
        }
    }
    Ok(())
}

/// Cuts the image to `base_end_bytes` first where bytes have to go, then gives it its length.
fn set_len(image: &dyn BlockDevice, base_end_bytes: u64, len_bytes: u64) -> Result<(), DeviceError> {
    if base_end_bytes < image.len_bytes() {
        image.set_len_bytes(base_end_bytes)?;
    }
    if image.len_bytes() != len_bytes {
        image.set_len_bytes(len_bytes)?;
    }
    Ok(())
}

/// Finds out whether `redo` was made for the image that `image` has; `Err` has what does not fit.
pub(super) fn judge(redo: &Reader<'_>, image: &dyn BlockDevice) -> Result<Result<(), String>, RedoError> {
    let header = redo.header;
    let len_bytes = image.len_bytes();
    let lengths = [header.old_len_bytes, header.new_len_bytes, header.base_end_bytes];
    if !lengths.contains(&len_bytes) {
        return Ok(Err(format!(
            "the image has {len_bytes} bytes, not {} or {}",
            header.old_len_bytes, header.new_len_bytes
        )));
    }
    let mut stranger = None;
    if header.kind == Kind::Forward {
        redo.units(|unit| {
            if stranger.is_none() {
                stranger = foreign_sector(unit, &header, image)?;
            }
            Ok(())
        })?;
    }
    Ok(match stranger {
        None => Ok(()),
        Some(offset_bytes) => Err(format!("byte {offset_bytes} is neither old nor new")),
    })
}

/// Where a sector lies that has neither its old nor its new content.
fn foreign_sector(
    unit: &UnitRecord,
    header: &Header,
    image: &dyn BlockDevice,
) -> Result<Option<u64>, DeviceError> {
    let mut present = [0; UNIT_BYTES];
    read_base(image, image.len_bytes(), unit.offset_bytes, &mut present)?;
    let mut place = unit.offset_bytes;
    let sectors = present
        .chunks(SECTOR_BYTES)
        .zip(unit.new.chunks(SECTOR_BYTES))
        .zip(unit.old);
    for ((present, new), old) in sectors {
        let end = place.saturating_add(len_of(present));
        // What was cut off reads as zero until it is written; a sector that was cut inside is neither.
        let is_cut_inside = header.base_end_bytes < header.old_len_bytes && place < header.base_end_bytes;
        let is_cut = end > header.base_end_bytes && (is_cut_inside || is_zero(present));
        if present != new && crc32c::crc32c(present) != old && !is_cut && place < image.len_bytes() {
            return Ok(Some(place));
        }
        place = end;
    }
    Ok(None)
}

/// Neighbouring units on their way to the image.
struct Run<'a> {
    image: &'a dyn BlockDevice,
    start: u64,
    bytes: Vec<u8>,
}

impl<'a> Run<'a> {
    fn new(image: &'a dyn BlockDevice) -> Self {
        Self {
            image,
            start: 0,
            bytes: Vec::new(),
        }
    }

    fn push(&mut self, offset_bytes: u64, unit: &[u8; UNIT_BYTES]) -> Result<(), DeviceError> {
        let end = self.start.saturating_add(len_of(&self.bytes));
        if end != offset_bytes || self.bytes.len() >= RUN_BYTES {
            self.flush()?;
            self.start = offset_bytes;
        }
        self.bytes.extend_from_slice(unit);
        Ok(())
    }

    /// Writes what was gathered, cut at the image's end.
    fn flush(&mut self) -> Result<(), DeviceError> {
        let room = self.image.len_bytes().saturating_sub(self.start);
        let len = usize::try_from(room).unwrap_or(usize::MAX).min(self.bytes.len());
        let bytes = self.bytes.get(..len).unwrap_or_default();
        if !bytes.is_empty() {
            self.image.write_at(self.start, bytes)?;
        }
        self.bytes.clear();
        Ok(())
    }
}
