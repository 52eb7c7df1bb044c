//! A window on another device: one partition of a disk, without copying.

use std::sync::atomic::{AtomicU64, Ordering};

use super::device::{BlockDevice, DeviceError, check_range, len_of};
use super::unit::{UNIT_BYTES, is_zero};

/// How many bytes are looked at at a time when bytes have to become zero.
const PIECE_BYTES: u64 = 1 << 20;

/// The bytes of another device from some offset on. The window can get longer as far as its room reaches; the device
/// below keeps its length.
#[derive(Debug)]
pub struct Slice<D> {
    device: D,
    start_bytes: u64,
    len_bytes: AtomicU64,
    room_bytes: u64,
    /// From this offset of the device below on, all reads as zero until it is written.
    zero_from_bytes: u64,
}

impl<D: BlockDevice> Slice<D> {
    /// The window of `len_bytes` at `start_bytes`, which cannot get longer. A window that reaches beyond the device is
    /// an error.
    pub fn new(device: D, start_bytes: u64, len_bytes: u64) -> Result<Self, DeviceError> {
        check_range(start_bytes, len_bytes, device.len_bytes())?;
        Ok(Self {
            device,
            start_bytes,
            len_bytes: AtomicU64::new(len_bytes),
            room_bytes: len_bytes,
            zero_from_bytes: u64::MAX,
        })
    }

    /// Lets the window become up to `room_bytes` long; the device below was never written from `zero_from_bytes` on,
    /// and reads as zero there.
    pub fn with_room(mut self, room_bytes: u64, zero_from_bytes: u64) -> Result<Self, DeviceError> {
        check_range(self.start_bytes, room_bytes, self.device.len_bytes())?;
        self.room_bytes = room_bytes;
        self.zero_from_bytes = zero_from_bytes;
        Ok(self)
    }

    /// The offset below of `len_bytes` at `offset_bytes`.
    fn place(&self, offset_bytes: u64, len_bytes: u64) -> Result<u64, DeviceError> {
        check_range(offset_bytes, len_bytes, self.len_bytes())?;
        Ok(self.start_bytes.saturating_add(offset_bytes))
    }
}

impl<D: BlockDevice> BlockDevice for Slice<D> {
    fn len_bytes(&self) -> u64 {
        self.len_bytes.load(Ordering::Acquire)
    }

    fn read_at(&self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        let place = self.place(offset_bytes, len_of(buffer))?;
        self.device.read_at(place, buffer)
    }

    fn will_read(&self, offset_bytes: u64, len_bytes: u64) {
        if let Ok(place) = self.place(offset_bytes, len_bytes) {
            self.device.will_read(place, len_bytes);
        }
    }

    fn write_at(&self, offset_bytes: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        let place = self.place(offset_bytes, len_of(bytes))?;
        self.device.write_at(place, bytes)
    }

    fn set_len_bytes(&self, len_bytes: u64) -> Result<(), DeviceError> {
        let end = check_range(0, len_bytes, self.room_bytes)?.saturating_add(self.start_bytes);
        let old_end = self.start_bytes.saturating_add(self.len_bytes());
        zero(&self.device, old_end, end.min(self.zero_from_bytes))?;
        self.len_bytes.store(len_bytes, Ordering::Release);
        Ok(())
    }

    fn sync(&self) -> Result<(), DeviceError> {
        self.device.sync()
    }
}

/// Makes the bytes from `from_bytes` to `to_bytes` zero; where they are, nothing is written.
pub(crate) fn zero(device: &dyn BlockDevice, from_bytes: u64, to_bytes: u64) -> Result<(), DeviceError> {
    let mut place = from_bytes;
    let mut buffer = Vec::new();
    while place < to_bytes {
        let len = to_bytes.saturating_sub(place).min(PIECE_BYTES);
        buffer.resize(usize::try_from(len).unwrap_or_default(), 0);
        device.read_at(place, &mut buffer)?;
        let mut offset = place;
        for piece in buffer.chunks_mut(UNIT_BYTES) {
            if !is_zero(piece) {
                piece.fill(0);
                device.write_at(offset, piece)?;
            }
            offset = offset.saturating_add(len_of(piece));
        }
        place = place.saturating_add(len);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::MemoryDevice;
    use super::*;

    #[test]
    fn a_slice_reads_and_writes_its_window_only() {
        let device = MemoryDevice::from_bytes((0..100).collect());
        let slice = Slice::new(&device, 10, 20).unwrap();
        let mut buffer = [0; 2];
        slice.read_at(18, &mut buffer).unwrap();
        assert_eq!(buffer, [28, 29]);
        slice.write_at(0, &[200]).unwrap();
        assert!(matches!(
            slice.read_at(19, &mut buffer),
            Err(DeviceError::OutOfRange { .. })
        ));
        assert!(matches!(
            slice.write_at(20, &[1]),
            Err(DeviceError::OutOfRange { .. })
        ));
        slice.set_len_bytes(21).unwrap_err();
        let bytes = device.into_bytes();
        assert_eq!(bytes[9..12], [9, 200, 11]);
        Slice::new(MemoryDevice::from_bytes(vec![0; 5]), 4, 2).unwrap_err();
    }

    #[test]
    fn what_a_slice_grows_into_reads_as_zero() {
        let device = MemoryDevice::from_bytes(vec![7; 20_000]);
        let slice = Slice::new(&device, 1000, 5000)
            .unwrap()
            .with_room(15_000, 12_000)
            .unwrap();
        slice.set_len_bytes(4000).unwrap();
        slice.set_len_bytes(15_000).unwrap();
        let bytes = device.into_bytes();
        assert!(bytes[..5000].iter().all(|byte| *byte == 7));
        assert!(bytes[5000..12_000].iter().all(|byte| *byte == 0));
        assert!(bytes[12_000..].iter().all(|byte| *byte == 7));
    }
}
