//! The entries of every directory: each block sound, each name once, each name for an inode in use
//! (<https://docs.kernel.org/filesystems/ext4/directory.html>).

use std::collections::{BTreeMap, BTreeSet};

use zerocopy::FromBytes as _;

use super::census::{Census, Directory};
use super::finding::Report;
use super::hash_tree::{self, Index};
use crate::base::FileKind;
use crate::ext::checksum::crc32c_raw;
use crate::ext::dir::{EntryView, code_of, entries};
use crate::ext::error::{ExtError, Place};
use crate::ext::feature;
use crate::ext::fs::Fs;
use crate::ext::raw::RawDirTail;
use crate::ext::types::{FileBlock, InodeNo, wide};

const TAIL_LEN: usize = size_of::<RawDirTail>();
const TAIL_TYPE: u8 = 0xDE;

/// How many directories ahead the device is told what will be read.
const FORESEEN: usize = 512;

/// Whom an entry names, and by which kind of name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named {
    pub(super) target: InodeNo,
    pub(super) name: Name,
}

/// The kinds of names in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    /// `.`
    Itself,
    /// `..`
    Parent,
    /// Any other, under which something lies here.
    Own,
}

impl Name {
    fn of(name: &[u8]) -> Self {
        match name {
            b"." => Self::Itself,
            b".." => Self::Parent,
            _ => Self::Own,
        }
    }
}

/// The walk through one directory.
struct Walk<'a> {
    fs: &'a Fs,
    inode: InodeNo,
    directory: Directory,
    index: Index,
    names: BTreeSet<Vec<u8>>,
    found: Vec<Named>,
}

/// Reads all directories of `census` and counts there who is named how often.
pub(super) fn count_names(fs: &Fs, census: &mut Census, report: &mut Report) -> Result<(), ExtError> {
    let directories: Vec<InodeNo> = census.directories.own().map(|(inode, _)| inode).collect();
    for directories in directories.chunks(FORESEEN) {
        let known = directories
            .iter()
            .filter_map(|inode| census.directories.get(inode));
        fs.will_read(known.flat_map(|known| known.places.values().copied()).collect());
        for inode in directories {
            let entries = read_names(fs, *inode, census, report)?;
            count(census, *inode, &entries, report);
        }
    }
    Ok(())
}

/// Judges the entries of the directory `inode`, and answers those that are sound.
pub(super) fn read_names(
    fs: &Fs,
    inode: InodeNo,
    census: &Census,
    report: &mut Report,
) -> Result<Vec<Named>, ExtError> {
    let Some(directory) = census.directories.get(&inode).cloned() else {
        return Ok(Vec::new());
    };
    let held = wide(directory.places.len());
    report.compare(
        Place::Inode(inode),
        "blocks of the directory",
        directory.blocks_count,
        held,
    );
    let index = if directory.has_index {
        hash_tree::judge(fs, inode, &directory, report)?
    } else {
        Index::default()
    };
    let mut walk = Walk {
        fs,
        inode,
        directory,
        index,
        names: BTreeSet::new(),
        found: Vec::new(),
    };
    walk.inline(census, report)?;
    walk.blocks(census, report)?;
    Ok(walk.found)
}

/// Counts the entries that the directory `inode` holds.
pub(super) fn count(census: &mut Census, inode: InodeNo, found: &[Named], report: &mut Report) {
    let mut parent = None;
    for named in found {
        let target = named.target;
        if let Some(known) = census.inodes.get_mut(&target) {
            known.names_count = known.names_count.saturating_add(1);
        }
        match named.name {
            Name::Itself => {}
            Name::Parent => parent = Some(target),
            Name::Own => {
                if let Some(child) = census.directories.get_mut(&target) {
                    if let Some(other) = child.named_in {
                        report.add(
                            Place::Inode(target),
                            "names of a directory",
                            format_args!("one, in inode {other}"),
                            "another",
                        );
                    }
                    child.named_in = Some(inode);
                }
            }
        }
    }
    if let Some(directory) = census.directories.get_mut(&inode) {
        directory.parent = parent;
    }
}

impl Walk<'_> {
    /// The entries of a directory that lies in its inode; it has none for itself and for its parent.
    fn inline(&mut self, census: &Census, report: &mut Report) -> Result<(), ExtError> {
        let Some(content) = self.directory.inline.take() else {
            return Ok(());
        };
        self.found.push(Named {
            target: self.inode,
            name: Name::Itself,
        });
        if let Some(target) = content.parent() {
            let name = Name::Parent;
            self.found.push(Named { target, name });
        }
        let place = Place::Inode(self.inode);
        let has_filetype = self.fs.superblock.features().has(feature::FILETYPE);
        for area in content.areas() {
            for entry in entries(area, has_filetype, place) {
                let Some(entry) = report.absorb(entry)? else {
                    break;
                };
                self.entry(place, 0, &entry, None, census, report);
            }
        }
        Ok(())
    }

    fn blocks(&mut self, census: &Census, report: &mut Report) -> Result<(), ExtError> {
        let places: BTreeMap<_, _> = std::mem::take(&mut self.directory.places);
        for (number, block) in places {
            let place = Place::Directory(self.inode, FileBlock(number));
            let bytes = self.fs.read_block(block)?;
            let body = if self.index.is_node(number) {
                &bytes[..]
            } else {
                self.leaf(place, &bytes, report)
            };
            let has_filetype = self.fs.superblock.features().has(feature::FILETYPE);
            for (position, entry) in entries(body, has_filetype, place).enumerate() {
                let Some(entry) = report.absorb(entry)? else {
                    break;
                };
                let dot = match (number, position) {
                    (0, 0) => Some(&b"."[..]),
                    (0, 1) => Some(&b".."[..]),
                    _ => None,
                };
                self.entry(place, number, &entry, dot, census, report);
            }
        }
        Ok(())
    }

    /// A leaf without its tail, whose checksum is judged here.
    fn leaf<'b>(&self, place: Place, bytes: &'b [u8], report: &mut Report) -> &'b [u8] {
        let Some(seed) = self.directory.seed else {
            return bytes;
        };
        let (body, tail) = bytes
            .split_at_checked(bytes.len().saturating_sub(TAIL_LEN))
            .unwrap_or((bytes, &[]));
        match RawDirTail::ref_from_bytes(tail) {
            Ok(tail) if tail.det_reserved_ft == TAIL_TYPE && tail.det_rec_len.get() == 12 => {
                report.compare_checksums(place, Some(crc32c_raw(seed, body)), tail.det_checksum.get());
                body
            }
            _ => {
                report.add(place, "checksum", "one at the block's end", "none");
                bytes
            }
        }
    }

    fn entry(
        &mut self,
        place: Place,
        number: u32,
        entry: &EntryView<'_>,
        dot: Option<&[u8]>,
        census: &Census,
        report: &mut Report,
    ) {
        if dot.is_some_and(|dot| entry.inode.is_none() || entry.name != dot) {
            let expected = dot.unwrap_or_default().escape_ascii().to_string();
            report.add(place, "first entries", expected, entry.name.escape_ascii());
        }
        let Some(target) = entry.inode else {
            return;
        };
        if dot == Some(b".") {
            report.compare(place, "inode of `.`", self.inode, target);
        }
        let is_name = dot.is_some() || !matches!(entry.name, b"." | b"..");
        if !is_name || entry.name.iter().any(|byte| matches!(byte, 0 | b'/')) || entry.name.len() > 255 {
            report.add(place, "name", "a file name", entry.name.escape_ascii());
            return;
        }
        if !self.names.insert(entry.name.to_vec()) {
            report.add(
                place,
                "names in the directory",
                "each once",
                entry.name.escape_ascii(),
            );
        }
        match census.inodes.get(&target) {
            Some(known) if !known.is_hidden => self.kind(place, entry, known.kind, report),
            _ => {
                let found = format_args!("inode {target}, named `{}`", entry.name.escape_ascii()).to_string();
                report.add(place, "inode of an entry", "one in use", found);
                return;
            }
        }
        if dot.is_none() {
            self.index.judge_name(place, number, entry.name, report);
        }
        let name = Name::of(entry.name);
        self.found.push(Named { target, name });
    }

    /// Compares an entry's type code with what the inode says.
    fn kind(&self, place: Place, entry: &EntryView<'_>, kind: Option<FileKind>, report: &mut Report) {
        let has_filetype = self.fs.superblock.features().has(feature::FILETYPE);
        if let Some(expected) = kind.map(code_of)
            && has_filetype
            && expected != entry.code
        {
            let found = format_args!("{} of `{}`", entry.code, entry.name.escape_ascii()).to_string();
            report.add(place, "file type of an entry", expected, found);
        }
    }
}
