//! Checking a file system that differs from a checked one in a few blocks, by looking at what these have to do with.
//!
//! ```text
//!   changed blocks --> inodes: those that are other bytes, those whose maps, entries or links lie in changed blocks
//!   these inodes   --> taken out of what was found then, with their blocks and the names in their directories
//!                  --> judged as they are now, and put in
//!   what changed   --> names, ways up the tree, bitmaps and counts judged as ever
//! ```
//!
//! Whatever else could make a difference, and whatever is not in order, is left to the full check: what is said to be
//! clean is clean, and findings are always its own.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use zerocopy::IntoBytes as _;

use super::census::{Census, Directory, Known, first_inode, inode_range, used_inodes};
use super::claims::Claims;
use super::directories::{Name, Named, count, read_names};
use super::finding::{Finding, Report};
use super::{attributes, inodes, judge_whole, survey};
use crate::block::is_zero;
use crate::ext::bitmap::Bitmap;
use crate::ext::error::ExtError;
use crate::ext::feature;
use crate::ext::fs::Fs;
use crate::ext::inode::Node;
use crate::ext::types::{FsBlock, GroupNo, InodeNo};

/// A clean file system, and what the check found in it.
#[derive(Debug)]
pub struct Checked {
    fs: Fs,
    census: Census,
    claims: Claims,
    /// Which inode each block was read for, tables and blocks of attributes aside.
    readers: BTreeMap<FsBlock, InodeNo>,
}

/// What was known of the inodes that are judged anew.
type Remembered = BTreeMap<InodeNo, (Known, Option<Directory>)>;

impl Fs {
    /// Checks the file system, without uncommitted changes, and keeps what was found. `None` if it is not clean, or has
    /// features that make it pointless.
    ///
    /// # Errors
    /// As [`Fs::check`].
    pub fn into_checked(self) -> Result<Option<Checked>, ExtError> {
        let mut report = Report::default();
        let (mut census, claims) = survey(&self, &mut report)?;
        let is_simple = !self.superblock.features().has(feature::EA_INODE);
        let readers = std::mem::take(&mut census.readers).into_iter().collect();
        census.settle(&self);
        Ok((report.is_empty() && is_simple).then_some(Checked {
            fs: self,
            census,
            claims,
            readers,
        }))
    }
}

impl Checked {
    /// Does what [`Fs::check`] does for `fs`, whose device has the bytes of this file system's but for those in `changed`,
    /// ranges of bytes of the device.
    ///
    /// # Errors
    /// As [`Fs::check`].
    pub fn check(&self, fs: &Fs, changed: &[Range<u64>]) -> Result<Vec<Finding>, ExtError> {
        if self.is_like(fs) && self.is_clean(fs, &blocks_of(fs, changed))? {
            return Ok(Vec::new());
        }
        fs.check()
    }

    /// Whether both are laid out alike, and differ in nothing that all inodes depend on.
    fn is_like(&self, fs: &Fs) -> bool {
        let tables = |fs: &Fs, group| {
            let descriptor = fs.groups.get(group).ok()?;
            let bitmaps = (descriptor.block_bitmap, descriptor.inode_bitmap);
            Some((bitmaps, descriptor.inode_table))
        };
        let mut bitmaps = fs.block_bitmaps.values().chain(fs.inode_bitmaps.values());
        lasting(fs) == lasting(&self.fs)
            && fs.blocks.is_empty()
            && !bitmaps.any(Bitmap::is_dirty)
            && fs.superblock.checksums().seed() == self.fs.superblock.checksums().seed()
            && fs
                .superblock
                .geometry()
                .groups()
                .all(|group| tables(fs, group) == tables(&self.fs, group))
    }

    /// Whether `fs`, which is like this file system but for the blocks of `changed`, is clean.
    fn is_clean(&self, fs: &Fs, changed: &BTreeSet<FsBlock>) -> Result<bool, ExtError> {
        let touched = self.touched(fs, changed)?;
        let mut report = Report::default();
        let (mut census, mut claims) = (self.census.clone(), self.claims.clone());
        let remembered = self.take_out(&touched, &mut census, &mut claims, &mut report)?;
        put_in(fs, &touched, &mut census, &mut claims, &mut report)?;
        for (block, owners) in &census.attribute_blocks {
            if changed.contains(block) || self.census.attribute_blocks.get(block) != Some(owners) {
                attributes::judge_block(fs, *block, &fs.read_block(*block)?, *owners, &mut report);
            }
        }
        if !restore_names(&remembered, &mut census) {
            return Ok(false);
        }
        for inode in touched {
            if census.directories.contains_key(&inode) {
                let entries = read_names(fs, inode, &census, &mut report)?;
                count(&mut census, inode, &entries, &mut report);
            }
        }
        let known = |group| {
            claims.are_shared(&self.claims, group) && self.has_same_group(fs, group, changed, &census)
        };
        judge_whole(fs, &census, &claims, known, &mut report)?;
        Ok(report.is_empty())
    }

    /// Whether nothing of `group` is changed that its bitmaps and counts depend on, claims aside, nor these.
    fn has_same_group(&self, fs: &Fs, group: GroupNo, changed: &BTreeSet<FsBlock>, census: &Census) -> bool {
        let (Ok(old), Ok(new), Some(inodes)) = (
            self.fs.groups.get(group),
            fs.groups.get(group),
            inode_range(fs, group),
        ) else {
            return false;
        };
        old == new
            && ![new.block_bitmap, new.inode_bitmap]
                .iter()
                .any(|block| changed.contains(block))
            && !census.inodes.is_changed_within(inodes.start, inodes.end)
            && !census.directories.is_changed_within(inodes.start, inodes.end)
    }

    /// The inodes that the changed blocks have to do with.
    fn touched(&self, fs: &Fs, changed: &BTreeSet<FsBlock>) -> Result<BTreeSet<InodeNo>, ExtError> {
        let readers = changed.iter().filter_map(|block| self.readers.get(block));
        let mut touched: BTreeSet<InodeNo> = readers.copied().collect();
        let geometry = fs.superblock.geometry();
        for group in geometry.groups() {
            let table = fs.groups.get(group)?.inode_table;
            let (old, new) = (used_inodes(&self.fs, group)?, used_inodes(fs, group)?);
            let first = first_inode(fs, group);
            let number = |place: u32| InodeNo::new(first.saturating_add(place));
            touched.extend((old.min(new)..old.max(new)).filter_map(number));
            for block in changed.range(table..table.plus(geometry.inode_table_blocks())) {
                let start = u32::try_from(block.0.saturating_sub(table.0)).unwrap_or(u32::MAX);
                let start = start.saturating_mul(geometry.inodes_per_block());
                let places = self.differing_places(fs, *block)?;
                let places = places.into_iter().map(|place| start.saturating_add(place));
                let inside = places.filter(|place| *place < geometry.inodes_per_group);
                touched.extend(inside.filter_map(number));
            }
        }
        Ok(touched)
    }

    /// Which inodes of a table's `block`, counted from its first, are not the same bytes in both file systems.
    fn differing_places(&self, fs: &Fs, block: FsBlock) -> Result<Vec<u32>, ExtError> {
        let inode_len = fs.superblock.geometry().inode_len();
        let (old, new) = (self.fs.read_block(block)?, fs.read_block(block)?);
        let inodes = old.chunks(inode_len).zip(new.chunks(inode_len));
        let places = (0..).zip(inodes).filter(|(_, (old, new))| old != new);
        Ok(places.map(|(place, _)| place).collect())
    }

    /// Takes out of `census` and `claims`, which are still this file system's, what the inodes of `touched` put there.
    fn take_out(
        &self,
        touched: &BTreeSet<InodeNo>,
        census: &mut Census,
        claims: &mut Claims,
        report: &mut Report,
    ) -> Result<Remembered, ExtError> {
        let mut old = (Census::default(), Claims::none(&self.fs));
        put_in(&self.fs, touched, &mut old.0, &mut old.1, report)?;
        for (block, owners) in &old.0.attribute_blocks {
            let left = census
                .attribute_blocks
                .get(block)
                .map_or(0, |all| all.saturating_sub(*owners));
            if left > 0 {
                census.attribute_blocks.insert(*block, left);
                old.1.release_block(*block);
            } else {
                census.attribute_blocks.remove(block);
            }
        }
        claims.release(&old.1);
        for (inode, _) in old.0.directories.own() {
            let entries = read_names(&self.fs, inode, &self.census, report)?;
            uncount(census, inode, &entries);
        }
        if self
            .fs
            .superblock
            .journal_inode()
            .is_some_and(|journal| touched.contains(&journal))
        {
            census.journal = None;
        }
        let removed = touched.iter().filter_map(|inode| {
            let directory = census.directories.remove(inode);
            census
                .inodes
                .remove(inode)
                .map(|known| (*inode, (known, directory)))
        });
        Ok(removed.collect())
    }
}

/// Judges the inodes of `touched` and puts them into `census`, what they own into `claims`.
fn put_in(
    fs: &Fs,
    touched: &BTreeSet<InodeNo>,
    census: &mut Census,
    claims: &mut Claims,
    report: &mut Report,
) -> Result<(), ExtError> {
    let inode_len = fs.superblock.geometry().inode_len();
    let mut used = (GroupNo(u32::MAX), 0);
    let mut table = (FsBlock(u64::MAX), Box::default());
    for inode in touched {
        let (group, place) = fs.group_of_inode(*inode)?;
        if used.0 != group {
            used = (group, used_inodes(fs, group)?);
        }
        if place >= used.1 {
            continue;
        }
        let (block, start) = fs.inode_place(*inode)?;
        if table.0 != block {
            table = (block, fs.read_block(block)?);
        }
        let bytes = table.1.get(start..).and_then(|rest| rest.get(..inode_len));
        if let Some(bytes) = bytes.filter(|bytes| !is_zero(bytes)) {
            inodes::judge(fs, &Node::new(*inode, bytes.to_vec()), census, claims, report)?;
        }
    }
    Ok(())
}

/// Takes back what [`count`] counted of the entries of the directory `inode`.
fn uncount(census: &mut Census, inode: InodeNo, entries: &[Named]) {
    for named in entries {
        if let Some(known) = census.inodes.get_mut(&named.target) {
            known.names_count = known.names_count.saturating_sub(1);
        }
        if named.name == Name::Own
            && let Some(child) = census.directories.get_mut(&named.target)
        {
            child.named_in = child.named_in.filter(|named_in| *named_in != inode);
        }
    }
}

/// Gives the inodes that were judged anew the names that they have in directories that were not; false if one is not
/// what these directories say.
fn restore_names(remembered: &Remembered, census: &mut Census) -> bool {
    let named = remembered.iter().filter(|(_, (known, _))| known.names_count > 0);
    for (inode, (old, directory)) in named {
        let Some(new) = census.inodes.get_mut(inode) else {
            return false;
        };
        if (new.kind, new.is_hidden) != (old.kind, old.is_hidden) {
            return false;
        }
        new.names_count = old.names_count;
        if let Some(old) = directory {
            let Some(new) = census.directories.get_mut(inode) else {
                return false;
            };
            new.named_in = old.named_in;
        }
    }
    true
}

/// The blocks of `fs` that hold any byte of `changed`.
fn blocks_of(fs: &Fs, changed: &[Range<u64>]) -> BTreeSet<FsBlock> {
    let bytes = u64::from(fs.block_size().bytes());
    let block = |offset: u64| offset.checked_div(bytes).unwrap_or(0);
    let numbers = changed
        .iter()
        .filter(|range| !range.is_empty())
        .flat_map(|range| block(range.start)..=block(range.end.saturating_sub(1)));
    numbers.map(FsBlock).collect()
}

/// The superblock without what edits of any kind change.
fn lasting(fs: &Fs) -> Vec<u8> {
    let mut raw = fs.superblock.raw().clone();
    for counter in [
        &mut raw.s_free_blocks_count_lo,
        &mut raw.s_free_blocks_count_hi,
        &mut raw.s_free_inodes_count,
        &mut raw.s_wtime,
        &mut raw.s_checksum,
    ] {
        counter.set(0);
    }
    raw.s_wtime_hi = 0;
    raw.s_uuid = [0; 16];
    raw.as_bytes().to_vec()
}

#[cfg(test)]
mod tests;
