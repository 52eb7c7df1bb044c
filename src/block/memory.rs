//! A device that lies in memory, for small images that are made from nothing and for tests.

use std::sync::{PoisonError, RwLock};

use super::device::{BlockDevice, DeviceError, check_range, len_of};

/// Bytes in memory.
#[derive(Debug, Default)]
pub struct MemoryDevice {
    bytes: RwLock<Vec<u8>>,
}

impl MemoryDevice {
    /// A device of `bytes`.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self {
            bytes: RwLock::new(bytes),
        }
    }

    /// The device's bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BlockDevice for MemoryDevice {
    fn len_bytes(&self) -> u64 {
        len_of(&self.bytes.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn read_at(&self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        let bytes = self.bytes.read().unwrap_or_else(PoisonError::into_inner);
        let range = range_of(offset_bytes, len_of(buffer), len_of(&bytes))?;
        buffer.copy_from_slice(bytes.get(range).expect("the range was checked"));
        Ok(())
    }

    fn write_at(&self, offset_bytes: u64, source: &[u8]) -> Result<(), DeviceError> {
        let mut bytes = self.bytes.write().unwrap_or_else(PoisonError::into_inner);
        let range = range_of(offset_bytes, len_of(source), len_of(&bytes))?;
        bytes
            .get_mut(range)
            .expect("the range was checked")
            .copy_from_slice(source);
        Ok(())
    }

    fn set_len_bytes(&self, len_bytes: u64) -> Result<(), DeviceError> {
        let len = usize::try_from(len_bytes).map_err(|_| DeviceError::OutOfRange {
            offset_bytes: 0,
            len_bytes,
            device_len_bytes: self.len_bytes(),
        })?;
        self.bytes
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .resize(len, 0);
        Ok(())
    }
}

/// The range as indices, checked against the device's length.
fn range_of(
    offset_bytes: u64,
    len_bytes: u64,
    device_len_bytes: u64,
) -> Result<std::ops::Range<usize>, DeviceError> {
    let end = check_range(offset_bytes, len_bytes, device_len_bytes)?;
    let index = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    Ok(index(offset_bytes)..index(end))
}
