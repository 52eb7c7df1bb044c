//! A disk as what differs from the raw file that it lies over: what every file in a delta format is written from.

use super::backing::Backing;
use super::common_units::CommonUnits;
use crate::block::{Delta, DeviceError, Unit};

/// A disk that lies over a raw file.
pub(super) trait Differing {
    /// The disk's length in bytes.
    fn len_bytes(&self) -> u64;

    /// Shows `visit` every unit that differs from the file below, or may, in ascending order: its offset and its bytes.
    /// The last unit may reach beyond the disk's end, with zeros. It is the same every time.
    fn each_difference<E: From<DeviceError>>(
        &self,
        visit: impl FnMut(u64, &Unit) -> Result<(), E>,
    ) -> Result<(), E>;

    /// The compressed units that it has in common with others, if there may be others.
    fn common(&self) -> Option<&CommonUnits> {
        None
    }
}

/// The disk that a bake made over its backing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Baked<'a> {
    pub(super) backing: &'a Backing,
    pub(super) delta: &'a Delta,
}

impl Differing for Baked<'_> {
    fn len_bytes(&self) -> u64 {
        self.delta.len_bytes()
    }

    fn each_difference<E: From<DeviceError>>(
        &self,
        visit: impl FnMut(u64, &Unit) -> Result<(), E>,
    ) -> Result<(), E> {
        self.backing.each_difference(self.delta, visit)
    }

    fn common(&self) -> Option<&CommonUnits> {
        Some(self.backing.common())
    }
}
