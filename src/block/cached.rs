//! A device that is only read, and of which the units that are asked for again and again stay in memory.
//!
//! Thousands of hosts look at the same few blocks of one template: its superblock, some inodes and directories. What was
//! asked for last is kept ([`Generations`]), so that a check that reads the whole file system once drives nothing out for
//! long. Readers of what is in the newer generation do not wait for each other.

use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

use super::device::{BlockDevice, DeviceError, check_range, len_of};
use super::unit::{UNIT, UNIT_BYTES, Unit, pieces_mut, read_base};
use crate::base::generations::Generations;

/// Reads of more bytes than this go past the memory: they are of contents, which nobody reads twice.
const MOST_BYTES: usize = 4 * UNIT_BYTES;

/// A read-only device with a memory of up to so many units.
#[derive(Debug)]
pub struct Cached {
    device: Arc<dyn BlockDevice>,
    units: RwLock<Generations<u64, Unit>>,
}

impl Cached {
    /// Keeps up to `most_units` units of `device`, which must not change, in memory.
    pub fn new(device: Arc<dyn BlockDevice>, most_units: usize) -> Self {
        Self {
            device,
            units: RwLock::new(Generations::new(most_units / 2)),
        }
    }

    /// The unit called `number`, from the older generation or the device; it belongs to the newer one from then on.
    fn fetch(&self, number: u64) -> Result<Unit, DeviceError> {
        if let Some(known) = self.write().get(number, |_| 1) {
            return Ok(known);
        }
        let mut unit = [0; UNIT_BYTES];
        let start = number.saturating_mul(UNIT);
        read_base(&*self.device, self.device.len_bytes(), start, &mut unit)?;
        let unit = Arc::new(unit);
        self.write().put(number, unit.clone(), 1);
        Ok(unit)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Generations<u64, Unit>> {
        self.units.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BlockDevice for Cached {
    fn len_bytes(&self) -> u64 {
        self.device.len_bytes()
    }

    fn read_at(&self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        if buffer.len() > MOST_BYTES {
            return self.device.read_at(offset_bytes, buffer);
        }
        check_range(offset_bytes, len_of(buffer), self.len_bytes())?;
        for (place, piece) in pieces_mut(offset_bytes, buffer) {
            {
                let units = self.units.read().unwrap_or_else(PoisonError::into_inner);
                if let Some(unit) = units.newest(&place.unit) {
                    piece.copy_from_slice(place.slice(unit));
                    continue;
                }
            }
            piece.copy_from_slice(place.slice(&*self.fetch(place.unit)?));
        }
        Ok(())
    }

    fn will_read(&self, offset_bytes: u64, len_bytes: u64) {
        self.device.will_read(offset_bytes, len_bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::super::MemoryDevice;
    use super::*;

    #[test]
    fn a_read_is_the_same_whether_it_comes_from_memory_or_not() {
        let bytes: Vec<u8> = (0..50_000_u32).map(|number| (number % 251) as u8).collect();
        let device: Arc<dyn BlockDevice> = Arc::new(MemoryDevice::from_bytes(bytes.clone()));
        for most_units in [0, 3, 100] {
            let cached = Cached::new(device.clone(), most_units);
            for _ in 0..2 {
                for (start, len) in [
                    (0, 1),
                    (4095, 2),
                    (49_000, 1000),
                    (8192, 4096),
                    (100, 40_000),
                    (7, 16_000),
                ] {
                    let mut found = vec![0; len];
                    cached.read_at(start as u64, &mut found).unwrap();
                    assert!(found == bytes[start..start + len], "{start} {len}");
                }
            }
            assert!(cached.units.read().unwrap().len() <= most_units);
            assert!(matches!(
                cached.read_at(49_999, &mut [0; 2]),
                Err(DeviceError::OutOfRange { .. })
            ));
            assert!(matches!(cached.write_at(0, b"x"), Err(DeviceError::ReadOnly)));
        }
    }

    #[test]
    fn what_is_used_stays_while_others_pass() {
        let device = Arc::new(MemoryDevice::from_bytes(vec![0; 100 * UNIT_BYTES]));
        let cached = Cached::new(device, 8);
        for number in 0..100 {
            for unit in [5, number] {
                cached.read_at(unit * UNIT, &mut [0]).unwrap();
            }
        }
        let units = cached.units.read().unwrap();
        assert!(units.has(&5) && units.has(&99) && !units.has(&50));
    }
}
