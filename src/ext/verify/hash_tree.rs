//! The hash tree of a large directory: its nodes, their order and checksums, and which names a leaf may hold
//! (<https://docs.kernel.org/filesystems/ext4/directory.html#hash-tree-directories>).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use zerocopy::FromBytes as _;

use super::census::Directory;
use super::finding::Report;
use crate::ext::checksum::crc32c_raw;
use crate::ext::dir::NameHash;
use crate::ext::error::{ExtError, Place};
use crate::ext::feature;
use crate::ext::fs::Fs;
use crate::ext::raw::{RawDxCountLimit, RawDxEntry, RawDxRootInfo, RawDxTail};
use crate::ext::types::{FileBlock, InodeNo, index};

/// Where the entries of the root begin: behind `.`, `..` and the tree's head.
const ROOT_ENTRIES: usize = 32;
/// Where the entries of another node begin: behind an unused entry that spans the block.
const NODE_ENTRIES: usize = 8;
const ROOT_INFO: usize = 24;
const ENTRY_LEN: usize = 8;

/// What the tree says of the directory's blocks.
#[derive(Debug, Default)]
pub(super) struct Index {
    nodes: BTreeSet<u32>,
    leaves: BTreeMap<u32, Range>,
    hash: Option<NameHash>,
}

/// The hashes that a block may hold, from `start` to `end`. The lowest bit of a border is no part of the hash: set,
/// it says that names with the border's hash lie on both sides.
#[derive(Debug, Clone, Copy)]
struct Range {
    start: u32,
    end: Option<u32>,
}

impl Range {
    fn holds(self, hash: u32) -> bool {
        let is_before_end = self.end.is_none_or(|end| hash < end);
        hash >= self.start & !1 && is_before_end
    }
}

/// The walk through one tree.
struct TreeWalk<'a> {
    fs: &'a Fs,
    inode: InodeNo,
    directory: &'a Directory,
    report: &'a mut Report,
    index: Index,
    is_whole: bool,
}

/// Judges the tree of `directory`, the names aside.
pub(super) fn judge(
    fs: &Fs,
    inode: InodeNo,
    directory: &Directory,
    report: &mut Report,
) -> Result<Index, ExtError> {
    let place = Place::Directory(inode, FileBlock(0));
    let index = Index {
        nodes: BTreeSet::from([0]),
        ..Index::default()
    };
    let mut walk = TreeWalk {
        fs,
        inode,
        directory,
        report,
        index,
        is_whole: true,
    };
    let Some(block) = directory.places.get(&0) else {
        return Ok(walk.index);
    };
    let bytes = fs.read_block(*block)?;
    let Some((info, _)) = bytes
        .get(ROOT_INFO..)
        .and_then(|rest| RawDxRootInfo::ref_from_prefix(rest).ok())
    else {
        return Ok(walk.index);
    };
    let levels_max = if fs.superblock.features().has(feature::LARGE_DIR) {
        2
    } else {
        1
    };
    if NameHash::new(&fs.superblock, info.hash_version).is_none()
        || info.info_length != 8
        || info.indirect_levels > levels_max
    {
        let found =
            format_args!("version {}, {} levels", info.hash_version, info.indirect_levels).to_string();
        walk.report.add(
            place,
            "head of the hash tree",
            format_args!("a known version and levels up to {levels_max}"),
            found,
        );
        return Ok(walk.index);
    }
    walk.index.hash = NameHash::new(&fs.superblock, info.hash_version);
    walk.node(0, &bytes, info.indirect_levels, Range { start: 0, end: None })?;
    for number in directory.places.keys().filter(|_| walk.is_whole) {
        if !walk.index.nodes.contains(number) && !walk.index.leaves.contains_key(number) {
            walk.report.add(
                place,
                "blocks of the hash tree",
                format_args!("block {number} too"),
                "none",
            );
        }
    }
    Ok(walk.index)
}

impl TreeWalk<'_> {
    /// Adds a finding after which part of the tree is not looked at.
    fn broken(
        &mut self,
        place: Place,
        what: &'static str,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) {
        self.is_whole = false;
        self.report.add(place, what, expected, found);
    }

    fn node(&mut self, number: u32, bytes: &[u8], level: u8, range: Range) -> Result<(), ExtError> {
        let place = Place::Directory(self.inode, FileBlock(number));
        let start = if number == 0 { ROOT_ENTRIES } else { NODE_ENTRIES };
        let tail_len = if self.directory.seed.is_some() {
            size_of::<RawDxTail>()
        } else {
            0
        };
        let room = bytes.len().saturating_sub(start).saturating_sub(tail_len) / ENTRY_LEN;
        let area = bytes.get(start..).unwrap_or_default();
        let Ok((head, _)) = RawDxCountLimit::ref_from_prefix(area) else {
            return Ok(());
        };
        let (count, limit) = (index(head.count.get()), index(head.limit.get()));
        if limit != room || count == 0 || count > limit {
            let found = format_args!("{count} of {limit}").to_string();
            self.broken(
                place,
                "entries of the hash tree",
                format_args!("1 to {room} of {room}"),
                found,
            );
            return Ok(());
        }
        self.checksum(place, bytes, start, count, limit);
        let entries =
            <[RawDxEntry]>::ref_from_prefix_with_elems(area, count).map_or(&[][..], |(entries, _)| entries);
        let mut from = range.start;
        for (position, entry) in entries.iter().enumerate() {
            // The first entry has no hash of its own: counts lie there.
            let start = if position == 0 {
                range.start
            } else {
                entry.hash.get()
            };
            let next = entries
                .get(position.saturating_add(1))
                .map(|entry| entry.hash.get());
            let end = next.or(range.end);
            if start < from || end.is_some_and(|end| end < start) {
                self.broken(
                    place,
                    "order of hashes",
                    format_args!("at least {from:#x}"),
                    format_args!("{start:#x}"),
                );
                return Ok(());
            }
            from = start;
            self.child(
                place,
                entry.block.get() & 0x0FFF_FFFF,
                level,
                Range { start, end },
            )?;
        }
        Ok(())
    }

    fn child(&mut self, place: Place, number: u32, level: u8, range: Range) -> Result<(), ExtError> {
        let Some(block) = self.directory.places.get(&number) else {
            self.broken(
                place,
                "block of the hash tree",
                "a block of the directory",
                number,
            );
            return Ok(());
        };
        let is_new = match level {
            0 => !self.index.nodes.contains(&number) && self.index.leaves.insert(number, range).is_none(),
            _ => !self.index.leaves.contains_key(&number) && self.index.nodes.insert(number),
        };
        if !is_new {
            self.broken(
                place,
                "block of the hash tree",
                "each once",
                format_args!("{number} again"),
            );
        } else if level > 0 {
            let bytes = self.fs.read_block(*block)?;
            self.node(number, &bytes, level.saturating_sub(1), range)?;
        }
        Ok(())
    }

    /// The checksum behind the last possible entry covers all that lies before the first unused one, and itself.
    fn checksum(&mut self, place: Place, bytes: &[u8], start: usize, count: usize, limit: usize) {
        let Some(seed) = self.directory.seed else {
            return;
        };
        let end = start.saturating_add(count.saturating_mul(ENTRY_LEN));
        let tail = start.saturating_add(limit.saturating_mul(ENTRY_LEN));
        let Some((tail, _)) = bytes
            .get(tail..)
            .and_then(|rest| RawDxTail::ref_from_prefix(rest).ok())
        else {
            return;
        };
        let covered = bytes.get(..end).unwrap_or_default();
        let reserved = tail.dt_reserved.get().to_le_bytes();
        let register = [covered, &reserved, &[0; 4]].into_iter().fold(seed, crc32c_raw);
        self.report
            .compare_checksums(place, Some(register), tail.dt_checksum.get());
    }
}

impl Index {
    /// Whether block `number` of the directory is one of the tree's own.
    pub(super) fn is_node(&self, number: u32) -> bool {
        self.nodes.contains(&number)
    }

    /// Adds a finding if `name` does not belong into block `number` of the directory; one for each block is enough.
    pub(super) fn judge_name(&mut self, place: Place, number: u32, name: &[u8], report: &mut Report) {
        let (Some(hash), Some(range)) = (self.hash, self.leaves.get(&number)) else {
            return;
        };
        let (hash, _) = hash.of(name);
        if !range.holds(hash) {
            let range = *range;
            self.leaves.remove(&number);
            let end = range.end.unwrap_or(u32::MAX);
            let wanted = format_args!("from {:#x} to {end:#x}", range.start).to_string();
            report.add(
                place,
                "hash of a name",
                wanted,
                format_args!("{hash:#x} of `{}`", name.escape_ascii()),
            );
        }
    }
}
