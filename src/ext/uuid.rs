//! The file system's own number, which a copy of it gets anew.
//!
//! Without `metadata_csum_seed` the checksum of every inode, directory block and bitmap begins with it, so that a new
//! one would mean to write the whole metadata anew; the older `uninit_bg` has it in those of group descriptors alone.

use super::error::{Access, ExtError};
use super::feature;
use super::fs::Fs;

impl Fs {
    /// Whether the UUID can be changed by writing the superblock and the group descriptors alone.
    pub fn can_change_uuid(&self) -> bool {
        self.bound_to_uuid().is_none()
    }

    /// Gives the file system the UUID `uuid`; the copies of superblock and descriptors get it by the next commit too.
    ///
    /// # Errors
    /// [`ExtError::Unsupported`] where it goes into checksums of other metadata, or into encrypted names.
    pub fn set_uuid(&mut self, uuid: [u8; 16]) -> Result<(), ExtError> {
        self.edit_time()?;
        if let Some(name) = self.bound_to_uuid() {
            return Err(ExtError::Unsupported {
                access: Access::Edit,
                names: vec![name.to_owned()],
            });
        }
        self.superblock.edit(|raw| raw.s_uuid = uuid)?;
        if self.superblock.features().has_group_checksums() {
            for group in self.superblock.geometry().groups() {
                self.groups.update(group, |_| {})?;
            }
        }
        self.are_backups_stale = true;
        Ok(())
    }

    /// The feature by which more than the superblock and the descriptors depends on the UUID.
    fn bound_to_uuid(&self) -> Option<&'static str> {
        let features = self.superblock.features();
        if features.has(feature::STABLE_INODES) {
            return Some(feature::STABLE_INODES.name());
        }
        if features.has(feature::CSUM_SEED) {
            return None;
        }
        [feature::METADATA_CSUM, feature::EA_INODE]
            .into_iter()
            .find(|feature| features.has(*feature))
            .map(feature::Feature::name)
    }
}
