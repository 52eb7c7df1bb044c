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
    for (inode, known) in census.inodes.iter().filter(|(_, known)| !known.is_hidden) {
        judge_names(census, fs, *inode, *known, report);
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

/// Finds directories that have names, but in a circle of their own.
fn judge_reach(census: &Census, report: &mut Report) {
    let mut children: BTreeMap<InodeNo, Vec<InodeNo>> = BTreeMap::new();
    for (inode, directory) in &census.directories {
        if let Some(parent) = directory.named_in {
            children.entry(parent).or_default().push(*inode);
        }
    }
    let tops = census
        .directories
        .iter()
        .filter(|(_, directory)| directory.named_in.is_none());
    let mut waiting: Vec<InodeNo> = tops.map(|(inode, _)| *inode).collect();
    let mut reached: BTreeSet<InodeNo> = waiting.iter().copied().collect();
    while let Some(inode) = waiting.pop() {
        let below = children.get(&inode).into_iter().flatten();
        waiting.extend(below.copied().filter(|child| reached.insert(*child)));
    }
    for inode in census.directories.keys().filter(|inode| !reached.contains(inode)) {
        report.add(
            Place::Inode(*inode),
            "path",
            "from the root",
            "a circle of directories",
        );
    }
}
