//! The one interface through which bytes are read and written.

use std::fmt;
use std::io;
use std::sync::Arc;

/// A run of bytes with a length. Reads and writes are positioned, so that threads may share a device.
pub trait BlockDevice: Send + Sync + fmt::Debug {
    /// The device's length in bytes.
    fn len_bytes(&self) -> u64;

    /// Fills `buffer` from `offset_bytes` on; a range that reaches beyond the end is an error.
    fn read_at(&self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), DeviceError>;

    /// Says that a range, which may lie beyond the end, will be read soon: a device that waits for a disk may begin to fetch
    /// it, so that many scattered reads do not wait for each other.
    fn will_read(&self, _offset_bytes: u64, _len_bytes: u64) {}

    /// Writes `bytes` at `offset_bytes`; a range that reaches beyond the end is an error.
    ///
    /// Unless a device says otherwise, it is only read.
    fn write_at(&self, _offset_bytes: u64, _bytes: &[u8]) -> Result<(), DeviceError> {
        Err(DeviceError::ReadOnly)
    }

    /// Changes the length to `len_bytes`; new bytes read as zero, cut bytes are gone.
    fn set_len_bytes(&self, _len_bytes: u64) -> Result<(), DeviceError> {
        Err(DeviceError::ReadOnly)
    }

    /// Forces what was written to stable storage, where there is such a thing.
    fn sync(&self) -> Result<(), DeviceError> {
        Ok(())
    }
}

/// Says why a device could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The system refused.
    #[error("cannot {operation} {len_bytes} bytes at {offset_bytes}")]
    Io {
        /// `read`, `write`, `resize` or `sync`.
        operation: &'static str,
        /// Where the range begins.
        offset_bytes: u64,
        /// How long the range is.
        len_bytes: u64,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The range reaches beyond the device.
    #[error("{len_bytes} bytes at {offset_bytes} lie beyond the device's end at {device_len_bytes}")]
    OutOfRange {
        /// Where the range begins.
        offset_bytes: u64,
        /// How long the range is.
        len_bytes: u64,
        /// The device's length.
        device_len_bytes: u64,
    },
    /// The device may only be read.
    #[error("the device is read-only")]
    ReadOnly,
}

impl<D: BlockDevice + ?Sized> BlockDevice for &D {
    fn len_bytes(&self) -> u64 {
        (**self).len_bytes()
    }

    fn read_at(&self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        (**self).read_at(offset_bytes, buffer)
    }

    fn will_read(&self, offset_bytes: u64, len_bytes: u64) {
        (**self).will_read(offset_bytes, len_bytes);
    }

    fn write_at(&self, offset_bytes: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        (**self).write_at(offset_bytes, bytes)
    }

    fn set_len_bytes(&self, len_bytes: u64) -> Result<(), DeviceError> {
        (**self).set_len_bytes(len_bytes)
    }

    fn sync(&self) -> Result<(), DeviceError> {
        (**self).sync()
    }
}

impl<D: BlockDevice + ?Sized> BlockDevice for Arc<D> {
    fn len_bytes(&self) -> u64 {
        (**self).len_bytes()
    }

    fn read_at(&self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        (**self).read_at(offset_bytes, buffer)
    }

    fn will_read(&self, offset_bytes: u64, len_bytes: u64) {
        (**self).will_read(offset_bytes, len_bytes);
    }

    fn write_at(&self, offset_bytes: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        (**self).write_at(offset_bytes, bytes)
    }

    fn set_len_bytes(&self, len_bytes: u64) -> Result<(), DeviceError> {
        (**self).set_len_bytes(len_bytes)
    }

    fn sync(&self) -> Result<(), DeviceError> {
        (**self).sync()
    }
}

/// The length of a slice, as a device counts.
pub(crate) fn len_of(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// Checks that `len_bytes` at `offset_bytes` lie within a device of `device_len_bytes`, and gives the range's end.
pub(crate) fn check_range(
    offset_bytes: u64,
    len_bytes: u64,
    device_len_bytes: u64,
) -> Result<u64, DeviceError> {
    match offset_bytes.checked_add(len_bytes) {
        Some(end) if end <= device_len_bytes => Ok(end),
        _ => Err(DeviceError::OutOfRange {
            offset_bytes,
            len_bytes,
            device_len_bytes,
        }),
    }
}
