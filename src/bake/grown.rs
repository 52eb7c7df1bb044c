//! The resized copy of a template that a project's images lie over: a hard link to the one that the template store keeps
//! for all projects, or a file of the project's own where the store cannot be written or lies on another file system.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use super::error::HostError;
use super::manifest::BackingRecord;
use super::template::Source;
use super::worker::Shared;
use crate::base::atomic::{self, Durability};
use crate::block::Delta;
use crate::image::{Backing, BaseImage, Blake3Digest, ImageError, RawWriter};
use crate::template::{GrownCopies, GrownCopy, NewCopy};

/// A resized copy of a template that is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct GrownOrder<'a> {
    /// What the project calls it: the same for the same bytes.
    pub(super) name: &'a str,
    /// The template.
    pub(super) base: &'a Arc<BaseImage>,
    /// What the copy differs by.
    pub(super) changes: &'a Arc<Delta>,
}

/// A copy, and the digest of what it holds.
type Copied = (Backing, Blake3Digest);

/// Sees to it that the project has the copy that is ordered, which is made from `source`; notes that images lie over it,
/// and answers what the manifest says of it.
pub(super) fn grown(
    shared: &Shared<'_>,
    source: &Source,
    order: &GrownOrder<'_>,
) -> Result<(Backing, BackingRecord), HostError> {
    let path = shared.workspace.make_backing(order.name)?;
    let copies = GrownCopies::beside(source.template().path());
    // Half-finished work of an interrupted bake may have been lost with the power: it is made again.
    let is_trusted = shared.workspace.was_sealed();
    let own = if is_trusted { order.existing(&path)? } else { None };
    let (backing, digest) = match own {
        Some(backing) => {
            let known = copies.find(order.name).and_then(|copy| copy.digest.parse().ok());
            let digest = known.map_or_else(|| order.base.data_digest(order.changes), Ok)?;
            (backing, digest)
        }
        None => match order.take_from_store(&copies, source, &path) {
            Some(copied) => copied,
            None => order.make(&path)?,
        },
    };
    let file = shared.workspace.places().backing_file(order.name);
    shared.note_backing(file.clone());
    let record = BackingRecord {
        file,
        len_bytes: backing.len_bytes(),
        blake3_of_data: digest,
    };
    Ok((backing, record))
}

impl GrownOrder<'_> {
    /// The copy at `path`, if it looks like what is wanted.
    fn existing(&self, path: &Path) -> Result<Option<Backing>, ImageError> {
        Backing::existing(self.base.clone(), self.changes.clone(), path)
    }

    /// Makes the copy as a file of the project's own.
    fn make(&self, path: &Path) -> Result<Copied, ImageError> {
        // The project's files are forced to the disk together.
        let make = || self.write(path, Durability::NoSync);
        let (backing, digest) = rayon::join(make, || self.base.data_digest(self.changes));
        Ok((backing?, digest?))
    }

    fn write(&self, path: &Path, durability: Durability) -> Result<Backing, ImageError> {
        let (base, changes) = (self.base.clone(), self.changes.clone());
        Backing::changed(&RawWriter::new(durability), base, changes, path, durability)
    }

    /// Gives the store's copy, which is made where there is none, the name `path` too. Whatever is in the way, the
    /// project can have a copy of its own.
    fn take_from_store(&self, copies: &GrownCopies<'_>, source: &Source, path: &Path) -> Option<Copied> {
        if !lie_together(source.template().path(), path)? {
            return None;
        }
        let link = || self.link(&copies.find(self.name)?, path);
        if let Some(copied) = link() {
            return Some(copied);
        }
        // Kept until the copy is in use: others remove those that are not.
        let new = copies.begin(source.template().name()).ok()?;
        link().or_else(|| self.link(&self.make_in_store(&new)?, path))
    }

    /// Gives the store's copy the name `path` too, if it looks like what is wanted.
    fn link(&self, copy: &GrownCopy, path: &Path) -> Option<Copied> {
        let digest = copy.digest.parse().ok()?;
        self.existing(&copy.path).ok()??;
        atomic::link(&copy.path, path).ok()?;
        Some((self.existing(path).ok()??, digest))
    }

    /// Makes the store's copy. It is forced to the disk whatever is wanted of the project, since later bakes take it for
    /// whole.
    fn make_in_store(&self, new: &NewCopy) -> Option<GrownCopy> {
        let digest = self.base.data_digest(self.changes).ok()?.to_string();
        let path = new.place(self.name, &digest);
        self.write(&path, Durability::Sync).ok()?;
        Some(GrownCopy { path, digest })
    }
}

/// Whether both files lie in directories of one file system; nothing where that cannot be told.
fn lie_together(one: &Path, other: &Path) -> Option<bool> {
    let device = |path: &Path| Some(fs::metadata(path.parent()?).ok()?.dev());
    Some(device(one)? == device(other)?)
}
