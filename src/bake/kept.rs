//! Hosts that need not be baked again: what is remembered of each host beside its images, and whether it still holds.
//!
//! Beside a host's files lies one that says which key they were made for, their lengths and times of modification, and
//! what the manifest says of them. A host is kept if its key is the same and its files look as they did; if the last
//! bake did not come to its end, or the user wants proof, their digests have to be right too.

use std::fs;
use std::path::Path;

use super::error::HostError;
use super::host_plan::HostPlan;
use super::manifest::HostRecord;
use super::memory::{Inputs, Memory, look_at};
use super::prove;
use crate::base::PathError;
use crate::base::digest::Sha256Digest;
use crate::block::redo;
use crate::store::HostPlaces;

/// Why a host is baked although it was baked before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Remade {
    /// Nothing is known of it.
    #[error("nothing is remembered of it")]
    New,
    /// The project, the template, a file to copy or the program has changed.
    #[error("what it is made from has changed")]
    Inputs,
    /// A file has gone.
    #[error("its `{0}` is missing")]
    Missing(String),
    /// A file is not what was written.
    #[error("its `{0}` has been changed")]
    Changed(String),
}

/// How sure one has to be of a host's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// Length and time of modification are enough.
    Looks,
    /// The digests have to be right.
    Digests,
}

/// Remembers what was made for `key`, from `inputs`, once all files have their names.
pub(super) fn remember(
    places: &HostPlaces,
    (key, mut inputs): (Sha256Digest, Inputs),
    record: &HostRecord<'_>,
    is_lived_in: bool,
) -> Result<(), HostError> {
    let stored = record
        .file_names()
        .into_iter()
        .map(|name| look_at(places, name).map_err(PathError::on("read", places.file(name))))
        .collect::<Result<_, _>>()?;
    for file in &record.files {
        if let Some(wish) = inputs.wishes.get_mut(&file.plan.path.to_string()) {
            wish.content = file.sha256;
        }
    }
    let memory = Memory {
        key,
        image: record.image.clone(),
        swap: record.swap.clone(),
        launch: record.launch.clone(),
        contents: record.files.iter().map(|file| file.sha256).collect(),
        stored,
        inputs: Some(inputs),
        is_lived_in,
    };
    Ok(memory.write(places)?)
}

/// Whether anything is remembered of the host in `places`.
pub(super) fn is_known(places: &HostPlaces) -> bool {
    places.memory().is_file()
}

/// The record of the host of `plan` as it was baked for `key`, if that still holds.
pub(super) fn recall<'a>(
    project: &Path,
    places: &HostPlaces,
    plan: &'a HostPlan,
    key: Sha256Digest,
    trust: Trust,
) -> Result<HostRecord<'a>, Remade> {
    let memory = Memory::read(places).ok_or(Remade::New)?;
    if memory.key != key || memory.contents.len() != plan.files.len() {
        return Err(Remade::Inputs);
    }
    for stored in &memory.stored {
        match look_at(places, &stored.name) {
            Ok(found) if found == *stored => {}
            Ok(_) => return Err(Remade::Changed(stored.name.clone())),
            Err(_) => return Err(Remade::Missing(stored.name.clone())),
        }
    }
    if redo::has_redo(&places.root_image(plan.format)) {
        return Err(Remade::Changed(plan.format.root_image().to_owned()));
    }
    let record = HostRecord::new(plan, &memory.contents, memory.image, memory.swap, memory.launch);
    if let Some(backing) = &record.image.backing
        && !fs::symlink_metadata(project.join(&backing.file))
            .is_ok_and(|found| found.is_file() && found.len() == backing.len_bytes)
    {
        return Err(Remade::Missing(backing.file.clone()));
    }
    if trust == Trust::Digests
        && let Some(fault) = prove::host_files(project, &record.proofs()).into_iter().next()
    {
        return Err(Remade::Changed(fault.file));
    }
    Ok(record)
}
