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
use crate::image::{BaseImage, Blake3Digest, DeltaWritten, Ranges, RawOrder, data_digest_of, qcow2, uml_cow};
use crate::project::ImageFormat;

/// A file that holds an image and has not got its name yet.
pub(super) struct WrittenImage {
    pub(super) file: AtomicFile,
    /// Outside of this it has nothing but holes.
    stored: Ranges,
}

/// Writes the images of `hosts`, all of `format`, ready to get their names; those that are copies side by side.
pub(super) fn write_images(
    shared: &Shared<'_>,
    ground: &Ground,
    base: &BaseImage,
    format: ImageFormat,
    hosts: &[&Computed],
) -> Vec<Result<WrittenImage, HostError>> {
    let destinations = hosts.iter().map(|host| host.places.root_image(format));
    if let (true, Some(backing)) = (format.is_delta(), &ground.backing) {
        let write = |host: &Computed, destination: &std::path::Path| match format {
            ImageFormat::UmlCow => {
                let written = uml_cow::write(backing, &host.delta, host.block_bytes, destination)?;
                Ok(of_delta(written))
            }
            _ => Ok(of_delta(qcow2::write(backing, &host.delta, destination)?)),
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
    let of_copy = |(file, _)| WrittenImage {
        file,
        stored: Ranges::whole(u64::MAX),
    };
    written.map(|outcome| Ok(of_copy(outcome?))).collect()
}

fn of_delta((file, written): (AtomicFile, DeltaWritten)) -> WrittenImage {
    WrittenImage {
        file,
        stored: written.stored,
    }
}

/// Describes a written image, after proving it as far as is wanted.
pub(super) fn record(
    shared: &Shared<'_>,
    ground: &Ground,
    base: &Arc<BaseImage>,
    plan: &HostPlan,
    host: &Computed,
    image: &WrittenImage,
) -> Result<ImageRecord, HostError> {
    let path = image.file.temporary_path();
    let file = || File::open(path);
    let failed = PathError::on("read back", path);
    let digest = match plan.format {
        ImageFormat::Raw | ImageFormat::Gpt => {
            let digest = ground.digest(base, &host.delta)?;
            if shared.execution.verify == Verify::Full {
                verify::compare(path, digest)?;
            }
            ImageDigest::Whole(digest)
        }
        ImageFormat::Qcow2 => {
            let digest = file().and_then(Blake3Digest::of_reader);
            ImageDigest::Whole(digest.map_err(failed)?)
        }
        ImageFormat::UmlCow => {
            let digest = file().and_then(|file| data_digest_of(&file, &image.stored));
            ImageDigest::Data(digest.map_err(failed)?)
        }
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
