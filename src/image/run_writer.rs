//! Joins neighbouring small writes into long ones.

use crate::block::{BlockDevice, DeviceError};

/// How many bytes are gathered at the most before they are written.
const RUN_BYTES: usize = 1 << 15;

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
            run: Vec::with_capacity(RUN_BYTES),
        }
    }

    /// Writes `bytes` at `offset_bytes`, at once or later.
    pub(super) fn push(&mut self, offset_bytes: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        let held = u64::try_from(self.run.len()).unwrap_or(u64::MAX);
        let is_next = offset_bytes == self.start.saturating_add(held);
        if !is_next || self.run.len().saturating_add(bytes.len()) > RUN_BYTES {
            self.flush()?;
            self.start = offset_bytes;
        }
        if bytes.len() > RUN_BYTES {
            return self.device.write_at(offset_bytes, bytes);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::MemoryDevice;

    #[test]
    fn what_is_pushed_lies_where_it_was_pushed_to() {
        let piece = |byte: u8, len: usize| vec![byte; len];
        let pushed = [
            (0, piece(1, 100)),
            (100, piece(2, RUN_BYTES - 100)),
            (RUN_BYTES, piece(3, 1)),
            // Longer than a run, right behind one that is held and far behind one.
            (RUN_BYTES + 1, piece(4, RUN_BYTES + 1)),
            (2 * RUN_BYTES + 2, piece(5, 10)),
            (4 * RUN_BYTES, piece(6, 2 * RUN_BYTES)),
            (7 * RUN_BYTES, piece(7, 10)),
        ];
        let device = MemoryDevice::from_bytes(vec![0; 8 * RUN_BYTES]);
        let mut expected = vec![0; 8 * RUN_BYTES];
        let mut runs = RunWriter::new(&device);
        for (offset, bytes) in &pushed {
            runs.push((*offset).try_into().unwrap(), bytes).unwrap();
            assert!(runs.run.len() <= RUN_BYTES);
            expected[*offset..offset + bytes.len()].copy_from_slice(bytes);
        }
        runs.flush().unwrap();
        assert!(device.into_bytes() == expected);
    }
}
