//! The BLAKE3 digest of a whole image, computed without reading the whole image.
//!
//! BLAKE3 is a tree over the input ([the paper], section 2.1): a subtree's chaining value depends on its bytes and on
//! where they lie, and on nothing else. So the leaves of the template are hashed once for all hosts, and the values of
//! zeros behind it are known; a host's own digest takes the leaves that it changed and the joining of values up to the root
//! ([`CommonDigest`](super::CommonDigest)).
//!
//! ```text
//!               root
//!            /        \            left-balanced: the left part is the largest power of two of leaves
//!         o              o         that leaves something for the right
//!       /   \          /   \
//!    [leaf][leaf*]  [leaf][tail]   64 KiB each, * changed by the host; the tail may be shorter
//! ```
//!
//! [the paper]: https://github.com/BLAKE3-team/BLAKE3-specs/blob/master/blake3.pdf

use std::fmt;
use std::io;
use std::ops::Range;
use std::str::FromStr;

use blake3::hazmat::{HasherExt as _, Mode, merge_subtrees_non_root, merge_subtrees_root};

use super::ranges::len_of;
use super::zeros::{self, ZeroLeaves};

/// How many bytes make a leaf: a power of two of BLAKE3's chunks.
pub(super) const LEAF_BYTES: usize = 65_536;

/// [`LEAF_BYTES`] as offsets are counted.
pub(super) const LEAF: u64 = 65_536;

/// The value of a subtree that is not the root.
pub(super) type ChainingValue = blake3::hazmat::ChainingValue;

/// The BLAKE3 digest of a file, as `b3sum` prints it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Blake3Digest(blake3::Hash);

impl Blake3Digest {
    /// The digest of everything that `reader` yields.
    pub fn of_reader(reader: impl io::Read) -> io::Result<Self> {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(reader)?;
        Ok(Self(hasher.finalize()))
    }

    /// Takes a digest that was computed in another way.
    pub(super) fn of_hash(hash: blake3::Hash) -> Self {
        Self(hash)
    }
}

/// The chaining values of the leaves of a base, what they are joined to, and those of the zeros behind it.
#[derive(Debug, Default)]
pub(super) struct LeafHashes {
    /// The first level are the leaves; each one after it joins pairs of the level before, as long as they are whole.
    /// What lies in a stretch of zeros has no value below that of the stretch.
    levels: Vec<Vec<Option<ChainingValue>>>,
    zeros: ZeroLeaves,
}

impl LeafHashes {
    /// Takes the values of the base's leaves from the first on, each hashed as a whole leaf; nothing for those of a
    /// stretch whose value [`zeros::subtree`] knows.
    pub(super) fn new(leaves: Vec<Option<ChainingValue>>) -> Self {
        let mut levels = Vec::new();
        let mut level = leaves;
        let mut width = 1_u64;
        while !level.is_empty() {
            width = width.saturating_mul(2);
            let (pairs, _) = level.as_chunks();
            let above = (0_u64..).step_by(len_of(&(0..width))).zip(pairs);
            let above = above.map(|(start, pair)| match pair {
                [Some(left), Some(right)] => Some(merge_subtrees_non_root(left, right, Mode::Hash)),
                _ => zeros::subtree(&(start..start.saturating_add(width))),
            });
            let above = above.collect();
            levels.push(std::mem::replace(&mut level, above));
        }
        Self {
            levels,
            zeros: ZeroLeaves::default(),
        }
    }

    /// The values that [`LeafHashes::new`] was given.
    pub(super) fn leaves(&self) -> &[Option<ChainingValue>] {
        self.levels.first().map_or(&[], Vec::as_slice)
    }

    /// How many leaves of the base are known.
    pub(super) fn count(&self) -> u64 {
        u64::try_from(self.leaves().len()).unwrap_or(u64::MAX)
    }

    pub(super) fn get(&self, leaf: u64) -> ChainingValue {
        let place = usize::try_from(leaf).ok();
        let value = place.and_then(|place| self.leaves().get(place)).copied();
        value.flatten().unwrap_or_else(|| self.zeros.get(leaf))
    }

    /// The value over `leaves`, if they are all the base's or all behind it, and known as a whole.
    pub(super) fn subtree(&self, leaves: &Range<u64>) -> Option<ChainingValue> {
        if leaves.start >= self.count() {
            return zeros::subtree(leaves);
        }
        let count = leaves.end.saturating_sub(leaves.start);
        if !count.is_power_of_two() || !leaves.start.is_multiple_of(count) {
            return None;
        }
        let level = self.levels.get(usize::try_from(count.ilog2()).ok()?)?;
        let place = usize::try_from(leaves.start.checked_div(count)?).ok()?;
        level.get(place).copied().flatten()
    }
}

/// The chaining value of the leaf that begins at `offset_bytes`.
pub(super) fn hash_leaf(offset_bytes: u64, bytes: &[u8]) -> ChainingValue {
    let mut hasher = blake3::Hasher::new();
    hasher.set_input_offset(offset_bytes);
    hasher.update(bytes);
    hasher.finalize_non_root()
}

/// How many of `leaves`, at least two, belong to the left part of a tree.
fn left_leaves(leaves: u64) -> u64 {
    leaves.div_ceil(2).next_power_of_two()
}

/// The chaining value over neighbours of one length, of which there are a power of two.
pub(super) fn join(values: &[ChainingValue]) -> ChainingValue {
    if let [] | [_] = values {
        return values.first().copied().unwrap_or_default();
    }
    let (left, right) = values.split_at(values.len() / 2);
    merge_subtrees_non_root(&join(left), &join(right), Mode::Hash)
}

/// A hash tree as far as it is known.
pub(super) trait Tree {
    /// The chaining value of one leaf.
    fn leaf(&self, leaf: u64) -> ChainingValue;

    /// The chaining value over `leaves`, if that is known without looking at each.
    fn whole(&self, leaves: &Range<u64>) -> Option<ChainingValue>;

    /// The chaining value over `leaves`, of which there is at least one; `note` hears of every part that had to be joined.
    fn subtree(&self, leaves: Range<u64>, note: &mut dyn FnMut(&Range<u64>, ChainingValue)) -> ChainingValue {
        let count = leaves.end.saturating_sub(leaves.start);
        if count <= 1 {
            return self.leaf(leaves.start);
        }
        if let Some(known) = self.whole(&leaves) {
            return known;
        }
        let middle = leaves.start.saturating_add(left_leaves(count));
        let left = self.subtree(leaves.start..middle, note);
        let right = self.subtree(middle..leaves.end, note);
        let joined = merge_subtrees_non_root(&left, &right, Mode::Hash);
        note(&leaves, joined);
        joined
    }

    /// The digest over all `leaves`, of which there are at least two.
    fn root(&self, leaves: u64, note: &mut dyn FnMut(&Range<u64>, ChainingValue)) -> Blake3Digest {
        let middle = left_leaves(leaves);
        let left = self.subtree(0..middle, note);
        let right = self.subtree(middle..leaves, note);
        Blake3Digest(merge_subtrees_root(&left, &right, Mode::Hash))
    }
}

impl fmt::Display for Blake3Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

impl fmt::Debug for Blake3Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "\"{self}\"")
    }
}

impl FromStr for Blake3Digest {
    type Err = blake3::HexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        blake3::Hash::from_hex(text).map(Self)
    }
}

impl serde::Serialize for Blake3Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Blake3Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_left_part_is_the_largest_power_of_two_that_leaves_something() {
        let lefts: Vec<u64> = (2..10).map(left_leaves).collect();
        assert_eq!(lefts, [1, 2, 2, 4, 4, 4, 4, 8]);
    }
}
