//! Reads a template once: what holds data, in parallel, and the hash of every leaf, in one thread.

use std::ops::Range;

use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use super::base_image::BaseImage;
use super::digest::{LEAF, LEAF_BYTES, LeafHashes, hash_leaf};
use super::ranges::{Ranges, len_of, pieces};
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

/// The chaining value of every leaf of `base`, the last one filled up with zeros.
pub(super) fn leaves(base: &BaseImage) -> Result<LeafHashes, DeviceError> {
    let mut values = Vec::new();
    let mut buffer = vec![0; LEAF_BYTES];
    let mut is_zero = true;
    for leaf in 0..base.len_bytes().div_ceil(LEAF) {
        let start = leaf.saturating_mul(LEAF);
        let range = start..start.saturating_add(LEAF);
        if base.data().overlaps(&range) {
            let inside = start..range.end.min(base.len_bytes());
            let (data, beyond) = buffer.split_at_mut(len_of(&inside).min(LEAF_BYTES));
            base.read_at(start, data)?;
            beyond.fill(0);
            is_zero = false;
        } else if !is_zero {
            buffer.fill(0);
            is_zero = true;
        }
        values.push(hash_leaf(start, &buffer));
    }
    Ok(LeafHashes::new(values))
}
