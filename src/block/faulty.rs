//! A device that fails on purpose: what happens when the n-th write does not succeed.

use std::sync::atomic::{AtomicU64, Ordering};

use super::device::{BlockDevice, DeviceError};

/// Passes everything on to `inner` until `allowed` writes are done, then fails every write.
#[derive(Debug)]
pub struct FaultyDevice<D> {
    inner: D,
    allowed: u64,
    writes: AtomicU64,
}

impl<D: BlockDevice> FaultyDevice<D> {
    /// Lets `allowed` writes to `inner` succeed.
    pub fn new(inner: D, allowed: u64) -> Self {
        Self {
            inner,
            allowed,
            writes: AtomicU64::new(0),
        }
    }

    /// How many writes were tried.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    /// The device below.
    pub fn into_inner(self) -> D {
        self.inner
    }

    fn spend(&self, operation: &'static str, offset_bytes: u64, len_bytes: u64) -> Result<(), DeviceError> {
        if self.writes.fetch_add(1, Ordering::Relaxed) < self.allowed {
            return Ok(());
        }
        let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
        Err(DeviceError::Io {
            operation,
            offset_bytes,
            len_bytes,
            source,
        })
    }
}

impl<D: BlockDevice> BlockDevice for FaultyDevice<D> {
    fn len_bytes(&self) -> u64 {
        self.inner.len_bytes()
    }

    fn read_at(&self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        self.inner.read_at(offset_bytes, buffer)
    }

    fn write_at(&self, offset_bytes: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        self.spend("write", offset_bytes, super::device::len_of(bytes))?;
        self.inner.write_at(offset_bytes, bytes)
    }

    fn set_len_bytes(&self, len_bytes: u64) -> Result<(), DeviceError> {
        self.spend("resize", 0, len_bytes)?;
        self.inner.set_len_bytes(len_bytes)
    }

    fn sync(&self) -> Result<(), DeviceError> {
        self.inner.sync()
    }
}
