//! The raw image: a file that is the disk, byte for byte, with holes where there is nothing but zeros.
//!
//! Where the host's file system can share blocks between files (a reflink), the image starts as a clone of the
//! template and only differences are written. Elsewhere a batch of images is written side by side, from front to back:
//! each piece of the template is read once for all of them. It goes past the page cache, but for the last of what need
//! not be on the disk in the end ([`routes`]). All ways give the same bytes.

mod copying;
mod output;
mod routes;
mod target;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::ioctl_ficlone;
use rustix::io::Errno;

use super::base_image::{BaseImage, failed_on};
use super::error::ImageError;
use crate::base::AtomicFile;
use crate::base::atomic::Durability;
use crate::block::Delta;
use copying::{Copying, copy_base};
use output::Direct;
use routes::Routes;
use target::Target;

/// Writes raw images of one project. Any number of threads may share it.
#[derive(Debug)]
pub struct RawWriter {
    durability: Durability,
    /// Set once a clone was refused, so that the other hosts need not try.
    cannot_clone: AtomicBool,
    /// The same of writing past the page cache.
    cannot_write_directly: AtomicBool,
    routes: Routes,
}

/// One image to write.
#[derive(Debug, Clone, Copy)]
pub struct RawOrder<'a> {
    /// What differs from the base.
    pub delta: &'a Delta,
    /// What the file will be persisted as.
    pub destination: &'a Path,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Whether the file shares blocks with the template.
    pub is_clone: bool,
    /// How many bytes were written or copied.
    pub written_bytes: u64,
}

impl RawWriter {
    /// A writer that does not know yet what the file system can do; with [`Durability::NoSync`], images may stay in the
    /// page cache. It syncs nothing itself.
    pub fn new(durability: Durability) -> Self {
        Self {
            durability,
            cannot_clone: AtomicBool::new(false),
            cannot_write_directly: AtomicBool::new(false),
            routes: Routes::new(routes::page_cache_room_bytes()),
        }
    }

    /// Says that `images` of `base` will be written, so that it is known how much is left.
    pub fn announce(&self, base: &BaseImage, images: usize) {
        let images = u64::try_from(images).unwrap_or(u64::MAX);
        self.routes.announce(base.data_bytes().saturating_mul(images));
    }

    /// Writes the image that differs from `base` by `delta`, ready to be persisted as `destination`.
    pub fn write(
        &self,
        base: &BaseImage,
        delta: &Delta,
        destination: &Path,
    ) -> Result<(AtomicFile, Written), ImageError> {
        let order = RawOrder { delta, destination };
        self.write_batch(base, &[order])
            .pop()
            .expect("one order has one outcome")
    }

    /// Writes several images of one base side by side; the outcomes are in the order of `orders`. An image that fails
    /// does not stop the others.
    pub fn write_batch(
        &self,
        base: &BaseImage,
        orders: &[RawOrder<'_>],
    ) -> Vec<Result<(AtomicFile, Written), ImageError>> {
        let files: Vec<_> = orders
            .iter()
            .map(|order| AtomicFile::create_private(order.destination))
            .collect();
        let targets = orders.iter().zip(&files).map(|(order, file)| {
            file.as_ref().ok().map(|file| Target {
                base,
                delta: order.delta,
                file: file.file(),
                path: file.temporary_path(),
            })
        });
        let written = self.fill(base, targets.collect());
        files
            .into_iter()
            .zip(written)
            .map(|(file, written)| {
                let file = file?;
                Ok((file, written.expect("a file that was made was filled or failed")?))
            })
            .collect()
    }

    /// Fills every target that there is, as a clone or by copying.
    fn fill(
        &self,
        base: &BaseImage,
        targets: Vec<Option<Target<'_>>>,
    ) -> Vec<Option<Result<Written, ImageError>>> {
        let stream = match self.durability {
            Durability::Sync => None,
            Durability::NoSync => Some(self.routes.stream()),
        };
        let known = Direct {
            is_refused: &self.cannot_write_directly,
            stream: stream.as_ref(),
        };
        let mut outcomes = Vec::with_capacity(targets.len());
        let mut copies = Vec::new();
        for (place, target) in targets.into_iter().enumerate() {
            outcomes.push(target.and_then(|target| match self.clone_base(&target) {
                Ok(true) => Some(target.finish_clone()),
                Ok(false) => {
                    copies.push((place, Copying::begin(target, known)));
                    None
                }
                Err(error) => Some(Err(error)),
            }));
        }
        copy_base(base, &mut copies);
        for (place, copy) in copies {
            if let Some(outcome) = outcomes.get_mut(place) {
                *outcome = Some(copy.finish());
            }
        }
        outcomes
    }

    /// Makes the file a clone of the base if the file system can.
    fn clone_base(&self, target: &Target<'_>) -> Result<bool, ImageError> {
        if self.cannot_clone.load(Ordering::Relaxed) || !target.base.is_the_file() {
            return Ok(false);
        }
        match ioctl_ficlone(target.file, target.base.file()) {
            Ok(()) => Ok(true),
            Err(
                Errno::OPNOTSUPP | Errno::XDEV | Errno::INVAL | Errno::NOTTY | Errno::NOSYS | Errno::PERM,
            ) => {
                self.cannot_clone.store(true, Ordering::Relaxed);
                Ok(false)
            }
            Err(errno) => Err(failed_on("clone the template to", target.path)(errno)),
        }
    }
}

#[cfg(test)]
mod tests;
