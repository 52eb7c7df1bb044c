//! Copies of backing files, of another length: the format of User-Mode Linux has images that are as long as their
//! backing, and no longer.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use super::backing::Backing;
use super::base_image::BaseImage;
use super::convert::ConvertError;
use super::data_digest::data_digest;
use super::digest::Blake3Digest;
use super::raw::RawWriter;
use crate::base::PathError;
use crate::base::atomic::Durability;
use crate::block::{BlockDevice as _, Delta, FileDevice, Overlay};

/// Copies the raw file `original` to `destination`, `len_bytes` long, with its permissions and its time of modification;
/// answers the digest of what the copy holds. A file that is that already stays, and any other is refused.
pub fn copy_with_length(
    original: &Path,
    len_bytes: u64,
    destination: &Path,
    durability: Durability,
) -> Result<Blake3Digest, ConvertError> {
    let base = Arc::new(BaseImage::as_it_is(Arc::new(FileDevice::open(original)?))?);
    let overlay = Overlay::new(base.clone());
    overlay.set_len_bytes(len_bytes)?;
    let changes: Arc<Delta> = Arc::new(overlay.finish()?);
    let digest = base.data_digest(&changes)?;
    if destination.exists() {
        return if is_copy(original, digest, len_bytes, destination)? {
            Ok(digest)
        } else {
            Err(ConvertError::InTheWay {
                path: destination.to_path_buf(),
            })
        };
    }
    let writer = RawWriter::new(durability);
    Backing::changed(&writer, base, changes, destination, durability)?;
    Ok(digest)
}

/// Whether the file at `path` holds what `digest` says, and looks like a copy of `original`.
fn is_copy(original: &Path, digest: Blake3Digest, len_bytes: u64, path: &Path) -> Result<bool, PathError> {
    let device = FileDevice::open(path)?;
    let (new, old) = (device.file().metadata(), std::fs::metadata(original));
    let (new, old) = (
        new.map_err(PathError::on("read", path))?,
        old.map_err(PathError::on("read", original))?,
    );
    let looks_alike = new.len() == len_bytes && new.mtime() == old.mtime();
    Ok(looks_alike && data_digest(device.file()).map_err(PathError::on("read", path))? == digest)
}
