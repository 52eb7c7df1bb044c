//! The files of a project that images which were written to lie over: made, recorded, and kept as long as one does.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use super::error::HostError;
use super::manifest::BackingRecord;
use super::offline::OfflineError;
use super::worker::Shared;
use crate::base::PathError;
use crate::base::digest::Sha256Digest;
use crate::image::{self, data_digest};
use crate::project::{HostName, ImageFormat};
use crate::store::{ProjectPlaces, Workspace};

/// Makes a copy of `backing`, which was made from `template`, that has another length; hosts over the same one share it.
pub(super) fn grown_backing(
    shared: &Shared<'_>,
    template: &str,
    backing: &Path,
    len_bytes: u64,
) -> Result<PathBuf, OfflineError> {
    let metadata = fs::metadata(backing).map_err(PathError::on("read", backing))?;
    let made_from = format!(
        "{} {} {} {len_bytes}",
        backing.file_name().unwrap_or_default().display(),
        metadata.len(),
        metadata.mtime(),
    );
    let digest = Sha256Digest::of(made_from.as_bytes()).to_string();
    let short = digest.get(..12).unwrap_or(&digest);
    let name = format!("{template}-{len_bytes}-{short}.img");
    // The project's machines lie over it from now on: no later run may take the project for whole without it.
    shared.workspace.unseal().map_err(in_store)?;
    let path = shared.workspace.make_backing(&name).map_err(in_store)?;
    // Whoever comes second waits for the copy.
    let mut grown = shared.grown.lock().unwrap_or_else(PoisonError::into_inner);
    if !grown.contains_key(&path) {
        let digest = image::copy_with_length(backing, len_bytes, &path, shared.execution.durability)?;
        grown.insert(path.clone(), digest);
    }
    Ok(path)
}

/// What the manifest says of the file that the image at `path` lies over, if that is one of the project's own; `known` is
/// what it said before.
pub(super) fn backing_record(
    shared: &Shared<'_>,
    path: &Path,
    known: Option<&BackingRecord>,
) -> Result<Option<BackingRecord>, HostError> {
    let places = shared.workspace.places();
    let Some(backing) = own_backing(places, path)? else {
        return Ok(None);
    };
    let file = places.backing_file(&backing.file_name().unwrap_or_default().to_string_lossy());
    if let Some(known) = known.filter(|known| known.file == file) {
        return Ok(Some(known.clone()));
    }
    let grown = shared.grown.lock().unwrap_or_else(PoisonError::into_inner);
    let made = grown.get(&backing).copied();
    drop(grown);
    let read = || {
        let opened = File::open(&backing)?;
        Ok((
            opened.metadata()?.len(),
            made.map_or_else(|| data_digest(&opened), Ok)?,
        ))
    };
    let (len_bytes, blake3_of_data) = read().map_err(PathError::on("read", &backing))?;
    Ok(Some(BackingRecord {
        file,
        len_bytes,
        blake3_of_data,
    }))
}

/// Whether the image at `path` lies over one of the project's own files, whatever is recorded of it.
pub(super) fn lies_over_own(places: &ProjectPlaces, path: &Path) -> bool {
    own_backing(places, path).is_ok_and(|backing| backing.is_some())
}

/// The file that the image at `path` lies over, if that is one of the project's own.
fn own_backing(places: &ProjectPlaces, path: &Path) -> Result<Option<PathBuf>, HostError> {
    let backing = image::backing_of(path).map_err(OfflineError::from)?;
    let own = fs::canonicalize(places.directory().join(places.backing_file("")));
    Ok(backing
        .and_then(|backing| fs::canonicalize(backing).ok())
        .filter(|backing| own.is_ok_and(|own| backing.parent() == Some(own.as_path()))))
}

/// Adds what images of `hosts` lie over although nothing is recorded of it: an upgrade that was cut off may have changed
/// them, and what their machines have written is of use over that file alone.
pub(super) fn add_unrecorded(workspace: &Workspace, hosts: &[HostName], backings: &mut BTreeSet<String>) {
    let places = workspace.places();
    let directory = places.directory().join(places.backing_file(""));
    let files = fs::read_dir(directory).into_iter().flatten().flatten();
    let is_unrecorded = |name: &str| !backings.contains(&places.backing_file(name));
    if !files
        .into_iter()
        .any(|file| is_unrecorded(&file.file_name().to_string_lossy()))
    {
        return;
    }
    let formats = [ImageFormat::UmlCow, ImageFormat::Qcow2];
    for host in hosts {
        let own = places.host(host);
        let images = formats.iter().map(|format| own.root_image(*format));
        // What cannot be read lies over nothing.
        for backing in images.filter_map(|image| own_backing(places, &image).ok().flatten()) {
            backings.insert(places.backing_file(&backing.file_name().unwrap_or_default().to_string_lossy()));
        }
    }
}

fn in_store(error: crate::store::StoreError) -> OfflineError {
    HostError::from(error).into()
}
