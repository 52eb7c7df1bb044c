//! Sets of bytes of a file, as ranges of offsets.

use std::ops::Range;

/// The unit of a delta, [`UNIT_BYTES`](crate::block::UNIT_BYTES), as offsets are counted.
pub(super) const UNIT: u64 = 4096;

/// A set of byte offsets, held as ascending ranges that neither overlap nor touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranges(Vec<Range<u64>>);

impl Ranges {
    /// The set of every offset below `len_bytes`.
    pub fn whole(len_bytes: u64) -> Self {
        Self::of(0..len_bytes)
    }

    /// The set of the offsets in `range`.
    pub fn of(range: Range<u64>) -> Self {
        let mut set = Self::default();
        set.push(range);
        set
    }

    /// The union of `ranges`, which may come in any order and overlap.
    pub fn from_unsorted(ranges: impl IntoIterator<Item = Range<u64>>) -> Self {
        let mut sorted: Vec<Range<u64>> = ranges.into_iter().collect();
        sorted.sort_unstable_by_key(|range| range.start);
        let mut set = Self::default();
        for range in sorted {
            set.push(range);
        }
        set
    }

    /// Adds `range`, which must not begin before the last one that was added.
    pub fn push(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        match self.0.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => self.0.push(range),
        }
    }

    /// The ranges in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = Range<u64>> {
        self.0.iter().cloned()
    }

    /// How many bytes the set holds.
    pub fn total_bytes(&self) -> u64 {
        self.0
            .iter()
            .map(|range| range.end.saturating_sub(range.start))
            .fold(0, u64::saturating_add)
    }

    /// Whether the set holds any byte of `range`.
    pub fn overlaps(&self, range: &Range<u64>) -> bool {
        self.from(range.start)
            .next()
            .is_some_and(|first| first.start < range.end)
    }

    /// The set's ranges that end behind `offset_bytes`.
    pub fn from(&self, offset_bytes: u64) -> impl Iterator<Item = &Range<u64>> {
        let first = self.0.partition_point(|range| range.end <= offset_bytes);
        self.0.get(first..).unwrap_or_default().iter()
    }

    /// What of the set lies in `window`, in ascending order.
    pub fn within(&self, window: &Range<u64>) -> impl Iterator<Item = Range<u64>> {
        let (start, end) = (window.start, window.end);
        self.from(start)
            .take_while(move |range| range.start < end)
            .map(move |range| range.start.max(start)..range.end.min(end))
    }

    /// The bytes that are in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut both = Self::default();
        for range in &self.0 {
            for met in other.from(range.start) {
                if met.start >= range.end {
                    break;
                }
                both.push(met.start.max(range.start)..met.end.min(range.end));
            }
        }
        both
    }

    /// The bytes below `len_bytes` that are not in the set.
    #[must_use]
    pub fn complement(&self, len_bytes: u64) -> Self {
        let mut rest = Self::default();
        let mut free_from = 0;
        for range in &self.0 {
            rest.push(free_from..range.start.min(len_bytes));
            free_from = range.end;
        }
        rest.push(free_from..len_bytes);
        rest
    }

    /// The bytes of this set that are not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let end = self.0.last().map_or(0, |range| range.end);
        self.intersection(&other.complement(end))
    }

    /// The bytes that are in either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self::from_unsorted(self.iter().chain(other.iter()))
    }

    /// The set with every offset `by_bytes` greater.
    #[must_use]
    pub fn shifted(&self, by_bytes: u64) -> Self {
        let shifted =
            |range: Range<u64>| range.start.saturating_add(by_bytes)..range.end.saturating_add(by_bytes);
        Self(self.iter().map(shifted).collect())
    }

    /// The bytes of this set below `len_bytes`.
    #[must_use]
    pub fn below(&self, len_bytes: u64) -> Self {
        self.intersection(&Self::whole(len_bytes))
    }
}

/// The units that hold any byte of `range`.
pub(super) fn whole_units(range: &Range<u64>) -> Range<u64> {
    let first = range.start.saturating_sub(range.start % UNIT);
    first..range.end.checked_next_multiple_of(UNIT).unwrap_or(u64::MAX)
}

/// Cuts `range` into pieces of at most `piece_bytes`.
pub(super) fn pieces(range: &Range<u64>, piece_bytes: usize) -> impl Iterator<Item = Range<u64>> {
    let piece_bytes = u64::try_from(piece_bytes).unwrap_or(u64::MAX).max(1);
    let mut rest = range.clone();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.start.saturating_add(piece_bytes).min(rest.end);
        let piece = rest.start..end;
        rest.start = end;
        Some(piece)
    })
}

/// How many bytes `range` holds, as memory counts them.
pub(super) fn len_of(range: &Range<u64>) -> usize {
    usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn some_ranges() -> impl Strategy<Value = Ranges> {
        prop::collection::vec((0_u64..200, 0_u64..30), 0..12)
            .prop_map(|pairs| Ranges::from_unsorted(pairs.into_iter().map(|(start, len)| start..start + len)))
    }

    fn holds(set: &Ranges, byte: u64) -> bool {
        set.overlaps(&(byte..byte + 1))
    }

    proptest! {
        #[test]
        fn sets_of_ranges_obey_the_laws_of_sets(one in some_ranges(), two in some_ranges(), len in 0_u64..250) {
            for byte in 0..260 {
                let (in_one, in_two) = (holds(&one, byte), holds(&two, byte));
                prop_assert_eq!(holds(&one.union(&two), byte), in_one || in_two);
                prop_assert_eq!(holds(&one.intersection(&two), byte), in_one && in_two);
                prop_assert_eq!(holds(&one.difference(&two), byte), in_one && !in_two);
                prop_assert_eq!(holds(&one.complement(len), byte), byte < len && !in_one);
                prop_assert_eq!(holds(&one.below(len), byte), byte < len && in_one);
            }
            let counted = (0..260).filter(|byte| holds(&one, *byte)).count();
            prop_assert_eq!(one.total_bytes(), counted as u64);
        }
    }

    #[test]
    fn pieces_cover_a_range_once() {
        let cut: Vec<_> = pieces(&(3..10), 3).collect();
        assert_eq!(cut, [3..6, 6..9, 9..10]);
    }
}
