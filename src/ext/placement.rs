//! Where new inodes and the first blocks of files go: near what belongs to them, and directories apart from each other
//! (<https://docs.kernel.org/filesystems/ext4/allocators.html>). The choice depends on counts, names and places alone.
//!
//! - A directory in the root goes to a flex group with more than the average free and the fewest directories, the
//!   search beginning where the hash of its name says; deeper ones stay near their parent unless it is crowded.
//! - Everything else goes into its directory's flex group.
//! - With flex groups of four groups or more, files begin behind the first group, which is left to directories.

use std::ops::Range;

use super::dir::NameHash;
use super::error::ExtError;
use super::feature;
use super::fs::Fs;
use super::inode::Node;
use super::types::{FsBlock, GroupNo, InodeNo};
use crate::base::FileKind;

/// The directory's subdirectories are not akin: they are spread as those of the root are.
const FLAG_TOPDIR: u32 = 0x2_0000;
/// Flex groups of as many groups leave the first one to directories.
const FLEX_SPLIT: u32 = 4;
/// The version of half MD4 among the hashes of names.
const HALF_MD4: u8 = 1;

/// What a flex group has free, and how many directories.
#[derive(Debug, Clone, Copy, Default)]
struct Space {
    free_inodes: u64,
    free_blocks: u64,
    directories: u64,
}

impl Space {
    fn plus(self, other: Self) -> Self {
        Self {
            free_inodes: self.free_inodes.saturating_add(other.free_inodes),
            free_blocks: self.free_blocks.saturating_add(other.free_blocks),
            directories: self.directories.saturating_add(other.directories),
        }
    }
}

impl Fs {
    /// Where the first block of `node` had best lie.
    pub(crate) fn inode_goal(&self, node: &Node) -> FsBlock {
        let geometry = self.superblock.geometry();
        let Some((group, _)) = geometry.group_of_inode(node.number()) else {
            return FsBlock(0);
        };
        let size = self.flex_size();
        if size < FLEX_SPLIT {
            return geometry.group_start(group);
        }
        let first = self.flex_group(group).start;
        let second = first.saturating_add(1);
        let is_file = node.kind() == Some(FileKind::Regular) && second < geometry.groups_count;
        geometry.group_start(GroupNo(if is_file { second } else { first }))
    }

    /// The groups in the order in which a new inode of `parent` looks for room.
    pub(crate) fn inode_groups(
        &self,
        parent: InodeNo,
        name: &[u8],
        is_directory: bool,
    ) -> Result<impl Iterator<Item = GroupNo> + use<>, ExtError> {
        let (home, _) = self.group_of_inode(parent)?;
        let home = if is_directory {
            self.directory_home(parent, home, name)?
        } else {
            self.flex_group(home)
        };
        let geometry = *self.superblock.geometry();
        let others = geometry.groups_from(GroupNo(home.start));
        Ok(home
            .clone()
            .map(GroupNo)
            .chain(others.filter(move |group| !home.contains(&group.0))))
    }

    /// The flex group for a new directory `name` of `parent`, which lies in the group `home`.
    fn directory_home(&self, parent: InodeNo, home: GroupNo, name: &[u8]) -> Result<Range<u32>, ExtError> {
        let size = self.flex_size();
        let count = self.superblock.geometry().groups_count.div_ceil(size).max(1);
        let mut spaces = Vec::new();
        for flex in 0..count {
            spaces.push(self.space(self.flex_range(flex))?);
        }
        let whole = spaces
            .iter()
            .fold(Space::default(), |sum, space| sum.plus(*space));
        let average = |number: u64| number.checked_div(count.into()).unwrap_or(0);
        let is_spread = parent == InodeNo::ROOT || self.node(parent)?.has_flag(FLAG_TOPDIR);
        let start = if is_spread {
            let hash = NameHash::new(&self.superblock, HALF_MD4).map_or(0, |hash| hash.of(name).0);
            hash.checked_rem(count).unwrap_or(0)
        } else {
            home.0.checked_div(size).unwrap_or(0)
        };
        let order = || (start..count).chain(0..start);
        let of = |flex: &u32| {
            let place = usize::try_from(*flex).ok();
            place
                .and_then(|place| spaces.get(place).copied())
                .unwrap_or_default()
        };
        let is_roomy = |space: Space| {
            space.free_inodes >= average(whole.free_inodes)
                && space.free_blocks >= average(whole.free_blocks)
                && space.free_inodes > 0
        };
        let found = if is_spread {
            let roomy = order().filter(|flex| is_roomy(of(flex)));
            roomy.min_by_key(|flex| of(flex).directories)
        } else {
            let fits = self.crowd_limits(whole, average);
            order().find(|flex| fits(of(flex)))
        };
        let found = found.or_else(|| {
            let least = average(whole.free_inodes).max(1);
            order().find(|flex| of(flex).free_inodes >= least)
        });
        Ok(self.flex_range(found.unwrap_or(start)))
    }

    /// Whether a flex group is not too crowded for one directory more: the limits are a part of what a flex group has
    /// around the average.
    fn crowd_limits(&self, whole: Space, average: impl Fn(u64) -> u64) -> impl Fn(Space) -> bool {
        let geometry = self.superblock.geometry();
        let size = u64::from(self.flex_size());
        let inodes = u64::from(geometry.inodes_per_group).saturating_mul(size);
        let blocks = u64::from(geometry.blocks_per_group).saturating_mul(size);
        let most_directories = average(whole.directories).saturating_add(inodes.wrapping_shr(4));
        let least_inodes = average(whole.free_inodes)
            .saturating_sub(inodes.wrapping_shr(2))
            .max(1);
        let least_blocks = average(whole.free_blocks).saturating_sub(blocks.wrapping_shr(2));
        move |space| {
            space.directories < most_directories
                && space.free_inodes >= least_inodes
                && space.free_blocks >= least_blocks
        }
    }

    fn space(&self, groups: Range<u32>) -> Result<Space, ExtError> {
        groups.map(GroupNo).try_fold(Space::default(), |sum, group| {
            let descriptor = self.groups.get(group)?;
            Ok(sum.plus(Space {
                free_inodes: descriptor.free_inodes_count.into(),
                free_blocks: descriptor.free_blocks_count.into(),
                directories: descriptor.used_dirs_count.into(),
            }))
        })
    }

    /// How many groups a flex group has; 1 where there are none.
    fn flex_size(&self) -> u32 {
        let log = u32::from(self.superblock.raw().s_log_groups_per_flex);
        if self.superblock.features().has(feature::FLEX_BG) && log < 31 {
            1_u32.wrapping_shl(log)
        } else {
            1
        }
    }

    /// The groups of the flex group that `group` belongs to.
    fn flex_group(&self, group: GroupNo) -> Range<u32> {
        self.flex_range(group.0.checked_div(self.flex_size()).unwrap_or(0))
    }

    /// The groups of flex group `flex`.
    fn flex_range(&self, flex: u32) -> Range<u32> {
        let count = self.superblock.geometry().groups_count;
        let start = flex.saturating_mul(self.flex_size()).min(count);
        start..start.saturating_add(self.flex_size()).min(count)
    }
}
