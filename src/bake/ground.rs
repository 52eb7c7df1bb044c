//! What the hosts of one template, one length and one format have in common, made once: the template resized,
//! and the file that deltas lie over.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use super::apply::apply;
use super::error::HostError;
use super::grown::{GrownOrder, grown};
use super::manifest::BackingRecord;
use super::plan::Shape;
use super::template::Source;
use super::verify;
use super::worker::Shared;
use crate::base::digest::Sha256Digest;
use crate::block::{BlockDevice, Delta, Overlay, Slice};
use crate::edit::EditList;
use crate::ext::{Checked, ExtError, Fs};
use crate::guest;
use crate::image::{Backing, BaseImage, Blake3Digest, CommonDigest};
use crate::project::ImageFormat;

/// A template prepared for images.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) base: Arc<BaseImage>,
    /// The template's own file as what deltas lie over; only where there are such.
    pub(super) backing: Option<Arc<Backing>>,
}

impl Prepared {
    /// Prepares `source` for images of these shapes: a template that is to be copied is read once.
    pub(super) fn new(source: &Source, shapes: &BTreeSet<Shape>) -> Result<Self, HostError> {
        source.template().ensure_unchanged()?;
        let has_copies = shapes.iter().any(|shape| !shape.format.is_delta());
        let base = Arc::new(if has_copies {
            source.scan()?
        } else {
            source.base()?
        });
        let backing = if shapes.iter().any(|shape| shape.format.is_delta()) {
            Some(Arc::new(Backing::template(
                base.clone(),
                source.template().path(),
            )?))
        } else {
            None
        };
        Ok(Self { base, backing })
    }

    /// Hashes the template, unless the last bake has left its hashes.
    pub(super) fn hash(&self, source: &Source) {
        let template = source.template();
        // Of a file that was only put there nothing tells whether hashes still hold.
        let Some(entry) = template.entry() else {
            return self.base.hash();
        };
        let kept = template.kept_hashes(self.base.most_hashes_bytes());
        if kept.is_some_and(|kept| self.base.take_hashes(&kept, &entry.sha256)) {
            return;
        }
        let hashes = self.base.hashes(&entry.sha256);
        // Where they cannot be kept, the next bake makes them again.
        drop(template.keep_hashes(&hashes));
    }
}

/// The file system that every host of a group starts from, in memory.
#[derive(Debug)]
pub(super) struct Ground {
    overlay: Arc<Overlay>,
    /// Where the root file system lies on a whole disk, and how long it may be.
    window: Option<(u64, u64)>,
    fs: Fs,
    /// What the check of it found, if it serves several hosts.
    checked: Option<Checked>,
    /// The hash tree of it, once the digest of a whole image was asked for.
    digests: OnceLock<CommonDigest>,
    /// What the images lie over, if they are deltas.
    pub(super) backing: Option<Arc<Backing>>,
    /// What the manifest says of the backing, if it is not the template.
    pub(super) record: Option<BackingRecord>,
}

impl Ground {
    /// Brings the template's file system to the length of `shape`.
    pub(super) fn make(
        shared: &Shared<'_>,
        source: &Source,
        prepared: &Prepared,
        shape: Shape,
    ) -> Result<Self, HostError> {
        let overlay = Arc::new(source.overlay(prepared.base.clone()));
        let (device, fs) = resized(source, overlay.clone(), shape)?;
        let partition = source.root().partition();
        let mut ground = Self {
            overlay,
            window: partition.map(|partition| (partition.start_bytes, device.len_bytes())),
            fs,
            checked: None,
            digests: OnceLock::new(),
            backing: prepared.backing.clone(),
            record: None,
        };
        if shape.len_bytes != source.len_bytes() && shape.format == ImageFormat::UmlCow {
            ground.lie_over_copy(shared, source, prepared, shape)?;
        }
        ground.take_in_common(&guest::in_common(&source.view(), shared.plan.addresses())?);
        Ok(ground)
    }

    /// Carries out `edits`, whose result the hosts' own edits find in place. Where that fails, nothing is changed: the
    /// hosts' own will tell.
    fn take_in_common(&mut self, edits: &EditList) {
        if edits.is_empty() {
            return;
        }
        let with_edits = || -> Result<(Arc<Overlay>, Fs), HostError> {
            let (overlay, mut fs) = self.fork()?;
            apply(&mut fs, edits.iter())?;
            fs.commit().map_err(failed("write"))?;
            Ok((overlay, fs))
        };
        if let Ok((overlay, fs)) = with_edits() {
            self.overlay = overlay;
            self.fs = fs;
        }
    }

    /// The format of User-Mode Linux has no growing: its images lie over a copy of the template that was resized.
    fn lie_over_copy(
        &mut self,
        shared: &Shared<'_>,
        source: &Source,
        prepared: &Prepared,
        shape: Shape,
    ) -> Result<(), HostError> {
        let order = GrownOrder {
            name: &backing_name(source, shape)?,
            base: &prepared.base,
            changes: &Arc::new(self.changes()?),
        };
        let (backing, record) = grown(shared, source, &order)?;
        self.backing = Some(Arc::new(backing));
        self.record = Some(record);
        Ok(())
    }

    /// A file system of its own for one host, and the overlay that it lies on.
    pub(super) fn fork(&self) -> Result<(Arc<Overlay>, Fs), HostError> {
        let overlay = Arc::new(self.overlay.fork());
        let fs = match self.window {
            None => self.fs.with_device(overlay.clone()),
            Some((start, len)) => {
                let window = Slice::new(overlay.clone(), start, len)?;
                self.fs.with_device(Arc::new(window))
            }
        };
        Ok((overlay, fs))
    }

    /// Checks the file system for all hosts, so that each host's check need look at its own changes only.
    pub(super) fn check_ahead(&mut self) -> Result<(), HostError> {
        let (_, fs) = self.fork()?;
        self.checked = fs.into_checked().map_err(failed("check"))?;
        Ok(())
    }

    /// Checks the file system `fs` of a host that was forked from this one, and lies on `overlay`.
    pub(super) fn check(&self, overlay: &Overlay, fs: &Fs) -> Result<(), HostError> {
        let Some(checked) = &self.checked else {
            return verify::check(fs);
        };
        // What changed on other partitions of a whole disk is none of this file system's.
        let (start, len) = self.window.unwrap_or((0, u64::MAX));
        let within = |place: u64| place.saturating_sub(start).min(len);
        let changed: Vec<_> = overlay
            .differing(&self.overlay)
            .into_iter()
            .map(|range| within(range.start)..within(range.end))
            .filter(|range| !range.is_empty())
            .collect();
        verify::demand_none(&checked.check(fs, &changed).map_err(failed("check"))?)
    }

    /// The digest of the image that differs from `base`, which the file system lies over, by `delta`.
    pub(super) fn digest(&self, base: &Arc<BaseImage>, delta: &Delta) -> Result<Blake3Digest, HostError> {
        if let Some(known) = self.digests.get() {
            return Ok(known.digest(delta)?);
        }
        let made = CommonDigest::new(base.clone(), self.changes()?)?;
        Ok(self.digests.get_or_init(|| made).digest(delta)?)
    }

    fn changes(&self) -> Result<Delta, HostError> {
        Ok(self.overlay.fork().finish()?)
    }
}

/// The template's file system on `overlay`, as long as it is in `shape`, and the device that it lies on.
fn resized(
    source: &Source,
    overlay: Arc<Overlay>,
    shape: Shape,
) -> Result<(Arc<dyn BlockDevice>, Fs), HostError> {
    let (device, len_bytes) = match shape.len_bytes.cmp(&source.len_bytes()) {
        Ordering::Greater => source.root().grow(overlay, shape.len_bytes)?,
        Ordering::Less => (source.root().on(overlay)?, shape.len_bytes),
        Ordering::Equal => {
            let device = source.root().on(overlay)?;
            return Ok((device.clone(), source.fs().with_device(device)));
        }
    };
    let mut fs = source.fs().with_device(device.clone());
    let blocks = len_bytes / u64::from(fs.block_size().bytes());
    fs.resize(blocks).map_err(failed("resize"))?;
    fs.commit().map_err(failed("write"))?;
    Ok((device, fs))
}

/// The error of the file system while it was to `action`.
fn failed(action: &'static str) -> impl Fn(ExtError) -> HostError {
    move |source| HostError::FileSystem { action, source }
}

/// The name of a resized copy of the template: the same for the same bytes.
fn backing_name(source: &Source, shape: Shape) -> Result<String, HostError> {
    let made_from = format!(
        "{} {} {:?} {} {:?}",
        env!("CARGO_PKG_VERSION"),
        source.digest()?,
        source.root().partition().map(|partition| partition.number),
        shape.len_bytes,
        source.now()
    );
    let digest = Sha256Digest::of(made_from.as_bytes()).to_string();
    Ok(format!(
        "{}-{}-{}.img",
        source.template().name(),
        shape.len_bytes,
        digest.get(..12).unwrap_or(&digest)
    ))
}
