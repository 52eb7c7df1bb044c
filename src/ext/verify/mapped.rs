//! What the blocks of one inode come to, whichever way they are mapped.

use std::collections::BTreeMap;

use super::claims::{Claim, Claims};
use super::finding::Report;
use crate::ext::error::{ExtError, Place};
use crate::ext::fs::Fs;
use crate::ext::types::{FsBlock, InodeNo};

/// The walk through the map of one inode.
pub(super) struct MapWalk<'a> {
    pub(super) fs: &'a Fs,
    pub(super) claims: &'a mut Claims,
    pub(super) report: &'a mut Report,
    pub(super) inode: InodeNo,
    /// Where the checksums of the inode's own blocks begin.
    pub(super) seed: Option<u32>,
    /// Whether the places of blocks are wanted, as they are of directories.
    pub(super) keeps_places: bool,
    pub(super) mapped: Mapped,
}

/// What a walk found.
#[derive(Debug, Default, Clone)]
pub(super) struct Mapped {
    /// All blocks, those of the map itself included.
    pub(super) blocks_count: u64,
    /// The last block of the file that has content; `None` if none has.
    pub(super) last: Option<u64>,
    /// Where the file's blocks lie, if that was wanted.
    pub(super) places: BTreeMap<u32, FsBlock>,
    /// The blocks of the map itself.
    pub(super) nodes: Vec<FsBlock>,
}

impl Mapped {
    /// Counts further blocks.
    pub(super) fn add(&mut self, count: u64) {
        self.blocks_count = self.blocks_count.saturating_add(count);
    }
}

impl MapWalk<'_> {
    pub(super) fn place(&self) -> Place {
        Place::Inode(self.inode)
    }

    /// Claims blocks for the inode; false if they are not the inode's alone.
    pub(super) fn claim(&mut self, start: FsBlock, count: u64) -> bool {
        let outcome = match self.fs.check_block(self.inode, start) {
            Ok(()) => self.claims.claim(start, count),
            Err(_) => Claim::Outside(start),
        };
        match outcome {
            Claim::Granted => {}
            Claim::Taken(block) => {
                self.report.add(
                    Place::Block(self.inode, block),
                    "owners of the block",
                    "one",
                    "more",
                );
            }
            Claim::Outside(block) => {
                self.report
                    .add(self.place(), "block number", "a block of the file system", block);
                return false;
            }
        }
        self.mapped.blocks_count = self.mapped.blocks_count.saturating_add(count);
        outcome == Claim::Granted
    }

    /// Remembers that the file's blocks from `first` on lie from `start` on.
    pub(super) fn add_data(&mut self, first: u64, start: FsBlock, count: u64) {
        let last = first.saturating_add(count).saturating_sub(1);
        self.mapped.last = self.mapped.last.max(Some(last));
        if self.keeps_places {
            for step in 0..count {
                let place = u32::try_from(first.saturating_add(step)).unwrap_or(u32::MAX);
                self.mapped.places.insert(place, start.plus(step));
            }
        }
    }

    /// Reads a block of the map.
    pub(super) fn read(&mut self, block: FsBlock) -> Result<Box<[u8]>, ExtError> {
        self.mapped.nodes.push(block);
        self.fs.read_block(block)
    }
}
