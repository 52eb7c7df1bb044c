//! A device as a stream with a position, for crates that want one.

use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::block::{BlockDevice, DeviceError};

/// Reads and writes a device from a position on. The device's length does not change.
#[derive(Debug)]
pub(super) struct DeviceCursor<'a> {
    device: &'a dyn BlockDevice,
    place_bytes: u64,
}

impl<'a> DeviceCursor<'a> {
    /// Begins at the device's first byte.
    pub(super) fn new(device: &'a dyn BlockDevice) -> Self {
        Self {
            device,
            place_bytes: 0,
        }
    }

    /// How many of `wanted` bytes there are from the position on.
    fn available(&self, wanted: usize) -> usize {
        let rest = self.device.len_bytes().saturating_sub(self.place_bytes);
        usize::try_from(rest).unwrap_or(usize::MAX).min(wanted)
    }

    fn advance(&mut self, len: usize) {
        self.place_bytes = self
            .place_bytes
            .saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
    }
}

impl Read for DeviceCursor<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.available(buffer.len());
        if let Some(piece) = buffer.get_mut(..len).filter(|piece| !piece.is_empty()) {
            self.device.read_at(self.place_bytes, piece).map_err(as_io)?;
        }
        self.advance(len);
        Ok(len)
    }
}

impl Write for DeviceCursor<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = self.available(bytes.len());
        if len == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.device
            .write_at(self.place_bytes, bytes.get(..len).unwrap_or_default())
            .map_err(as_io)?;
        self.advance(len);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for DeviceCursor<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (from, by) = match to {
            SeekFrom::Start(place) => (place, 0),
            SeekFrom::End(by) => (self.device.len_bytes(), by),
            SeekFrom::Current(by) => (self.place_bytes, by),
        };
        self.place_bytes = from
            .checked_add_signed(by)
            .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.place_bytes)
    }
}

fn as_io(error: DeviceError) -> io::Error {
    match error {
        DeviceError::Io { source, .. } => source,
        other => io::Error::other(other),
    }
}
