//! The units in which changes are kept, and ranges cut at the units' borders.

use std::sync::Arc;

use super::device::{BlockDevice, DeviceError, len_of};

/// How many bytes change hands as a whole.
pub const UNIT_BYTES: usize = 4096;

/// [`UNIT_BYTES`] as offsets are counted.
pub(super) const UNIT: u64 = 4096;

/// One unit's bytes, shared until someone writes to them: images have most of what they change in common.
pub type Unit = Arc<[u8; UNIT_BYTES]>;

/// Whether all of `bytes` are zero.
pub fn is_zero(bytes: &[u8]) -> bool {
    // Comparing memory is far faster than a loop over bytes, and the first difference ends it.
    const ZEROS: [u8; UNIT_BYTES] = [0; UNIT_BYTES];
    bytes
        .chunks(UNIT_BYTES)
        .all(|chunk| ZEROS.get(..chunk.len()) == Some(chunk))
}

/// A range within one unit.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) unit: u64,
    start: usize,
    len: usize,
}

impl Place {
    pub(super) fn len(self) -> usize {
        self.len
    }

    pub(super) fn slice(self, unit: &[u8; UNIT_BYTES]) -> &[u8] {
        unit.get(self.start..)
            .and_then(|rest| rest.get(..self.len))
            .expect("a place lies within its unit")
    }

    pub(super) fn slice_mut(self, unit: &mut [u8; UNIT_BYTES]) -> &mut [u8] {
        unit.get_mut(self.start..)
            .and_then(|rest| rest.get_mut(..self.len))
            .expect("a place lies within its unit")
    }
}

/// The place that begins at `offset_bytes` and holds at most `wanted` bytes.
pub(super) fn place_at(offset_bytes: u64, wanted: usize) -> Place {
    let start = usize::try_from(offset_bytes % UNIT).unwrap_or_default();
    Place {
        unit: offset_bytes / UNIT,
        start,
        len: wanted.min(UNIT_BYTES.saturating_sub(start)),
    }
}

/// Cuts `bytes`, which begin at `offset_bytes`, at the units' borders.
pub(super) fn pieces(mut offset_bytes: u64, mut bytes: &[u8]) -> impl Iterator<Item = (Place, &[u8])> {
    std::iter::from_fn(move || {
        let place = place_at(offset_bytes, bytes.len());
        let (piece, rest) = bytes
            .split_at_checked(place.len)
            .filter(|(piece, _)| !piece.is_empty())?;
        bytes = rest;
        offset_bytes = offset_bytes.saturating_add(len_of(piece));
        Some((place, piece))
    })
}

/// Cuts `buffer`, which begins at `offset_bytes`, at the units' borders.
pub(super) fn pieces_mut(
    mut offset_bytes: u64,
    mut buffer: &mut [u8],
) -> impl Iterator<Item = (Place, &mut [u8])> {
    std::iter::from_fn(move || {
        let place = place_at(offset_bytes, buffer.len());
        if place.len == 0 {
            return None;
        }
        let (piece, rest) = std::mem::take(&mut buffer).split_at_mut_checked(place.len)?;
        buffer = rest;
        offset_bytes = offset_bytes.saturating_add(len_of(piece));
        Some((place, piece))
    })
}

/// Reads from `base` up to `base_end_bytes`; what lies beyond is zero.
pub(super) fn read_base(
    base: &dyn BlockDevice,
    base_end_bytes: u64,
    offset_bytes: u64,
    buffer: &mut [u8],
) -> Result<(), DeviceError> {
    let inside = base_end_bytes.min(base.len_bytes()).saturating_sub(offset_bytes);
    let inside = usize::try_from(inside).unwrap_or(usize::MAX).min(buffer.len());
    let (real, beyond) = buffer.split_at_mut(inside);
    beyond.fill(0);
    if real.is_empty() {
        Ok(())
    } else {
        base.read_at(offset_bytes, real)
    }
}
