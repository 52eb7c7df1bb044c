//! A device of which it is known afterwards what of it was written.

use std::sync::{Mutex, PoisonError};

use super::ranges::Ranges;
use crate::block::{BlockDevice, DeviceError};

/// A device that notes what is written to it.
#[derive(Debug)]
pub(super) struct Noting<D> {
    device: D,
    written: Mutex<Vec<(u64, usize)>>,
}

impl<D: BlockDevice> Noting<D> {
    pub(super) fn new(device: D) -> Self {
        Self {
            device,
            written: Mutex::default(),
        }
    }

    /// What was written.
    pub(super) fn into_written(self) -> Ranges {
        let written = self.written.into_inner().unwrap_or_else(PoisonError::into_inner);
        let range = |(start, len): (u64, usize)| {
            let len = u64::try_from(len).unwrap_or(u64::MAX);
            start..start.saturating_add(len)
        };
        Ranges::from_unsorted(written.into_iter().map(range))
    }
}

impl<D: BlockDevice> BlockDevice for Noting<D> {
    fn len_bytes(&self) -> u64 {
        self.device.len_bytes()
    }

    fn read_at(&self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        self.device.read_at(offset_bytes, buffer)
    }

    fn write_at(&self, offset_bytes: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.push((offset_bytes, bytes.len()));
        self.device.write_at(offset_bytes, bytes)
    }

    fn set_len_bytes(&self, len_bytes: u64) -> Result<(), DeviceError> {
        self.device.set_len_bytes(len_bytes)
    }
}
