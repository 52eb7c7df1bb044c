//! Values too long for inode and block, each in an inode of its own without a name
//! (<https://docs.kernel.org/filesystems/ext4/attributes.html>, `e_value_inum`).
//!
//! Such an inode may serve many attributes. It keeps the hash of the value in `i_atime`, and how many attributes use
//! it in `i_ctime` (upper half) and `l_i_version` (lower half).

use std::collections::BTreeMap;

use super::parse::{Attribute, Value, name_hash};
use crate::base::FileKind;
use crate::ext::checksum::crc32c_raw;
use crate::ext::error::{ExtError, Place};
use crate::ext::feature;
use crate::ext::fs::Fs;
use crate::ext::inode::{FLAG_EA_INODE, Node, TimeField};
use crate::ext::types::{InodeNo, join32, split64, wide};

/// The longest value of an attribute, as the kernel has it.
const LONGEST: usize = 0x1_0000;

impl Fs {
    /// Makes an inode for a long value of an attribute of `owner`; nobody uses it yet. `None` where the file system has
    /// no such inodes, or the value is longer than any may be.
    pub(super) fn make_value(
        &mut self,
        owner: &Node,
        index: u8,
        name: &[u8],
        value: &[u8],
    ) -> Result<Option<Attribute>, ExtError> {
        if !self.superblock.features().has(feature::EA_INODE) || value.len() > LONGEST || value.is_empty() {
            return Ok(None);
        }
        let number = self.allocate_inode(owner.number(), name, false)?;
        let mut node = self.blank_node(number);
        node.set_mode(FileKind::Regular, 0o600);
        node.copy_owner(owner);
        for field in [TimeField::Modification, TimeField::Creation] {
            node.set_time(field, self.edit_time()?);
        }
        node.raw_mut().i_links_count.set(1);
        node.set_flag(FLAG_EA_INODE, true);
        self.set_extents(&mut node);
        self.write_node(&mut node, 0, wide(value.len()), &mut &*value)?;
        let hash = crc32c_raw(self.superblock.value_seed(), value);
        node.raw_mut().i_atime.set(hash);
        self.store_node(node)?;
        Ok(Some(Attribute {
            index,
            name: name.to_vec(),
            value: Value::Inode {
                inode: number,
                len: u32::try_from(value.len()).unwrap_or(u32::MAX),
                entry_hash: name_hash(name).rotate_left(16) ^ hash,
            },
        }))
    }

    /// The blocks that values in inodes of their own add to those that an owner of `attributes` takes: each owner counts
    /// a value that it shares whole. Values without a count of users, as Lustre made them, are not counted.
    pub(super) fn value_blocks(&self, attributes: &[Attribute]) -> Result<u64, ExtError> {
        let mut sum = 0_u64;
        for attribute in attributes {
            if let Value::Inode { inode, len, .. } = attribute.value
                && value_users(&self.node(inode)?) > 0
            {
                sum = sum.saturating_add(self.block_size().blocks_for(len.into()));
            }
        }
        Ok(sum)
    }

    /// Counts the users of inodes with values: those in `after` come, those in `before` go. An inode without users goes
    /// too.
    pub(super) fn count_values(&mut self, before: &[Attribute], after: &[Attribute]) -> Result<(), ExtError> {
        let mut changes: BTreeMap<InodeNo, i64> = BTreeMap::new();
        for (attributes, step) in [(before, -1_i64), (after, 1)] {
            for inode in attributes.iter().filter_map(Attribute::value_inode) {
                let change = changes.entry(inode).or_default();
                *change = change.saturating_add(step);
            }
        }
        for (inode, change) in changes.into_iter().filter(|(_, change)| *change != 0) {
            self.count_value(inode, change)?;
        }
        Ok(())
    }

    fn count_value(&mut self, inode: InodeNo, change: i64) -> Result<(), ExtError> {
        let mut node = self.value_node(inode)?;
        let users = value_users(&node);
        let Some(users) = users.checked_add_signed(change) else {
            return Err(ExtError::corrupt(
                Place::Inode(inode),
                "users of an attribute's value",
                change.unsigned_abs(),
                users,
            ));
        };
        if users == 0 {
            return self.delete_node(node);
        }
        let (low, high) = split64(users);
        node.raw_mut().i_ctime.set(high);
        node.raw_mut().l_i_version.set(low);
        self.store_node(node)
    }

    /// The inode `inode`, which must hold a value.
    fn value_node(&self, inode: InodeNo) -> Result<Node, ExtError> {
        let node = self.regular_node(inode)?;
        if !node.has_flag(FLAG_EA_INODE) {
            let place = Place::Inode(inode);
            return Err(ExtError::corrupt(place, "inode of a value", "its flag", "none"));
        }
        Ok(node)
    }
}

/// How many attributes have their value in `node`.
pub(crate) fn value_users(node: &Node) -> u64 {
    join32(node.raw().l_i_version.get(), node.raw().i_ctime.get())
}
