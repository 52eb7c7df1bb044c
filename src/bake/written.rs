//! Writing a computed image in its format, and saying in the manifest what was written.

use std::fs::File;
use std::sync::Arc;

use super::error::HostError;
use super::ground::Ground;
use super::host_plan::HostPlan;
use super::manifest::{ImageDigest, ImageRecord};
use super::run::Verify;
use super::verify;
use super::worker::{Computed, Shared, relative};
use crate::base::{AtomicFile, PathError};
use crate::image::{BaseImage, Blake3Digest, RawOrder, data_digest, qcow2, uml_cow};
use crate::project::ImageFormat;

/// Writes the images of `hosts`, all of `format`, ready to get their names; those that are copies side by side.
pub(super) fn write_images(
    shared: &Shared<'_>,
    ground: &Ground,
    base: &BaseImage,
    format: ImageFormat,
    hosts: &[&Computed<'_>],
) -> Vec<Result<AtomicFile, HostError>> {
    let destinations = hosts.iter().map(|host| host.places.root_image(format));
    if let (true, Some(backing)) = (format.is_delta(), &ground.backing) {
        let write = |host: &Computed<'_>, destination: &std::path::Path| match format {
            ImageFormat::UmlCow => {
                let (file, _) = uml_cow::write(backing, &host.delta, host.block_bytes, destination)?;
                Ok(file)
            }
            _ => Ok(qcow2::write(backing, &host.delta, destination)?.0),
        };
        return hosts
            .iter()
            .zip(destinations)
            .map(|(host, destination)| write(host, &destination))
            .collect();
    }
    let destinations: Vec<_> = destinations.collect();
    let orders: Vec<_> = hosts
        .iter()
        .zip(&destinations)
        .map(|(host, destination)| RawOrder {
            delta: &host.delta,
            destination,
        })
        .collect();
    let written = shared.writer.write_batch(base, &orders).into_iter();
    written.map(|outcome| Ok(outcome?.0)).collect()
}

/// Describes a written image, after proving it as far as is wanted.
pub(super) fn record(
    shared: &Shared<'_>,
    ground: &Ground,
    base: &Arc<BaseImage>,
    plan: &HostPlan,
    host: &Computed<'_>,
    file: &AtomicFile,
) -> Result<ImageRecord, HostError> {
    let path = file.temporary_path();
    let read = |digest: fn(&File) -> std::io::Result<Blake3Digest>| {
        File::open(path)
            .and_then(|file| digest(&file))
            .map_err(PathError::on("read back", path))
    };
    let digest = match plan.format {
        ImageFormat::Raw | ImageFormat::Gpt => {
            let digest = ground.digest(base, &host.delta)?;
            if shared.execution.verify == Verify::Full {
                verify::compare(path, digest)?;
            }
            ImageDigest::Whole(digest)
        }
        ImageFormat::Qcow2 => ImageDigest::Whole(read(|file| Blake3Digest::of_reader(file))?),
        ImageFormat::UmlCow => ImageDigest::Data(read(data_digest)?),
    };
    if plan.format.is_delta() && shared.execution.verify == Verify::Full {
        verify::compare_delta(path, plan.format, base, &host.delta)?;
    }
    Ok(ImageRecord {
        file: relative(&host.places.root_image(plan.format)),
        format: plan.format,
        len_bytes: host.delta.len_bytes(),
        digest,
        changed_units: Some(host.delta.changed_units()),
        backing: ground.record.clone(),
    })
}
