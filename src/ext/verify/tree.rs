//! The tree as a whole: everything in use has its names, and every directory is reached from the root.

use std::collections::{BTreeMap, BTreeSet};

use super::census::{Census, Known};
use super::finding::Report;
use crate::base::FileKind;
use crate::ext::error::Place;
use crate::ext::feature;
use crate::ext::fs::Fs;
use crate::ext::types::InodeNo;

/// Directories with more subdirectories than they can count say that they have one link.
const LINKS_MAX: u32 = 65_000;

/// Holds the names that were found against what inodes say of themselves.
pub(super) fn judge(census: &Census, fs: &Fs, report: &mut Report) {
    if !census.directories.contains_key(&InodeNo::ROOT) {
        report.add(
            Place::Inode(InodeNo::ROOT),
            "root directory",
            "a directory",
            "none",
        );
        return;
    }
    // What has not changed was judged when the census was settled.
    for inode in census.changed() {
        if let Some(known) = census.inodes.get(&inode).filter(|known| !known.is_hidden) {
            judge_names(census, fs, inode, *known, report);
        }
    }
    judge_reach(census, report);
}

fn judge_names(census: &Census, fs: &Fs, inode: InodeNo, known: Known, report: &mut Report) {
    let place = Place::Inode(inode);
    let directory = census.directories.get(&inode);
    let is_attached = match directory {
        Some(directory) => inode == InodeNo::ROOT || directory.named_in.is_some(),
        None => known.names_count > 0,
    };
    if !is_attached {
        report.add(place, "names", "at least one", "none");
    }
    let may_lose_count = fs.superblock.features().has(feature::DIR_NLINK)
        && known.kind == Some(FileKind::Directory)
        && known.names_count > LINKS_MAX;
    if u32::from(known.links_count) != known.names_count && !(may_lose_count && known.links_count == 1) {
        report.add(place, "links count", known.names_count, known.links_count);
    }
    if let Some(directory) = directory {
        let expected = if inode == InodeNo::ROOT {
            Some(inode)
        } else {
            directory.named_in
        };
        if let (Some(expected), true) = (expected, expected != directory.parent) {
            let found = directory.parent.map_or(0, InodeNo::get);
            report.add(place, "parent directory", expected, found);
        }
    }
}

/// Finds directories that have names, but in a circle of their own: in each circle there is one that has changed.
fn judge_reach(census: &Census, report: &mut Report) {
    let mut known = BTreeMap::new();
    for (inode, directory) in census.directories.own() {
        if directory.is_some() && !is_reached(census, inode, &mut known) {
            report.add(
                Place::Inode(inode),
                "path",
                "from the root",
                "a circle of directories",
            );
        }
    }
}

/// Whether the way up from `inode` ends, at the root or where a name is missing; what is `known` of others spares the rest
/// of the way.
fn is_reached(census: &Census, inode: InodeNo, known: &mut BTreeMap<InodeNo, bool>) -> bool {
    let mut way = BTreeSet::new();
    let mut place = inode;
    let is_reached = loop {
        if let Some(known) = known.get(&place) {
            break *known;
        }
        let Some(directory) = census.directories.get(&place).filter(|_| way.insert(place)) else {
            break false;
        };
        match directory.named_in {
            Some(parent) => place = parent,
            None => break true,
        }
    };
    known.extend(way.into_iter().map(|place| (place, is_reached)));
    is_reached
}
