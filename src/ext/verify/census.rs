//! Every inode that is in use: what it is, how many names it says it has, and where directories lie.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::claims::Claims;
use super::finding::Report;
use super::inodes::{blocks_of_map, judge};
use super::layered::Layered;
use crate::base::FileKind;
use crate::block::is_zero;
use crate::ext::bitmap::Bitmap;
use crate::ext::error::{ExtError, Place};
use crate::ext::feature;
use crate::ext::fs::Fs;
use crate::ext::group::INODE_UNINIT;
use crate::ext::inline::Inline;
use crate::ext::inode::Node;
use crate::ext::types::{FsBlock, GroupNo, InodeNo, index};

/// The inodes in use, by number.
#[derive(Debug, Default, Clone)]
pub(super) struct Census {
    pub(super) inodes: Layered<InodeNo, Known>,
    pub(super) directories: Layered<InodeNo, Directory>,
    /// How many inodes share each block of attributes.
    pub(super) attribute_blocks: BTreeMap<FsBlock, u32>,
    /// How many attributes have their value in each inode.
    pub(super) value_users: BTreeMap<InodeNo, u64>,
    /// The first block of the journal.
    pub(super) journal: Option<FsBlock>,
    /// Whose judgement each block served that is neither a table nor a block of attributes: maps, directories and links.
    pub(super) readers: Vec<(FsBlock, InodeNo)>,
    /// What the groups' inode bitmaps have to be as of when the census was settled, and how many directories each has.
    settled: Arc<BTreeMap<GroupNo, (Bitmap, u32)>>,
}

/// What is known about an inode.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// `None` where the mode names no kind.
    pub(super) kind: Option<FileKind>,
    /// How many names it says it has.
    pub(super) links_count: u16,
    /// How many were found.
    pub(super) names_count: u32,
    /// Whether it is the file system's own and has no name.
    pub(super) is_hidden: bool,
    /// How many attributes say that they have their value in it, if it is one that holds values.
    pub(super) value_users: Option<u64>,
}

/// A directory.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    /// What it holds in its inode, if that is where it lies.
    pub(super) inline: Option<Inline>,
    /// Where its blocks lie.
    pub(super) places: BTreeMap<u32, FsBlock>,
    /// How many blocks it has by its length.
    pub(super) blocks_count: u64,
    pub(super) has_index: bool,
    /// Where the checksums of its blocks begin.
    pub(super) seed: Option<u32>,
    /// Where its `..` leads.
    pub(super) parent: Option<InodeNo>,
    /// The directory in which it has its name.
    pub(super) named_in: Option<InodeNo>,
}

impl Census {
    /// Reads every inode that was ever used, and claims its blocks.
    pub(super) fn take(fs: &Fs, claims: &mut Claims, report: &mut Report) -> Result<Self, ExtError> {
        let mut census = Self::default();
        for group in fs.superblock.geometry().groups() {
            census.take_group(fs, group, claims, report)?;
        }
        for (block, found) in &census.attribute_blocks {
            let bytes = fs.read_block(*block)?;
            super::attributes::judge_block(fs, *block, &bytes, *found, report);
            count_values(&super::attributes::block_values(&bytes), &mut census.value_users);
        }
        census.judge_values(report);
        Ok(census)
    }

    /// Remembers that `blocks` were read to judge `inode`.
    pub(super) fn note_readers<'a>(&mut self, inode: InodeNo, blocks: impl IntoIterator<Item = &'a FsBlock>) {
        self.readers
            .extend(blocks.into_iter().map(|block| (*block, inode)));
    }

    /// Makes all of it what later censuses of `fs` begin with and share.
    pub(super) fn settle(&mut self, fs: &Fs) {
        let groups = fs.superblock.geometry().groups();
        let settled = groups.map(|group| (group, self.inodes_of(fs, group))).collect();
        self.settled = Arc::new(settled);
        self.inodes.settle();
        self.directories.settle();
    }

    /// The inode bitmap that `group` should have, and how many directories are among its inodes.
    pub(super) fn inodes_of(&self, fs: &Fs, group: GroupNo) -> (Bitmap, u32) {
        let unused = || unused_inodes(fs, group);
        let (mut bitmap, mut directories) = self.settled.get(&group).cloned().unwrap_or_else(unused);
        let Some(Range { start, end }) = inode_range(fs, group) else {
            return (bitmap, directories);
        };
        for (inode, _, is_used) in self.inodes.changes_within(start, end) {
            let bit = inode.get().saturating_sub(start.get());
            if is_used || group.0 > 0 || inode.get() >= fs.superblock.geometry().first_inode {
                bitmap.put(bit..bit.saturating_add(1), is_used);
            }
        }
        for (_, was, is) in self.directories.changes_within(start, end) {
            directories = directories.saturating_sub(was.into()).saturating_add(is.into());
        }
        (bitmap, directories)
    }

    /// The inodes of which something is not as it was when the census was settled.
    pub(super) fn changed(&self) -> BTreeSet<InodeNo> {
        let inodes = self.inodes.own().map(|(inode, _)| inode);
        inodes
            .chain(self.directories.own().map(|(inode, _)| inode))
            .collect()
    }

    /// Compares what inodes with values say of their users with what was found.
    fn judge_values(&self, report: &mut Report) {
        for inode in self.value_users.keys() {
            if self
                .inodes
                .get(inode)
                .is_none_or(|known| known.value_users.is_none())
            {
                report.add(
                    Place::Inode(*inode),
                    "inode of an attribute's value",
                    "one that holds a value",
                    "none",
                );
            }
        }
        for (inode, known) in self.inodes.own() {
            if let Some(found) = known.and_then(|known| known.value_users) {
                let users = self.value_users.get(&inode).copied().unwrap_or(0);
                report.compare(Place::Inode(inode), "users of an attribute's value", users, found);
            }
        }
    }

    /// Adds a finding unless the journal's inode is a file that begins like a journal.
    pub(super) fn judge_journal(&self, fs: &Fs, report: &mut Report) -> Result<(), ExtError> {
        const MAGIC: u32 = 0xC03B_3998;
        let Some(journal) = fs.superblock.journal_inode() else {
            return Ok(());
        };
        let found = match self.journal {
            Some(block) => {
                let bytes = fs.read_block(block)?;
                bytes
                    .first_chunk::<4>()
                    .map_or(0, |bytes| u32::from_be_bytes(*bytes))
            }
            None => 0,
        };
        if found != MAGIC {
            let found = format_args!("{found:#x}").to_string();
            report.add(
                Place::Inode(journal),
                "magic of the journal",
                format_args!("{MAGIC:#x}"),
                found,
            );
        }
        Ok(())
    }

    fn take_group(
        &mut self,
        fs: &Fs,
        group: GroupNo,
        claims: &mut Claims,
        report: &mut Report,
    ) -> Result<(), ExtError> {
        let mut maps = Vec::new();
        each_inode(fs, group, |node| {
            maps.extend(blocks_of_map(&node));
            Ok(())
        })?;
        fs.will_read(maps);
        each_inode(fs, group, |node| judge(fs, &node, self, claims, report))
    }
}

/// Shows `visit` every inode of `group` that is in use, or was.
fn each_inode(
    fs: &Fs,
    group: GroupNo,
    mut visit: impl FnMut(Node) -> Result<(), ExtError>,
) -> Result<(), ExtError> {
    let geometry = *fs.superblock.geometry();
    let mut left = used_inodes(fs, group)?;
    let mut number = first_inode(fs, group);
    let per_block = geometry.inodes_per_block();
    let mut block = fs.groups.get(group)?.inode_table;
    while left > 0 {
        let here = left.min(per_block);
        let bytes = fs.read_block(block)?;
        if is_zero(&bytes) {
            number = number.saturating_add(here);
        } else {
            for bytes in bytes.chunks(geometry.inode_len()).take(index(here)) {
                if let Some(inode) = InodeNo::new(number).filter(|_| !is_zero(bytes)) {
                    visit(Node::new(inode, bytes.to_vec()))?;
                }
                number = number.saturating_add(1);
            }
        }
        left = left.saturating_sub(here);
        block = block.plus(1);
    }
    Ok(())
}

/// The inode bitmap of `group` if nobody had an inode, but for those that are the file system's own.
fn unused_inodes(fs: &Fs, group: GroupNo) -> (Bitmap, u32) {
    let geometry = fs.superblock.geometry();
    let mut bitmap = Bitmap::empty(geometry.block_size.buffer_len(), geometry.inodes_per_group);
    if group.0 == 0 {
        bitmap.put(0..geometry.first_inode.saturating_sub(1), true);
    }
    (bitmap, 0)
}

/// The first inode of `group`.
pub(super) fn first_inode(fs: &Fs, group: GroupNo) -> u32 {
    group
        .0
        .saturating_mul(fs.superblock.geometry().inodes_per_group)
        .saturating_add(1)
}

/// The numbers of the inodes of `group`.
pub(super) fn inode_range(fs: &Fs, group: GroupNo) -> Option<Range<InodeNo>> {
    let first = first_inode(fs, group);
    let end = first.saturating_add(fs.superblock.geometry().inodes_per_group);
    Some(InodeNo::new(first)?..InodeNo::new(end)?)
}

/// How many inodes of `group`, from the first on, may ever have been used.
pub(super) fn used_inodes(fs: &Fs, group: GroupNo) -> Result<u32, ExtError> {
    let descriptor = fs.groups.get(group)?;
    let all = fs.superblock.geometry().inodes_per_group;
    Ok(if !fs.superblock.features().has_group_checksums() {
        all
    } else if descriptor.flags & INODE_UNINIT != 0 {
        0
    } else {
        all.saturating_sub(descriptor.itable_unused)
    })
}

/// Counts one user more for each of `inodes`.
pub(super) fn count_values(inodes: &[InodeNo], users: &mut BTreeMap<InodeNo, u64>) {
    for inode in inodes {
        let count = users.entry(*inode).or_default();
        *count = count.saturating_add(1);
    }
}

/// Whether `inode` is one of the file system's own, which no directory names.
pub(super) fn is_hidden(fs: &Fs, inode: InodeNo) -> bool {
    let raw = fs.superblock.raw();
    let has_orphan_file = fs.superblock.features().has(feature::ORPHAN_FILE);
    let is_reserved = inode.get() < fs.superblock.geometry().first_inode && inode != InodeNo::ROOT;
    is_reserved || (has_orphan_file && raw.s_orphan_file_inum.get() == inode.get())
}
