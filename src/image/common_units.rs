//! Compressed units that many images over one backing have in common: the bitmaps and tables of the grown file system,
//! the list of all machines, the users' files. Each is compressed once.
//!
//! Units that images share in memory, as those of the file system that they all start from, are told by where they lie;
//! the others by their digests. Of these, what was used last is kept ([`Generations`]), so that what is used again and
//! again stays, and what belongs to one image alone does not pile up.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::generations::Generations;
use crate::block::Unit;

/// How many compressed bytes a generation holds, with what it takes to remember a unit.
const GENERATION_BYTES: usize = 256 << 10;

/// What remembering a unit takes beside its bytes, roughly.
const ENTRY_BYTES: usize = 96;

/// The digest of a unit's bytes.
type Key = [u8; 32];

/// A unit's compressed bytes; `None` for one that compression does not make short enough.
pub(super) type Compressed = Option<Arc<[u8]>>;

/// How many units are known by where they lie.
const MOST_SHARED: usize = 1024;

/// The compressed units of the images over one backing. What it gives depends on the unit alone.
#[derive(Debug, Default)]
pub(super) struct CommonUnits(Mutex<Known>);

#[derive(Debug)]
struct Known {
    by_digest: Generations<Key, Compressed>,
    /// Units that images share in memory, by their offset: they are known without being looked at.
    shared: HashMap<u64, (Unit, Compressed)>,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            by_digest: Generations::new(GENERATION_BYTES),
            shared: HashMap::new(),
        }
    }
}

impl CommonUnits {
    /// What `compress` makes of `unit`, which lies at `offset_bytes`, or made of the same bytes before.
    pub(super) fn compressed<E>(
        &self,
        offset_bytes: u64,
        unit: &Unit,
        compress: impl FnOnce() -> Result<Compressed, E>,
    ) -> Result<Compressed, E> {
        if let Some((known, compressed)) = self.known().shared.get(&offset_bytes)
            && Arc::ptr_eq(known, unit)
        {
            return Ok(compressed.clone());
        }
        let key = blake3::hash(&**unit).into();
        let found = self.known().by_digest.get(key, weight);
        let is_new = found.is_none();
        let made = match found {
            Some(found) => found,
            None => compress()?,
        };
        let mut known = self.known();
        known.share(offset_bytes, unit, &made);
        if is_new {
            known.by_digest.put(key, made.clone(), weight(&made));
        }
        Ok(made)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Remembers `unit` by its place, if other images have it too.
    fn share(&mut self, offset_bytes: u64, unit: &Unit, compressed: &Compressed) {
        // One that no other image has yet may be changed, and goes with its image.
        let is_shared = Arc::strong_count(unit) > 1;
        if is_shared && (self.shared.len() < MOST_SHARED || self.shared.contains_key(&offset_bytes)) {
            let entry = (Arc::clone(unit), compressed.clone());
            self.shared.insert(offset_bytes, entry);
        }
    }
}

/// How much of a generation a unit takes.
fn weight(compressed: &Compressed) -> usize {
    let len_bytes = compressed.as_ref().map_or(0, |bytes| bytes.len());
    len_bytes.saturating_add(ENTRY_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::UNIT_BYTES;
    use std::convert::Infallible;

    /// A unit of its own for each number.
    fn unit(number: usize) -> Unit {
        let mut unit = [0; UNIT_BYTES];
        unit[..8].copy_from_slice(&number.to_le_bytes());
        unit.into()
    }

    /// How often it had to be compressed.
    fn times(units: &CommonUnits, number: usize) -> usize {
        let mut times = 0;
        let expected: Compressed = Some(vec![u8::try_from(number % 251).unwrap(); 2000].into());
        let made = units.compressed(0, &unit(number), || {
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
        let held = &units.known().by_digest;
        assert!(held.len() * 2000 < 2 * GENERATION_BYTES);
    }

    #[test]
    fn a_shared_unit_is_told_by_its_place() {
        let units = CommonUnits::default();
        let compressed = |offset, unit: &Unit| {
            let number = unit[0];
            let make = || Ok::<_, Infallible>(Some(vec![number].into()));
            units.compressed(offset, unit, make).unwrap().unwrap()[0]
        };
        let [one, other, alone] = [1, 2, 3].map(unit);
        let _other_images = (one.clone(), other.clone());
        for (offset, unit) in [
            (0, &one),
            (0, &one),
            (4096, &one),
            (0, &other),
            (0, &one),
            (8192, &alone),
        ] {
            assert_eq!(compressed(offset, unit), unit[0]);
        }
        let known = units.known();
        assert_eq!(known.shared.len(), 2);
        assert!(known.shared.values().all(|(unit, _)| Arc::ptr_eq(unit, &one)));
    }

    #[test]
    fn what_is_not_worth_it_is_remembered_too() {
        let units = CommonUnits::default();
        let none = || Ok::<_, Infallible>(None);
        assert_eq!(units.compressed(0, &unit(1), none).unwrap(), None);
        let again = || -> Result<Compressed, Infallible> { panic!("it is known") };
        assert_eq!(units.compressed(0, &unit(1), again).unwrap(), None);
    }
}
