//! Where the root file system lies in an image: all of it, or one partition.

use std::ops::Range;
use std::sync::Arc;

use super::choose::choose;
use super::error::DiskError;
use super::probe::{Content, probe};
use super::table::{Partition, Table};
use crate::block::{BlockDevice, Slice};

/// Where the root file system lies in an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root(Option<(Table, Partition)>);

/// Finds the root file system on `device`; `choice`, a partition's number, PARTUUID or label, goes before all else.
///
/// # Errors
/// As [`probe`]; those of a root that is not clear, each with a list of the partitions.
pub fn find_root(device: &dyn BlockDevice, choice: Option<&str>) -> Result<Root, DiskError> {
    match (probe(device)?, choice) {
        (Content::Bare, None) => Ok(Root(None)),
        (Content::Bare, Some(choice)) => Err(DiskError::NoTable {
            choice: choice.to_owned(),
        }),
        (Content::Disk(table), choice) => {
            let partition = choose(&table, choice)?.clone();
            Ok(Root(Some((table, partition))))
        }
    }
}

impl Root {
    /// The root of an image that has no partitions.
    pub fn bare() -> Self {
        Self(None)
    }

    /// The partition that is the root; `None` where the image is one file system.
    pub fn partition(&self) -> Option<&Partition> {
        self.0.as_ref().map(|(_, partition)| partition)
    }

    /// The disk's partition table; `None` where the image is one file system.
    pub fn table(&self) -> Option<&Table> {
        self.0.as_ref().map(|(table, _)| table)
    }

    /// The root file system as a device of its own: a window on `device`, which holds the same disk.
    pub fn on(&self, device: Arc<dyn BlockDevice>) -> Result<Arc<dyn BlockDevice>, DiskError> {
        match &self.0 {
            None => Ok(device),
            Some((_, partition)) => {
                let slice = Slice::new(device, partition.start_bytes, partition.len_bytes)?;
                Ok(Arc::new(slice))
            }
        }
    }

    /// The bytes of the image that the file system has room in.
    pub fn range(&self, image_len_bytes: u64) -> Range<u64> {
        self.partition().map_or(0..image_len_bytes, |partition| {
            partition.start_bytes..partition.end_bytes()
        })
    }

    /// How much room the root has once the image is `image_len_bytes` long.
    ///
    /// # Errors
    /// [`DiskError::NotLast`] if there is no room to grow into.
    pub fn grown_len_bytes(&self, image_len_bytes: u64) -> Result<u64, DiskError> {
        match &self.0 {
            None => Ok(image_len_bytes),
            Some((table, partition)) => table.grown_len_bytes(partition.number, image_len_bytes),
        }
    }

    /// Makes the image `image_len_bytes` long and gives the root of it as a device, with how long that may become; the
    /// file system in it is still to grow. An image without partitions gets its length by that.
    pub fn grow(
        &self,
        device: Arc<dyn BlockDevice>,
        image_len_bytes: u64,
    ) -> Result<(Arc<dyn BlockDevice>, u64), DiskError> {
        let Some((table, partition)) = &self.0 else {
            return Ok((device, image_len_bytes));
        };
        let old_len_bytes = device.len_bytes();
        let len_bytes = table.grow(&*device, partition.number, image_len_bytes)?;
        let slice = Slice::new(device, partition.start_bytes, partition.len_bytes)?;
        Ok((Arc::new(slice.with_room(len_bytes, old_len_bytes)?), len_bytes))
    }
}
