//! An image in a delta format edited: in memory, then written anew beside the old file, proved, and put in its place.
//!
//! ```text
//!   lock --> journal, orphans --> edit --> check --> new file, proved --> rename
//!            (in memory, with the edit)              (a longer or shorter backing first, where one is needed)
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::offline::{Around, Edited, OfflineError, edit_in_memory, find, real_path};
use crate::base::Timestamp;
use crate::base::atomic::Durability;
use crate::block::{BlockDevice as _, Delta, FileDevice, Overlay, lock_for_edit};
use crate::ext::Fs;
use crate::image::{self, ConvertError, DeltaImage};

/// Makes a copy of a backing file that has another length, and answers where it lies.
pub(super) type OtherBacking<'a> = dyn Fn(&Path, u64) -> Result<PathBuf, OfflineError> + 'a;

/// Does what [`change_image`](super::change_image) does for the image at `path`, which is no raw one.
pub(super) fn change_delta<T, E: From<OfflineError>>(
    path: &Path,
    partition: Option<&str>,
    now: Timestamp,
    durability: Durability,
    other_backing: &OtherBacking<'_>,
    edit: impl FnOnce(&mut Fs, Around<'_>) -> Result<T, E>,
) -> Result<Edited<T>, E> {
    let place = real_path(path)?;
    let held = FileDevice::open_writable(&place).map_err(OfflineError::from)?;
    lock_for_edit(&held, &place).map_err(OfflineError::from)?;
    let image = DeltaImage::open(&place).map_err(OfflineError::from)?;
    let overlay = Arc::new(Overlay::new(image.device()));
    let (root, window) = find(path, overlay.clone(), partition)?;
    let around = Around {
        disk: &*overlay,
        root: &root,
    };
    let (edited, block_size) = edit_in_memory(path, image.device(), around, window, now, edit)?;
    let overlay = Arc::into_inner(overlay).expect("the file system, which alone shared the overlay, is gone");
    let delta = overlay
        .finish()
        .map_err(ConvertError::from)
        .map_err(OfflineError::from)?;
    if !is_same(&image, &delta) {
        put(&image, &delta, block_size.bytes(), other_backing, durability)?;
    }
    Ok(edited)
}

fn is_same(image: &DeltaImage, delta: &Delta) -> bool {
    let len_bytes = image.device().len_bytes();
    delta.changed_units() == 0 && delta.len_bytes() == len_bytes && delta.base_end_bytes() == len_bytes
}

/// Puts the image with the changes of `delta` in the place of the old one.
fn put(
    image: &DeltaImage,
    delta: &Delta,
    block_bytes: u32,
    other_backing: &OtherBacking<'_>,
    durability: Durability,
) -> Result<(), OfflineError> {
    let other = match image.backing() {
        Some(backing) if image.needs_other_backing(delta.len_bytes()) => {
            Some(other_backing(backing, delta.len_bytes())?)
        }
        _ => None,
    };
    let file = image.rewrite(delta, block_bytes, other.as_deref())?;
    Ok(file.persist(durability)?)
}

/// A copy of a backing that lies beside the image at `path`.
pub(super) fn backing_beside(
    path: &Path,
    durability: Durability,
) -> impl Fn(&Path, u64) -> Result<PathBuf, OfflineError> {
    move |backing, len_bytes| {
        let place = real_path(path)?;
        let name = place.file_name().unwrap_or_default().to_string_lossy();
        let destination = place.with_file_name(format!("{name}.backing-{len_bytes}.img"));
        image::copy_with_length(backing, len_bytes, &destination, durability)?;
        Ok(destination)
    }
}
