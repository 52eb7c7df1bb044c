//! The BLAKE3 values of zeros, which an image behind its template is nearly full of.
//!
//! A chaining value depends on where its bytes lie, so that every stretch of zeros has another one, but the same in every
//! image: those of each MiB of the first 4 GiB, and of each 16 MiB of the first 64 GiB, are known ahead, in tables. Leaves
//! are hashed where they are asked for one by one, since an image has data near them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::digest::{ChainingValue, LEAF, LEAF_BYTES, hash_leaf};

/// The values of all stretches of one length from the first leaf on.
struct Table {
    /// How many leaves a stretch has: a whole subtree wherever it begins at a multiple of that.
    leaves: u64,
    values: &'static [u8],
}

/// Each value is what `tests::joined` gives.
static TABLES: [Table; 2] = [
    Table {
        leaves: SHORT,
        values: include_bytes!("zeros-1M.blake3"),
    },
    Table {
        leaves: 256,
        values: include_bytes!("zeros-16M.blake3"),
    },
];

/// How many leaves the shortest stretches have: 1 MiB.
const SHORT: u64 = 16;

impl Table {
    /// The stretch's value, if `leaves` are one of the table.
    fn get(&self, leaves: &Range<u64>) -> Option<ChainingValue> {
        if leaves.end.saturating_sub(leaves.start) != self.leaves || !leaves.start.is_multiple_of(self.leaves)
        {
            return None;
        }
        let (values, _) = self.values.as_chunks();
        let place = leaves.start.checked_div(self.leaves)?;
        values.get(usize::try_from(place).ok()?).copied()
    }
}

/// The value of the subtree over `leaves`, all zero, if it is a stretch of a table.
pub(super) fn subtree(leaves: &Range<u64>) -> Option<ChainingValue> {
    TABLES.iter().find_map(|table| table.get(leaves))
}

/// The leaves of the stretch that holds `leaf`: the shortest that a table knows, or would know if it went on.
pub(super) fn stretch(leaf: u64) -> Range<u64> {
    let around = |len: u64| {
        let start = leaf.saturating_sub(leaf.checked_rem(len).unwrap_or(0));
        start..start.saturating_add(len)
    };
    let mut stretches = TABLES.iter().map(|table| around(table.leaves));
    let known = stretches.find(|leaves| subtree(leaves).is_some());
    known.unwrap_or_else(|| around(SHORT))
}

/// The leaves of stretches that were asked for.
#[derive(Debug, Default)]
pub(super) struct ZeroLeaves(Mutex<BTreeMap<u64, Arc<[ChainingValue]>>>);

impl ZeroLeaves {
    /// The value of a leaf that is all zero.
    pub(super) fn get(&self, leaf: u64) -> ChainingValue {
        let stretch = leaf / SHORT;
        let known = self.lock().get(&stretch).cloned();
        // Two threads may hash the same stretch; both get the same.
        let values = known.unwrap_or_else(|| {
            let values = hash_stretch(stretch);
            self.lock().insert(stretch, values.clone());
            values
        });
        let place = usize::try_from(leaf.wrapping_rem(SHORT)).ok();
        let value = place.and_then(|place| values.get(place));
        *value.expect("a stretch has all of its leaves")
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Arc<[ChainingValue]>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash_stretch(stretch: u64) -> Arc<[ChainingValue]> {
    let zeros = vec![0; LEAF_BYTES];
    let first = stretch.saturating_mul(SHORT);
    (first..first.saturating_add(SHORT))
        .map(|leaf| hash_leaf(leaf.saturating_mul(LEAF), &zeros))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::digest::Tree;
    use super::*;

    /// Zeros without a table.
    struct Zeros(ZeroLeaves);

    impl Tree for Zeros {
        fn leaf(&self, leaf: u64) -> ChainingValue {
            self.0.get(leaf)
        }

        fn whole(&self, _: &Range<u64>) -> Option<ChainingValue> {
            None
        }
    }

    /// What a table has to say of a stretch.
    fn joined(leaves: &Range<u64>) -> ChainingValue {
        Zeros(ZeroLeaves::default()).subtree(leaves.clone(), &mut |_, _| ())
    }

    #[test]
    fn the_tables_say_what_hashing_gives() {
        for table in &TABLES {
            assert_eq!(table.values.len(), 4096 * 32);
            for stretch in [
                0, 1, 2, 3, 7, 8, 31, 100, 127, 128, 1000, 2047, 2048, 3333, 4094, 4095,
            ] {
                let first = stretch * table.leaves;
                let leaves = first..first + table.leaves;
                assert_eq!(subtree(&leaves), Some(joined(&leaves)), "{leaves:?}");
            }
            let values: std::collections::BTreeSet<_> = table.values.as_chunks::<32>().0.iter().collect();
            assert_eq!(values.len(), 4096);
        }
    }

    #[test]
    fn only_whole_stretches_are_known() {
        for leaves in [
            0..255,
            1..257,
            256..511,
            128..384,
            4096 * 256..4097 * 256,
            8..24,
            0..32,
        ] {
            assert_eq!(subtree(&leaves), None, "{leaves:?}");
        }
    }

    #[test]
    fn a_leaf_lies_in_the_shortest_stretch_that_is_known() {
        assert_eq!(stretch(0), 0..16);
        assert_eq!(stretch(65_535), 65_520..65_536);
        assert_eq!(stretch(65_536), 65_536..65_792);
        assert_eq!(stretch(4096 * 256 + 300), 4096 * 256 + 288..4096 * 256 + 304);
    }
}
