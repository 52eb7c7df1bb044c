//! The BLAKE3 digest of a whole image, computed without reading the whole image.
//!
//! BLAKE3 is a tree over the input ([the paper], section 2.1): a subtree's chaining value depends on its bytes and on
//! where they lie, and on nothing else. So the leaves of the template are hashed once for all hosts, and the values of
//! zeros behind it are known; a host's own digest takes the leaves that it changed and the joining of values up to the root.
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

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::Range;
use std::str::FromStr;

use blake3::hazmat::{HasherExt as _, Mode, merge_subtrees_non_root, merge_subtrees_root};

use super::base_image::BaseImage;
use super::error::ImageError;
use super::ranges::len_of;
use super::zeros::{self, ZeroLeaves};
use crate::block::{BlockDevice as _, Delta};

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

    /// How many leaves of the base are known.
    fn count(&self) -> u64 {
        let leaves = self.levels.first().map_or(0, Vec::len);
        u64::try_from(leaves).unwrap_or(u64::MAX)
    }

    fn get(&self, leaf: u64) -> ChainingValue {
        let place = usize::try_from(leaf).ok();
        let known = self.levels.first().zip(place);
        let value = known.and_then(|(leaves, place)| leaves.get(place)).copied();
        value.flatten().unwrap_or_else(|| self.zeros.get(leaf))
    }

    /// The value over `leaves`, if they are all the base's, and a power of two from a multiple of it on.
    fn subtree(&self, leaves: &Range<u64>) -> Option<ChainingValue> {
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

impl BaseImage {
    /// The digest of the image that differs from this base by `delta`, as if the whole image were read.
    pub fn digest(&self, delta: &Delta) -> Result<Blake3Digest, ImageError> {
        let len_bytes = delta.len_bytes();
        if len_bytes <= LEAF {
            let mut bytes = vec![0; len_of(&(0..len_bytes))];
            delta.read_at(self, 0, &mut bytes)?;
            return Ok(Blake3Digest(blake3::hash(&bytes)));
        }
        let own = self.own_leaves(delta)?;
        let known = self.leaves();
        let value = |leaf: u64| own.get(&leaf).copied().unwrap_or_else(|| known.get(leaf));
        let whole = |leaves: &Range<u64>| {
            if own.range(leaves.clone()).next().is_some() {
                return None;
            }
            let is_zero = leaves.start >= known.count();
            if is_zero {
                zeros::subtree(leaves)
            } else {
                known.subtree(leaves)
            }
        };
        let leaves = len_bytes.div_ceil(LEAF);
        let left = left_leaves(leaves);
        let left_value = subtree(0..left, &value, &whole);
        let right_value = subtree(left..leaves, &value, &whole);
        Ok(Blake3Digest(merge_subtrees_root(
            &left_value,
            &right_value,
            Mode::Hash,
        )))
    }

    /// The leaves of the image whose bytes are not those of the base's leaf of the same place.
    fn own_leaves(&self, delta: &Delta) -> Result<BTreeMap<u64, ChainingValue>, ImageError> {
        let len_bytes = delta.len_bytes();
        let mut own = BTreeMap::new();
        let mut buffer = vec![0; LEAF_BYTES];
        let changed = delta.units().map(|(offset, _)| offset / LEAF);
        let cut = leaves_of(&(delta.base_end_bytes()..self.len_bytes().min(len_bytes)));
        let tail = len_bytes / LEAF..len_bytes.div_ceil(LEAF);
        // Nothing, unless the base could not be read as a whole.
        let unknown = self.leaves().count()..self.len_bytes().div_ceil(LEAF);
        for leaf in changed.chain(cut).chain(tail).chain(unknown) {
            let start = leaf.saturating_mul(LEAF);
            if start >= len_bytes || own.contains_key(&leaf) {
                continue;
            }
            let range = start..start.saturating_add(LEAF).min(len_bytes);
            let bytes = buffer
                .get_mut(..len_of(&range))
                .expect("a leaf is no longer than the buffer");
            delta.read_at(self, start, bytes)?;
            own.insert(leaf, hash_leaf(start, bytes));
        }
        Ok(own)
    }
}

/// The leaves that hold any byte of `range`.
fn leaves_of(range: &Range<u64>) -> Range<u64> {
    if range.is_empty() {
        return 0..0;
    }
    range.start / LEAF..range.end.div_ceil(LEAF)
}

/// How many of `leaves`, at least two, belong to the left part of a tree.
fn left_leaves(leaves: u64) -> u64 {
    leaves.div_ceil(2).next_power_of_two()
}

/// The chaining value of the subtree over `leaves`, of which there is at least one: what `whole` knows of it, else joined
/// from what `value` gives for each leaf.
pub(super) fn subtree(
    leaves: Range<u64>,
    value: &impl Fn(u64) -> ChainingValue,
    whole: &impl Fn(&Range<u64>) -> Option<ChainingValue>,
) -> ChainingValue {
    let count = leaves.end.saturating_sub(leaves.start);
    if count <= 1 {
        return value(leaves.start);
    }
    if let Some(known) = whole(&leaves) {
        return known;
    }
    let middle = leaves.start.saturating_add(left_leaves(count));
    let (left, right) = (
        subtree(leaves.start..middle, value, whole),
        subtree(middle..leaves.end, value, whole),
    );
    merge_subtrees_non_root(&left, &right, Mode::Hash)
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
    use super::super::Ranges;
    use super::*;
    use crate::block::{FileDevice, Overlay};
    use proptest::prelude::*;
    use std::io::Write as _;
    use std::sync::Arc;

    /// A base file with data at some places, made of the bytes that the places name.
    fn base_file(len: u64, data: &[(u64, u8)]) -> Arc<FileDevice> {
        let mut file = tempfile::tempfile().unwrap();
        let mut bytes = vec![0; len as usize];
        for (place, fill) in data {
            let start = (*place).min(len) as usize;
            let end = bytes.len().min(start + 5000);
            bytes[start..end].fill(*fill);
        }
        file.write_all(&bytes).unwrap();
        Arc::new(FileDevice::from_file(file, false).unwrap())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]
        #[test]
        fn the_digest_is_that_of_the_whole_image(
            len in 0_u64..600_000,
            data in prop::collection::vec((0_u64..600_000, any::<u8>()), 0..8),
            free in prop::collection::vec((0_u64..600_000, 0_u64..90_000), 0..4),
            cut in prop::option::of(0_u64..600_000),
            new_len in 0_u64..1_200_000,
            writes in prop::collection::vec((0_u64..1_200_000, any::<u8>()), 0..8),
        ) {
            let free = Ranges::from_unsorted(free.into_iter().map(|(start, len)| start..start + len));
            let used = free.complement(u64::MAX);
            let base = Arc::new(BaseImage::scan(base_file(len, &data), &used).unwrap());
            let overlay = Overlay::new(base.clone());
            if let Some(cut) = cut {
                overlay.set_len_bytes(cut).unwrap();
            }
            overlay.set_len_bytes(new_len).unwrap();
            for (place, fill) in writes {
                if place + 3000 <= new_len {
                    overlay.write_at(place, &[fill; 3000]).unwrap();
                }
            }
            let delta = overlay.finish().unwrap();
            let mut whole = vec![0; new_len as usize];
            delta.read_at(&*base, 0, &mut whole).unwrap();
            prop_assert_eq!(base.digest(&delta).unwrap().to_string(), blake3::hash(&whole).to_string());
        }
    }

    #[test]
    fn the_digest_of_a_long_image_is_that_of_all_its_zeros() {
        // The second of the base's whole stretches of 16 MiB is all zero, and has a byte of the image's own.
        for (base_len, own) in [(300_000, 40 << 20), ((50 << 20) + 300, 20 << 20)] {
            let data = [(70_000, 5), (34 << 20, 6)];
            let data = &data[..if base_len > 34 << 20 { 2 } else { 1 }];
            let base = base_file(base_len, data);
            let base = Arc::new(BaseImage::scan(base, &Ranges::whole(u64::MAX)).unwrap());
            for own in [None, Some(own + 77)] {
                let overlay = Overlay::new(base.clone());
                overlay.set_len_bytes(83 << 20).unwrap();
                if let Some(own) = own {
                    overlay.write_at(own, &[3]).unwrap();
                }
                let delta = overlay.finish().unwrap();
                let mut whole = vec![0; 83 << 20];
                delta.read_at(&*base, 0, &mut whole).unwrap();
                let expected = blake3::hash(&whole).to_string();
                assert_eq!(base.digest(&delta).unwrap().to_string(), expected);
            }
        }
    }

    #[test]
    fn the_left_part_is_the_largest_power_of_two_that_leaves_something() {
        let lefts: Vec<u64> = (2..10).map(left_leaves).collect();
        assert_eq!(lefts, [1, 2, 2, 4, 4, 4, 4, 8]);
    }
}
