//! What a bake would lose: images that machines, or people, have written to since they were made.

use std::collections::BTreeSet;
use std::fs;

use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};

use super::error::{BakeError, HostError};
use super::kept::{self, Trust};
use super::key::Keys;
use super::memory::Memory;
use super::plan::{Outline, Plan};
use super::prove;
use crate::project::HostName;
use crate::store::ProjectPlaces;

/// Refuses to bake `plan` where that would lose what has been written to an image: of a host that is to be made again,
/// or that the project has no more.
pub(super) fn refuse(plan: &Plan<'_>, places: &ProjectPlaces, keep: bool) -> Result<(), BakeError> {
    let keys = Keys::new(&plan.request.identity.key);
    let lost: Result<Vec<Option<HostName>>, BakeError> = plan
        .outlines
        .par_iter()
        .map(|outline| {
            let name = &outline.name;
            let is_lost = is_written(places, name)
                && !(keep
                    && stays(plan, places, &keys, outline).map_err(|error| plan.broken(name, error))?);
            Ok(is_lost.then(|| name.clone()))
        })
        .collect();
    let mut hosts: Vec<HostName> = lost?.into_iter().flatten().collect();
    hosts.extend(gone(plan, places).filter(|name| is_written(places, name)));
    if hosts.is_empty() {
        return Ok(());
    }
    Err(BakeError::WouldLose { hosts })
}

/// Whether the image of the host called `name` holds what somebody has written since it was made.
pub(super) fn is_written(places: &ProjectPlaces, name: &HostName) -> bool {
    let own = places.host(name);
    match Memory::read(&own) {
        Some(memory) => memory.is_written(&own),
        // Only the manifest can tell. Without one, a bake was cut off, and nothing can have been started since.
        None => {
            own.has_images()
                && matches!(
                    prove::image_of(places, name.as_str()),
                    Ok(Some((_, image))) if prove::image_fault(&places.directory(), &image).is_some()
                )
        }
    }
}

/// The hosts that lie in `places` and that the project has no more.
pub(super) fn gone(plan: &Plan<'_>, places: &ProjectPlaces) -> impl Iterator<Item = HostName> {
    let known: BTreeSet<HostName> = plan.request.project.hosts.names().collect();
    let directories = fs::read_dir(places.directory()).into_iter().flatten().flatten();
    let mut names: Vec<HostName> = directories
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter_map(|entry| HostName::new(entry.file_name().to_str()?))
        .filter(|name| !known.contains(name) && places.host(name).has_images())
        .collect();
    names.sort();
    names.into_iter()
}

/// Whether a bake keeps the host of `outline` as it is.
fn stays(
    plan: &Plan<'_>,
    places: &ProjectPlaces,
    keys: &Keys<'_>,
    outline: &Outline,
) -> Result<bool, HostError> {
    let host = plan.host(outline)?;
    let (key, _) = keys.of(plan.name(), &host, &outline.source)?;
    let own = places.host(&host.name);
    Ok(kept::recall(&places.directory(), &own, &host, key, Trust::Looks).is_ok())
}
