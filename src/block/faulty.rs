//! A device that fails on purpose: what happens when the n-th write or read does not succeed, or only in part.

use std::sync::atomic::{AtomicU64, Ordering};

use super::device::{BlockDevice, DeviceError};

/// The least that a disk writes whole, in bytes.
const SECTOR_LEN: usize = 512;

/// What a [`FaultyDevice`] does when its time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Writes fail, and leave nothing.
    Write,
    /// Writes fail after the first half of the bytes, cut to whole sectors: a disk tears no finer.
    ShortWrite,
    /// Reads fail.
    Read,
}

/// Passes everything on to `inner` until `allowed` writes (or reads) are done, then fails all of them.
#[derive(Debug)]
pub struct FaultyDevice<D> {
    inner: D,
    fault: Fault,
    allowed: u64,
    writes: AtomicU64,
    reads: AtomicU64,
}

impl<D: BlockDevice> FaultyDevice<D> {
    /// Lets `allowed` writes to `inner` succeed.
    pub fn new(inner: D, allowed: u64) -> Self {
        Self::with_fault(inner, Fault::Write, allowed)
    }

    /// Lets `allowed` of what `fault` is about succeed.
    pub fn with_fault(inner: D, fault: Fault, allowed: u64) -> Self {
        Self {
            inner,
            fault,
            allowed,
            writes: AtomicU64::new(0),
            reads: AtomicU64::new(0),
        }
    }

    /// How many writes were tried.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    /// How many reads were tried.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// The device below.
    pub fn into_inner(self) -> D {
        self.inner
    }

    fn spend(&self, operation: &'static str, offset_bytes: u64, len_bytes: u64) -> Result<(), DeviceError> {
        let done = self.writes.fetch_add(1, Ordering::Relaxed);
        if self.fault == Fault::Read || done < self.allowed {
            return Ok(());
        }
        Err(Self::failed(operation, offset_bytes, len_bytes))
    }

    fn failed(operation: &'static str, offset_bytes: u64, len_bytes: u64) -> DeviceError {
        let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
        DeviceError::Io {
            operation,
            offset_bytes,
            len_bytes,
            source,
        }
    }
}

impl<D: BlockDevice> BlockDevice for FaultyDevice<D> {
    fn len_bytes(&self) -> u64 {
        self.inner.len_bytes()
    }

    fn read_at(&self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        let done = self.reads.fetch_add(1, Ordering::Relaxed);
        if self.fault == Fault::Read && done >= self.allowed {
            return Err(Self::failed("read", offset_bytes, super::device::len_of(buffer)));
        }
        self.inner.read_at(offset_bytes, buffer)
    }

    fn write_at(&self, offset_bytes: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        if let Err(error) = self.spend("write", offset_bytes, super::device::len_of(bytes)) {
            if self.fault == Fault::ShortWrite {
                let half_len = (bytes.len() / 2 / SECTOR_LEN).saturating_mul(SECTOR_LEN);
                self.inner
                    .write_at(offset_bytes, bytes.get(..half_len).unwrap_or_default())?;
            }
            return Err(error);
        }
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
