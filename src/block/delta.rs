//! The finished difference between an image and its base: what every image writer takes.

use std::collections::BTreeMap;
use std::fmt;

use super::device::{BlockDevice, DeviceError, check_range, len_of};
use super::unit::{UNIT, Unit, pieces_mut, read_base};

/// The finished difference between an image and its base.
#[derive(Clone)]
pub struct Delta {
    len_bytes: u64,
    base_end_bytes: u64,
    units: BTreeMap<u64, Unit>,
}

impl Delta {
    pub(super) fn new(len_bytes: u64, base_end_bytes: u64, units: BTreeMap<u64, Unit>) -> Self {
        Self {
            len_bytes,
            base_end_bytes,
            units,
        }
    }

    /// The image's length in bytes.
    pub fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    /// Up to where the base's bytes show through; unchanged bytes from here on are zero.
    pub fn base_end_bytes(&self) -> u64 {
        self.base_end_bytes
    }

    /// The changed units in ascending order: each one's offset in bytes, and its [`UNIT_BYTES`](super::UNIT_BYTES) bytes.
    /// The last may reach beyond the image's end.
    pub fn units(&self) -> impl Iterator<Item = (u64, &Unit)> {
        self.units
            .iter()
            .map(|(number, unit)| (number.saturating_mul(UNIT), unit))
    }

    /// The unit that holds `offset_bytes`, if it is changed.
    pub fn unit(&self, offset_bytes: u64) -> Option<&Unit> {
        self.units.get(&(offset_bytes / UNIT))
    }

    /// Whether the unit that holds `offset_bytes` is changed.
    pub fn is_changed(&self, offset_bytes: u64) -> bool {
        self.units.contains_key(&(offset_bytes / UNIT))
    }

    /// How many units are changed.
    pub fn changed_units(&self) -> usize {
        self.units.len()
    }

    /// Fills `buffer` with the image's bytes from `offset_bytes` on, `base` being the device that the difference was
    /// taken from. A range that reaches beyond the image's end is an error.
    pub fn read_at(
        &self,
        base: &dyn BlockDevice,
        offset_bytes: u64,
        buffer: &mut [u8],
    ) -> Result<(), DeviceError> {
        check_range(offset_bytes, len_of(buffer), self.len_bytes)?;
        let end = offset_bytes.saturating_add(len_of(buffer));
        let numbers = offset_bytes / UNIT..end.div_ceil(UNIT);
        let changed = self.units.range(numbers.clone()).count();
        if u64::try_from(changed) != Ok(numbers.end.saturating_sub(numbers.start)) {
            read_base(base, self.base_end_bytes, offset_bytes, buffer)?;
        }
        if changed == 0 {
            return Ok(());
        }
        for (place, piece) in pieces_mut(offset_bytes, buffer) {
            if let Some(unit) = self.units.get(&place.unit) {
                piece.copy_from_slice(place.slice(unit));
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Delta {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Delta")
            .field("len_bytes", &self.len_bytes)
            .field("base_end_bytes", &self.base_end_bytes)
            .field("changed_units", &self.units.len())
            .finish()
    }
}
