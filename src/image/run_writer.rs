//! Joins neighbouring small writes into long ones.

use crate::block::{BlockDevice, DeviceError};

/// How many bytes are gathered before they are written.
const RUN_BYTES: usize = 1 << 18;

/// Gathers what is pushed at ascending offsets and writes each unbroken run at once.
#[derive(Debug)]
pub(super) struct RunWriter<'a> {
    device: &'a dyn BlockDevice,
    start: u64,
    run: Vec<u8>,
}

impl<'a> RunWriter<'a> {
    /// A writer to `device`, which has to be long enough already.
    pub(super) fn new(device: &'a dyn BlockDevice) -> Self {
        Self {
            device,
            start: 0,
            run: Vec::new(),
        }
    }

    /// Writes `bytes` at `offset_bytes`, at once or later.
    pub(super) fn push(&mut self, offset_bytes: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        let held = u64::try_from(self.run.len()).unwrap_or(u64::MAX);
        if offset_bytes != self.start.saturating_add(held) || self.run.len() >= RUN_BYTES {
            self.flush()?;
            self.start = offset_bytes;
        }
        self.run.extend_from_slice(bytes);
        Ok(())
    }

    /// Writes what is still held.
    pub(super) fn flush(&mut self) -> Result<(), DeviceError> {
        if !self.run.is_empty() {
            self.device.write_at(self.start, &self.run)?;
            self.run.clear();
        }
        Ok(())
    }
}
