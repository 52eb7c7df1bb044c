//! Checking a file system that differs from a checked one in a few blocks, by looking at what these have to do with.
//!
//! ```text
//!   changed blocks --> inodes: those in changed tables, those whose maps, entries or links lie in changed blocks
//!   these inodes   --> taken out of what was found then, with their blocks and the names in their directories
//!                  --> judged as they are now, and put in
//!   all of it      --> names, tree, bitmaps and counts judged as ever
//! ```
//!
//! Whatever else could make a difference, and whatever is not in order, is left to the full check: what is said to be
//! clean is clean, and findings are always its own.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use zerocopy::IntoBytes as _;

use super::census::{Census, Directory, Known, first_inode, used_inodes};
use super::claims::Claims;
use super::directories::{Name, Named, count, read_names};
use super::finding::{Finding, Report};
use super::{attributes, inodes, judge_whole, survey};
use crate::block::is_zero;
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
        lasting(fs) == lasting(&self.fs)
            && fs.blocks.is_empty()
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
        judge_whole(fs, &census, &claims, &mut report)?;
        Ok(report.is_empty())
    }

    /// The inodes that the changed blocks have to do with.
    fn touched(&self, fs: &Fs, changed: &BTreeSet<FsBlock>) -> Result<BTreeSet<InodeNo>, ExtError> {
        let readers = changed.iter().filter_map(|block| self.readers.get(block));
        let mut touched: BTreeSet<InodeNo> = readers.copied().collect();
        // It reads blocks that are the tables' of old.
        touched.insert(InodeNo::RESIZE);
        let geometry = fs.superblock.geometry();
        let per_block = geometry.inodes_per_block();
        for group in geometry.groups() {
            let table = fs.groups.get(group)?.inode_table;
            let (old, new) = (used_inodes(&self.fs, group)?, used_inodes(fs, group)?);
            let blocks = changed.range(table..table.plus(geometry.inode_table_blocks()));
            let places = blocks.map(|block| {
                let number = u32::try_from(block.0.saturating_sub(table.0)).unwrap_or(u32::MAX);
                let start = number.saturating_mul(per_block);
                start..start.saturating_add(per_block).min(geometry.inodes_per_group)
            });
            let exposed = old.min(new)..old.max(new);
            let first = first_inode(fs, group);
            let numbers = places.chain([exposed]).flatten();
            touched.extend(numbers.filter_map(|place| InodeNo::new(first.saturating_add(place))));
        }
        Ok(touched)
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
        for inode in old.0.directories.keys() {
            let entries = read_names(&self.fs, *inode, &self.census, report)?;
            uncount(census, *inode, &entries);
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
mod tests {
    use super::*;
    use crate::block::{BlockDevice as _, FileDevice, Overlay};
    use crate::ext::NewNode;
    use crate::ext::testing::{KINDS, NOW, TestImage, pattern};
    use std::sync::Arc;

    const NEW: NewNode = NewNode {
        mode: 0o755,
        uid: 0,
        gid: 0,
    };

    /// What a host's configuration does, and more: edits of every kind that moves inodes, names or blocks.
    fn edit(fs: &mut Fs) -> Result<(), ExtError> {
        let find = |fs: &Fs, name: &[u8]| Ok::<_, ExtError>(fs.find_entry(InodeNo::ROOT, name)?.unwrap());
        let home = fs.mkdir(InodeNo::ROOT, b"home", NEW)?;
        for number in 0..60_usize {
            let file = fs.create_file(home, format!("file {number}").as_bytes(), NEW)?;
            fs.append(file, &vec![7; number * 700])?;
        }
        fs.rename((home, b"file 9"), (InodeNo::ROOT, b"moved"))?;
        let (etc, middle, many) = (find(fs, b"etc")?, find(fs, b"middle")?, find(fs, b"many")?);
        fs.link(middle, home, b"again")?;
        fs.symlink(home, b"long", &[b'x'; 300], NEW)?;
        fs.rename((InodeNo::ROOT, b"empty"), (etc, b"empty"))?;
        fs.unlink(many, b"file-with-a-rather-long-name-7")?;
        fs.create_file(many, b"new", NEW)?;
        fs.remove_tree(InodeNo::ROOT, b"sparse")?;
        fs.truncate(find(fs, b"large")?, 300_000)?;
        fs.set_mode(etc, 0o700)?;
        // A new value in an inode of 128 bytes needs a block of attributes.
        fs.set_xattr(etc, b"user.note", b"value")?;
        fs.set_xattr(middle, b"user.note", b"value")?;
        fs.commit()
    }

    fn overlay_over(image: &TestImage) -> Overlay {
        Overlay::new(Arc::new(FileDevice::open(&image.path()).unwrap()))
    }

    #[test]
    fn edits_are_found_clean_without_the_full_check() {
        for options in KINDS {
            let image = TestImage::new(options, "24M");
            let ground = overlay_over(&image);
            let checked = image.open().into_checked().unwrap().unwrap();
            let overlay = Arc::new(ground.fork());
            let mut fs = Fs::open_for_edit(overlay.clone(), NOW).unwrap();
            edit(&mut fs).unwrap();
            let changed = blocks_of(&fs, &overlay.differing(&ground));
            assert!(checked.is_like(&fs), "{options}");
            assert!(checked.is_clean(&fs, &changed).unwrap(), "{options}");
            assert_eq!(fs.check().unwrap(), [], "{options}");
        }
    }

    #[test]
    fn what_the_full_check_finds_is_not_called_clean() {
        let (mut damaged, mut clean) = (0, 0);
        for options in KINDS {
            let image = TestImage::new(options, "24M");
            let ground = overlay_over(&image);
            let checked = image.open().into_checked().unwrap().unwrap();
            let edited = Arc::new(ground.fork());
            edit(&mut Fs::open_for_edit(edited.clone(), NOW).unwrap()).unwrap();
            let size = checked.fs.block_size();
            let group = checked.fs.group(GroupNo(0)).unwrap();
            let tables = [
                group.block_bitmap,
                group.inode_bitmap,
                group.inode_table,
                group.inode_table.plus(1),
            ];
            let blocks = checked.readers.keys().copied().chain(tables.repeat(5));
            let starts: Vec<u64> = blocks.map(|block| block.byte_offset(size)).collect();
            for place in pattern(280, 5).chunks(4) {
                let start = starts[usize::from(u16::from_le_bytes([place[0], place[1]])) % starts.len()];
                let overlay = Arc::new(edited.fork());
                let offset = start + u64::from(place[2]);
                let mut byte = [0];
                overlay.read_at(offset, &mut byte).unwrap();
                overlay.write_at(offset, &[byte[0] ^ place[3]]).unwrap();
                let Ok(fs) = Fs::open(overlay.clone()) else {
                    continue;
                };
                let changed = blocks_of(&fs, &overlay.differing(&ground));
                let Ok(findings) = fs.check() else {
                    continue;
                };
                let is_clean = checked.is_like(&fs) && checked.is_clean(&fs, &changed).unwrap();
                assert!(
                    !is_clean || findings.is_empty(),
                    "{options}: byte {offset}: {findings:?}"
                );
                damaged += i32::from(!findings.is_empty());
                clean += i32::from(is_clean);
            }
        }
        assert!(damaged > 200 && clean > 100, "{damaged} damaged, {clean} clean");
    }
}
