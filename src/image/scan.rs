//! Reads a template once: what holds data, in parallel, and the hash of every leaf, in one thread.

use std::ops::Range;

use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use super::base_image::BaseImage;
use super::digest::{ChainingValue, LEAF, LEAF_BYTES, LeafHashes, hash_leaf};
use super::ranges::{Ranges, len_of, pieces};
use super::zeros;
use crate::block::{BlockDevice as _, DeviceError, UNIT_BYTES, is_zero};

/// How many bytes one task works on.
const TASK_BYTES: usize = 16 << 20;

/// How many bytes are read at once.
const READ_BYTES: usize = 1 << 18;

/// The units of `base` that are not all zero, found in the current thread pool.
pub(super) fn data(base: &BaseImage) -> Result<Ranges, DeviceError> {
    let tasks: Vec<Range<u64>> = base
        .data()
        .iter()
        .flat_map(|range| pieces(&range, TASK_BYTES).collect::<Vec<_>>())
        .collect();
    let parts: Vec<Ranges> = tasks
        .into_par_iter()
        .map(|task| data_in(base, &task))
        .collect::<Result<_, _>>()?;
    let mut all = Ranges::default();
    parts
        .iter()
        .flat_map(Ranges::iter)
        .for_each(|range| all.push(range));
    Ok(all)
}

fn data_in(base: &BaseImage, task: &Range<u64>) -> Result<Ranges, DeviceError> {
    let mut found = Ranges::default();
    let mut buffer = vec![0; READ_BYTES];
    for piece in pieces(task, READ_BYTES) {
        let bytes = buffer.split_at_mut(len_of(&piece)).0;
        base.read_at(piece.start, bytes)?;
        for (unit, bytes) in pieces(&piece, UNIT_BYTES).zip(bytes.chunks(UNIT_BYTES)) {
            if !is_zero(bytes) {
                found.push(unit);
            }
        }
    }
    Ok(found)
}

/// The chaining value of every leaf of `base`, the last one filled up with zeros; nothing for the leaves of a stretch of
/// zeros whose value is known.
pub(super) fn leaves(base: &BaseImage) -> Result<LeafHashes, DeviceError> {
    let mut values = Vec::new();
    let mut buffer = vec![0; LEAF_BYTES];
    let count = base.len_bytes().div_ceil(LEAF);
    let mut next = 0;
    while next < count {
        let stretch = zeros::stretch(next);
        next = stretch.end;
        let bytes = stretch.start.saturating_mul(LEAF)..stretch.end.saturating_mul(LEAF);
        if stretch.end <= count && !base.data().overlaps(&bytes) && zeros::subtree(&stretch).is_some() {
            values.extend(stretch.map(|_| None));
            continue;
        }
        for leaf in stretch.start..stretch.end.min(count) {
            values.push(Some(leaf_of(base, leaf, &mut buffer)?));
        }
    }
    Ok(LeafHashes::new(values))
}

/// The chaining value of one leaf of `base`.
fn leaf_of(base: &BaseImage, leaf: u64, buffer: &mut [u8]) -> Result<ChainingValue, DeviceError> {
    let start = leaf.saturating_mul(LEAF);
    let inside = start..start.saturating_add(LEAF).min(base.len_bytes());
    let (data, beyond) = buffer.split_at_mut(len_of(&inside).min(LEAF_BYTES));
    if base.data().overlaps(&inside) {
        base.read_at(start, data)?;
    } else {
        data.fill(0);
    }
    beyond.fill(0);
    Ok(hash_leaf(start, buffer))
}
