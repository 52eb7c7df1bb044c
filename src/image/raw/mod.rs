//! The raw image: a file that is the disk, byte for byte, with holes where there is nothing but zeros.
//!
//! Where the host's file system can share blocks between files (a reflink), the image starts as a clone of the
//! template and only differences are written. Elsewhere a batch of images is written side by side, from front to back:
//! each piece of the template is read once for all of them. What has to be on the disk in the end goes past the page
//! cache; what need not is divided between the disk and the page cache, and the last of it goes the way that is faster
//! here. All ways give the same bytes.

mod copying;
mod output;
mod target;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::fs::ioctl_ficlone;
use rustix::io::Errno;

use super::base_image::{BaseImage, failed_on};
use super::error::ImageError;
use crate::base::AtomicFile;
use crate::base::atomic::Durability;
use crate::block::Delta;
use copying::{Copying, copy_base};
use output::{Choice, Direct, Paces, Way};
use target::Target;

/// Writes raw images of one project. Any number of threads may share it.
#[derive(Debug)]
pub struct RawWriter {
    durability: Durability,
    /// Held by the one batch that is written past the page cache where the others go through it.
    disk: Mutex<()>,
    /// Set once a clone was refused, so that the other hosts need not try.
    cannot_clone: AtomicBool,
    /// The same of writing past the page cache.
    cannot_write_directly: AtomicBool,
    /// How many batches were announced and have not begun.
    waiting: AtomicUsize,
    paces: Paces,
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
            disk: Mutex::new(()),
            cannot_clone: AtomicBool::new(false),
            cannot_write_directly: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
            paces: Paces::default(),
        }
    }

    /// Says how many batches will be written: as long as some are waiting, the disk is kept busy.
    pub fn announce(&self, batches: usize) {
        self.waiting.fetch_add(batches, Ordering::Relaxed);
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
        self.waiting
            .update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
                waiting.saturating_sub(1)
            });
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
        // One stream keeps a disk busy, and needs hardly a processor; so the others have the page cache to themselves.
        let disk = match self.durability {
            Durability::Sync => None,
            Durability::NoSync => self.disk.try_lock().ok(),
        };
        let is_refused = &self.cannot_write_directly;
        let way = match self.durability {
            Durability::Sync => Way::PastCache(Direct {
                is_refused,
                choice: None,
            }),
            Durability::NoSync if disk.is_some() => Way::PastCache(Direct {
                is_refused,
                choice: Some(Choice {
                    waiting: &self.waiting,
                    paces: &self.paces,
                }),
            }),
            Durability::NoSync => Way::ThroughCache,
        };
        let mut outcomes = Vec::with_capacity(targets.len());
        let mut copies = Vec::new();
        for (place, target) in targets.into_iter().enumerate() {
            outcomes.push(target.and_then(|target| match self.clone_base(&target) {
                Ok(true) => Some(target.finish_clone()),
                Ok(false) => {
                    copies.push((place, Copying::begin(target, way)));
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
