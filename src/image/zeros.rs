//! The BLAKE3 values of zeros, which an image behind its template is nearly full of.
//!
//! A chaining value depends on where its bytes lie, so that every stretch of zeros has another one, but the same in every
//! image: those of each 16 MiB of the first 64 GiB are known ahead, in a table. Leaves are hashed where they are asked for
//! one by one, since an image has data near them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::digest::{ChainingValue, LEAF, LEAF_BYTES, hash_leaf};

/// How many leaves make a stretch: 16 MiB, a whole subtree wherever it begins at a multiple of itself.
pub(super) const STRETCH: u64 = 256;
/// [`STRETCH`] as steps are counted.
pub(super) const STRETCH_LEAVES: usize = 256;

/// The value of every stretch, one after the other: each what `tests::joined` gives.
static TABLE: &[u8] = include_bytes!("zeros.blake3");

/// The value of the subtree over `leaves`, all zero, if it is a stretch of the table.
pub(super) fn subtree(leaves: &Range<u64>) -> Option<ChainingValue> {
    if leaves.end.saturating_sub(leaves.start) != STRETCH || !leaves.start.is_multiple_of(STRETCH) {
        return None;
    }
    let (values, _) = TABLE.as_chunks();
    values.get(usize::try_from(leaves.start / STRETCH).ok()?).copied()
}

/// The leaves of stretches that were asked for.
#[derive(Debug, Default)]
pub(super) struct ZeroLeaves(Mutex<BTreeMap<u64, Arc<[ChainingValue]>>>);

impl ZeroLeaves {
    /// The value of a leaf that is all zero.
    pub(super) fn get(&self, leaf: u64) -> ChainingValue {
        let stretch = leaf / STRETCH;
        let known = self.lock().get(&stretch).cloned();
        // Two threads may hash the same stretch; both get the same.
        let values = known.unwrap_or_else(|| {
            let values = hash_stretch(stretch);
            self.lock().insert(stretch, values.clone());
            values
        });
        let place = usize::try_from(leaf.wrapping_rem(STRETCH)).ok();
        let value = place.and_then(|place| values.get(place));
        *value.expect("a stretch has all of its leaves")
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Arc<[ChainingValue]>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash_stretch(stretch: u64) -> Arc<[ChainingValue]> {
    let zeros = vec![0; LEAF_BYTES];
    let first = stretch.saturating_mul(STRETCH);
    (first..first.saturating_add(STRETCH))
        .map(|leaf| hash_leaf(leaf.saturating_mul(LEAF), &zeros))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::digest;
    use super::*;

    /// What the table has to say of a stretch.
    fn joined(stretch: u64) -> ChainingValue {
        let leaves = ZeroLeaves::default();
        let first = stretch * STRETCH;
        digest::subtree(first..first + STRETCH, &|leaf| leaves.get(leaf), &|_| None)
    }

    #[test]
    fn the_table_says_what_hashing_gives() {
        assert_eq!(TABLE.len(), 4096 * 32);
        for stretch in [
            0, 1, 2, 3, 7, 8, 31, 100, 127, 128, 1000, 2047, 2048, 3333, 4094, 4095,
        ] {
            let first = stretch * STRETCH;
            assert_eq!(
                subtree(&(first..first + STRETCH)),
                Some(joined(stretch)),
                "{stretch}"
            );
        }
        let values: std::collections::BTreeSet<_> = TABLE.as_chunks::<32>().0.iter().collect();
        assert_eq!(values.len(), 4096);
    }

    #[test]
    fn only_whole_stretches_are_known() {
        for leaves in [0..255, 1..257, 256..511, 128..384, 4096 * 256..4097 * 256] {
            assert_eq!(subtree(&leaves), None, "{leaves:?}");
        }
    }
}
