//! Reads a template once, in parallel: what holds data, and the hash of every leaf.

use std::ops::Range;

use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use super::base_image::BaseImage;
use super::digest::{ChainingValue, LEAF, LEAF_BYTES, hash_leaf};
use super::error::ImageError;
use super::ranges::{Ranges, len_of, pieces};
use crate::block::{BlockDevice as _, UNIT_BYTES, is_zero};

/// How many leaves one task works on: 16 MiB.
const TASK_LEAVES: u64 = 256;

/// What a scan finds.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Units with data, all of them in use.
    pub(super) plain: Ranges,
    /// Units with data that are partly free.
    pub(super) mixed: Ranges,
    /// The chaining value of every whole leaf.
    pub(super) leaves: Vec<ChainingValue>,
}

/// Scans `base` and the zeros behind it up to `longest_bytes`.
pub(super) fn scan(base: &BaseImage, longest_bytes: u64) -> Result<Found, ImageError> {
    let leaves = longest_bytes.div_ceil(LEAF);
    let tasks = leaves.div_ceil(TASK_LEAVES);
    let parts: Vec<Found> = (0..tasks)
        .into_par_iter()
        .map(|task| {
            let first = task.saturating_mul(TASK_LEAVES);
            scan_leaves(base, first..first.saturating_add(TASK_LEAVES).min(leaves))
        })
        .collect::<Result<_, _>>()?;
    let mut all = Found::default();
    for part in parts {
        part.plain.iter().for_each(|range| all.plain.push(range));
        part.mixed.iter().for_each(|range| all.mixed.push(range));
        all.leaves.extend(part.leaves);
    }
    Ok(all)
}

/// Scans some consecutive leaves.
fn scan_leaves(base: &BaseImage, leaves: Range<u64>) -> Result<Found, ImageError> {
    let mut found = Found::default();
    let mut buffer = vec![0; LEAF_BYTES];
    let mut is_zero = true;
    for leaf in leaves {
        let start = leaf.saturating_mul(LEAF);
        let range = start..start.saturating_add(LEAF);
        if base.allocated().overlaps(&range) {
            let inside = start..range.end.min(base.len_bytes());
            let (data, beyond) = buffer.split_at_mut(len_of(&inside).min(LEAF_BYTES));
            base.read_at(start, data)?;
            beyond.fill(0);
            is_zero = !note_data(base, &inside, data, &mut found);
        } else if !is_zero {
            buffer.fill(0);
            is_zero = true;
        }
        found.leaves.push(hash_leaf(start, &buffer));
    }
    Ok(found)
}

/// Notes which units of `data`, which lies at `range`, are not all zero; tells whether there is any.
fn note_data(base: &BaseImage, range: &Range<u64>, data: &[u8], found: &mut Found) -> bool {
    let mut any = false;
    for (unit, bytes) in pieces(range, UNIT_BYTES).zip(data.chunks(UNIT_BYTES)) {
        if is_zero(bytes) {
            continue;
        }
        any = true;
        if base.free().overlaps(&unit) {
            found.mixed.push(unit);
        } else {
            found.plain.push(unit);
        }
    }
    any
}
