//! The digests of many images that have most in common: what is the same in all of them is hashed and joined once.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::base_image::BaseImage;
use super::digest::{Blake3Digest, ChainingValue, LEAF, LEAF_BYTES, LeafHashes, Tree, hash_leaf, join};
use super::error::ImageError;
use super::ranges::len_of;
use crate::block::{BlockDevice as _, Delta, UNIT_BYTES};

/// How many units a leaf has.
const LEAF_UNITS: usize = LEAF_BYTES / UNIT_BYTES;

/// Of how many leaves the values of the units are kept: half a kibibyte each.
const MOST_LEAVES: usize = 2048;

/// The hash tree of an image that others were made from: those that differ from it in little take little.
#[derive(Debug)]
pub struct CommonDigest {
    base: Arc<BaseImage>,
    /// What the image differs in from the base.
    common: Delta,
    /// The values of the leaves that are not the base's.
    leaves: BTreeMap<u64, ChainingValue>,
    /// The values of the parts of the tree over them, by first leaf and the one behind the last.
    parts: BTreeMap<(u64, u64), ChainingValue>,
    /// The values of the units of leaves in which some image differed: nearly all images differ in the same.
    units: Mutex<BTreeMap<u64, Units>>,
}

/// The values of the units of a leaf.
type Units = [ChainingValue; LEAF_UNITS];

/// The tree of one image.
struct ImageTree<'a> {
    base: &'a LeafHashes,
    /// What it has in common with others.
    common: Option<&'a CommonDigest>,
    own: BTreeMap<u64, ChainingValue>,
}

impl CommonDigest {
    /// Hashes what the image that differs from `base` by `common` has of its own.
    pub fn new(base: Arc<BaseImage>, common: Delta) -> Result<Self, ImageError> {
        let leaves = common.len_bytes().div_ceil(LEAF);
        let mut made = Self::nothing(base, common);
        if leaves > 1 {
            let tree = made.tree(&made.common)?;
            let mut parts = BTreeMap::new();
            tree.root(leaves, &mut |leaves, value| {
                parts.insert((leaves.start, leaves.end), value);
            });
            made.leaves = tree.own;
            made.parts = parts;
        }
        Ok(made)
    }

    /// Gives the digests of images over `base` each by itself.
    pub(super) fn nothing(base: Arc<BaseImage>, common: Delta) -> Self {
        Self {
            base,
            common,
            leaves: BTreeMap::new(),
            parts: BTreeMap::new(),
            units: Mutex::default(),
        }
    }

    /// The digest of the image that differs from the base by `delta`, as if the whole image were read.
    pub fn digest(&self, delta: &Delta) -> Result<Blake3Digest, ImageError> {
        let len_bytes = delta.len_bytes();
        if len_bytes <= LEAF {
            let mut bytes = vec![0; len_of(&(0..len_bytes))];
            delta.read_at(&*self.base, 0, &mut bytes)?;
            return Ok(Blake3Digest::of_hash(blake3::hash(&bytes)));
        }
        let tree = self.tree(delta)?;
        Ok(tree.root(len_bytes.div_ceil(LEAF), &mut |_, _| ()))
    }

    fn tree(&self, delta: &Delta) -> Result<ImageTree<'_>, ImageError> {
        let is_alike = !self.parts.is_empty()
            && delta.len_bytes() == self.common.len_bytes()
            && delta.base_end_bytes() == self.common.base_end_bytes();
        let own = if is_alike {
            self.hashed_by_units(delta)?
        } else {
            self.hashed(delta, self.changed(delta))?
        };
        Ok(ImageTree {
            base: self.base.leaves(),
            common: is_alike.then_some(self),
            own,
        })
    }

    /// The values of the leaves in which the image differs from the common one, where both cut the base at the same place.
    fn hashed_by_units(&self, delta: &Delta) -> Result<BTreeMap<u64, ChainingValue>, ImageError> {
        let mut changed: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for offset in self.differing(delta) {
            changed.entry(offset / LEAF).or_default().push(offset);
        }
        let is_whole = |leaf: u64| leaf.saturating_add(1).saturating_mul(LEAF) <= delta.len_bytes();
        let mut own = self.hashed(delta, changed.keys().copied().filter(|leaf| !is_whole(*leaf)))?;
        let mut bytes = [0; UNIT_BYTES];
        for (leaf, offsets) in changed.into_iter().filter(|(leaf, _)| is_whole(*leaf)) {
            let mut values = self.units_of(leaf)?;
            for offset in offsets {
                delta.read_at(&*self.base, offset, &mut bytes)?;
                let place = len_of(&(leaf.saturating_mul(LEAF)..offset)) / UNIT_BYTES;
                *values.get_mut(place).expect("a unit lies in its leaf") = hash_leaf(offset, &bytes);
            }
            own.insert(leaf, join(&values));
        }
        Ok(own)
    }

    /// Where the units lie in which the image differs from the common one.
    fn differing<'a>(&'a self, delta: &'a Delta) -> impl Iterator<Item = u64> + 'a {
        let is_new = |(offset, unit): &(u64, &_)| self.common.unit(*offset) != Some(unit);
        let new = delta.units().filter(is_new);
        let gone = self
            .common
            .units()
            .filter(|(offset, _)| !delta.is_changed(*offset));
        new.chain(gone).map(|(offset, _)| offset)
    }

    /// The values of the units of a whole leaf of the common image.
    fn units_of(&self, leaf: u64) -> Result<Units, ImageError> {
        if let Some(known) = self.units().get(&leaf) {
            return Ok(*known);
        }
        let start = leaf.saturating_mul(LEAF);
        let mut bytes = vec![0; LEAF_BYTES];
        self.common.read_at(&*self.base, start, &mut bytes)?;
        let mut values = [ChainingValue::default(); LEAF_UNITS];
        let offsets = (start..).step_by(UNIT_BYTES);
        for ((value, bytes), offset) in values.iter_mut().zip(bytes.chunks(UNIT_BYTES)).zip(offsets) {
            *value = hash_leaf(offset, bytes);
        }
        let mut known = self.units();
        if known.len() < MOST_LEAVES {
            known.insert(leaf, values);
        }
        Ok(values)
    }

    fn units(&self) -> MutexGuard<'_, BTreeMap<u64, Units>> {
        self.units.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The leaves whose bytes may not be those of the base's leaf of the same place.
    fn changed<'a>(&'a self, delta: &'a Delta) -> impl Iterator<Item = u64> + 'a {
        let len_bytes = delta.len_bytes();
        let base_len_bytes = self.base.len_bytes();
        let changed = delta.units().map(|(offset, _)| offset / LEAF);
        let cut = leaves_of(&(delta.base_end_bytes()..base_len_bytes.min(len_bytes)));
        let tail = len_bytes / LEAF..len_bytes.div_ceil(LEAF);
        // Nothing, unless the base could not be read as a whole.
        let unknown = self.base.leaves().count()..base_len_bytes.div_ceil(LEAF);
        changed.chain(cut).chain(tail).chain(unknown)
    }

    /// The values of those of `leaves` that the image has.
    fn hashed(
        &self,
        delta: &Delta,
        leaves: impl Iterator<Item = u64>,
    ) -> Result<BTreeMap<u64, ChainingValue>, ImageError> {
        let len_bytes = delta.len_bytes();
        let mut own = BTreeMap::new();
        let mut buffer = vec![0; LEAF_BYTES];
        for leaf in leaves {
            let start = leaf.saturating_mul(LEAF);
            if start >= len_bytes || own.contains_key(&leaf) {
                continue;
            }
            let range = start..start.saturating_add(LEAF).min(len_bytes);
            let bytes = buffer
                .get_mut(..len_of(&range))
                .expect("a leaf is no longer than the buffer");
            delta.read_at(&*self.base, start, bytes)?;
            own.insert(leaf, hash_leaf(start, bytes));
        }
        Ok(own)
    }
}

impl Tree for ImageTree<'_> {
    fn leaf(&self, leaf: u64) -> ChainingValue {
        let common = || self.common?.leaves.get(&leaf).copied();
        let own = self.own.get(&leaf).copied();
        own.or_else(common).unwrap_or_else(|| self.base.get(leaf))
    }

    fn whole(&self, leaves: &Range<u64>) -> Option<ChainingValue> {
        if self.own.range(leaves.clone()).next().is_some() {
            return None;
        }
        let common = self.common.and_then(|common| {
            let part = (leaves.start, leaves.end);
            common.parts.get(&part).copied()
        });
        common.or_else(|| self.base.subtree(leaves))
    }
}

/// The leaves that hold any byte of `range`.
fn leaves_of(range: &Range<u64>) -> Range<u64> {
    if range.is_empty() {
        return 0..0;
    }
    range.start / LEAF..range.end.div_ceil(LEAF)
}

#[cfg(test)]
mod tests {
    use super::super::Ranges;
    use super::*;
    use crate::block::{FileDevice, Overlay};
    use proptest::prelude::*;
    use std::io::Write as _;

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

    /// What digests by itself.
    fn plain(base: &Arc<BaseImage>) -> CommonDigest {
        let unchanged = Overlay::new(base.clone()).finish().unwrap();
        CommonDigest::nothing(base.clone(), unchanged)
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
            common in 0_usize..9,
            own_len in prop::option::of(0_u64..1_200_000),
        ) {
            let free = Ranges::from_unsorted(free.into_iter().map(|(start, len)| start..start + len));
            let used = free.complement(u64::MAX);
            let base = Arc::new(BaseImage::scan(base_file(len, &data), &used).unwrap());
            let overlay = Overlay::new(base.clone());
            if let Some(cut) = cut {
                overlay.set_len_bytes(cut).unwrap();
            }
            overlay.set_len_bytes(new_len).unwrap();
            let write = |overlay: &Overlay, writes: &[(u64, u8)]| {
                for (place, fill) in writes {
                    if place + 3000 <= overlay.len_bytes() {
                        overlay.write_at(*place, &[*fill; 3000]).unwrap();
                    }
                }
            };
            // What the image has in common with others is written before it is forked from them.
            let (common, own) = writes.split_at(common.min(writes.len()));
            write(&overlay, common);
            let common = CommonDigest::new(base.clone(), overlay.fork().finish().unwrap()).unwrap();
            let overlay = overlay.fork();
            if let Some(own_len) = own_len {
                overlay.set_len_bytes(own_len).unwrap();
            }
            write(&overlay, own);
            let new_len = overlay.len_bytes();
            let delta = overlay.finish().unwrap();
            let mut whole = vec![0; new_len as usize];
            delta.read_at(&*base, 0, &mut whole).unwrap();
            let expected = blake3::hash(&whole).to_string();
            prop_assert_eq!(common.digest(&delta).unwrap().to_string(), expected.clone());
            prop_assert_eq!(plain(&base).digest(&delta).unwrap().to_string(), expected);
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
            let grown = Overlay::new(base.clone());
            grown.set_len_bytes(83 << 20).unwrap();
            grown.write_at(60 << 20, &[4]).unwrap();
            let common = CommonDigest::new(base.clone(), grown.fork().finish().unwrap()).unwrap();
            for own in [None, Some(own + 77)] {
                let overlay = grown.fork();
                if let Some(own) = own {
                    overlay.write_at(own, &[3]).unwrap();
                }
                let delta = overlay.finish().unwrap();
                let mut whole = vec![0; 83 << 20];
                delta.read_at(&*base, 0, &mut whole).unwrap();
                let expected = blake3::hash(&whole).to_string();
                assert_eq!(common.digest(&delta).unwrap().to_string(), expected);
                assert_eq!(plain(&base).digest(&delta).unwrap().to_string(), expected);
            }
        }
    }
}
