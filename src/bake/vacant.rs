//! Where in an image's file data may be written before the edit that brings it is certain.
//!
//! A sound file system gives every free block: what lies there means nothing to the image as it was. While a journal or
//! orphans wait, or where the bitmaps cannot be trusted, only holes are given, whose bytes are known to be zero.

use std::ops::Range;
use std::sync::Arc;

use crate::base::Timestamp;
use crate::block::{BlockDevice, FileDevice, Overlay};
use crate::disk::Root;
use crate::ext::{ExtError, Fs};
use crate::image::{self, Ranges};

/// The free ranges of the image in `image`, as it lies in the file now; none where its file system cannot be read.
pub(super) fn vacant(image: &Arc<FileDevice>, root: &Root) -> Vec<Range<u64>> {
    let Ok(window) = root.on(image.clone()) else {
        return Vec::new();
    };
    let Ok((free, is_sound)) = free_ranges(window) else {
        return Vec::new();
    };
    let free = free.shifted(root.range(image.len_bytes()).start);
    if is_sound {
        return free.iter().collect();
    }
    match image::holes(image) {
        Ok(holes) => free.intersection(&holes).iter().collect(),
        Err(_) => Vec::new(),
    }
}

/// What no file of the file system uses, and whether that is beyond doubt.
fn free_ranges(window: Arc<dyn BlockDevice>) -> Result<(Ranges, bool), ExtError> {
    let (fs, recovery) = Fs::recover(Arc::new(Overlay::new(window)), Timestamp::default())?;
    let free = Ranges::from_unsorted(fs.used_ranges()?).complement(fs.superblock().len_bytes());
    let is_sound = recovery.is_empty() && fs.check()?.is_empty();
    Ok((free, is_sound))
}
