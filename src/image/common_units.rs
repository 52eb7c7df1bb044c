//! Compressed units that many images over one backing have in common: the bitmaps and tables of the grown file system,
//! the list of all machines, the users' files. Each is compressed once.
//!
//! What was used last is kept, in two generations: once the newer one is full, the older one goes, so that what is used
//! again and again stays, and what belongs to one image alone does not pile up.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::block::UNIT_BYTES;

/// How many compressed bytes a generation holds, with what it takes to remember a unit.
const GENERATION_BYTES: usize = 512 << 10;

/// What remembering a unit takes beside its bytes, roughly.
const ENTRY_BYTES: usize = 96;

/// The digest of a unit's bytes.
type Key = [u8; 32];

/// A unit's compressed bytes; `None` for one that compression does not make short enough.
pub(super) type Compressed = Option<Arc<[u8]>>;

/// The compressed units of the images over one backing. What it gives depends on the unit alone.
#[derive(Debug, Default)]
pub(super) struct CommonUnits(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    new: HashMap<Key, Compressed>,
    old: HashMap<Key, Compressed>,
    new_bytes: usize,
}

impl CommonUnits {
    /// What `compress` makes of `unit`, or made of the same bytes before.
    pub(super) fn compressed<E>(
        &self,
        unit: &[u8; UNIT_BYTES],
        compress: impl FnOnce() -> Result<Compressed, E>,
    ) -> Result<Compressed, E> {
        let key = blake3::hash(unit).into();
        if let Some(known) = self.generations().get(&key) {
            return Ok(known);
        }
        let made = compress()?;
        self.generations().put(key, made.clone());
        Ok(made)
    }

    fn generations(&self) -> std::sync::MutexGuard<'_, Generations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn get(&mut self, key: &Key) -> Option<Compressed> {
        if let Some(known) = self.new.get(key) {
            return Some(known.clone());
        }
        let known = self.old.remove(key)?;
        self.put(*key, known.clone());
        Some(known)
    }

    fn put(&mut self, key: Key, compressed: Compressed) {
        let len_bytes = compressed.as_ref().map_or(0, |bytes| bytes.len());
        let size = len_bytes.saturating_add(ENTRY_BYTES);
        if self.new_bytes.saturating_add(size) > GENERATION_BYTES {
            self.old = std::mem::take(&mut self.new);
            self.new_bytes = 0;
        }
        self.new_bytes = self.new_bytes.saturating_add(size);
        self.new.insert(key, compressed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    /// A unit of its own for each number.
    fn unit(number: usize) -> [u8; UNIT_BYTES] {
        let mut unit = [0; UNIT_BYTES];
        unit[..8].copy_from_slice(&number.to_le_bytes());
        unit
    }

    /// How often it had to be compressed.
    fn times(units: &CommonUnits, number: usize) -> usize {
        let mut times = 0;
        let expected: Compressed = Some(vec![u8::try_from(number % 251).unwrap(); 2000].into());
        let made = units.compressed(&unit(number), || {
            times += 1;
            Ok::<_, Infallible>(expected.clone())
        });
        assert_eq!(made.unwrap(), expected);
        times
    }

    #[test]
    fn what_is_used_again_stays_and_the_rest_goes() {
        let units = CommonUnits::default();
        assert_eq!(times(&units, 0), 1);
        for number in 1..2000 {
            assert_eq!(times(&units, number), 1);
            assert_eq!(times(&units, 0), 0, "after {number}");
        }
        assert_eq!(times(&units, 1), 1);
        let held = units.generations();
        assert!((held.new.len() + held.old.len()) * 2000 < 2 * GENERATION_BYTES);
    }

    #[test]
    fn what_is_not_worth_it_is_remembered_too() {
        let units = CommonUnits::default();
        let none = || Ok::<_, Infallible>(None);
        assert_eq!(units.compressed(&unit(1), none).unwrap(), None);
        let again = || -> Result<Compressed, Infallible> { panic!("it is known") };
        assert_eq!(units.compressed(&unit(1), again).unwrap(), None);
    }
}
