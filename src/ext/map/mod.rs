//! Which blocks hold a file's content, whichever way the inode says it.
//!
//! ```text
//!   i_block --indirect--\                       /--indirect--> i_block, indirect blocks
//!                        >--> runs of blocks --<
//!   i_block --extents---/     (one FileMap)     \--extents---> i_block, tree blocks
//! ```
//!
//! A map is loaded whole, changed as a list of runs, and stored whole; blocks of the old tree are used again.

mod extents;
mod indirect;
mod runs;
mod store;

use std::collections::BTreeMap;

use super::error::{ExtError, Place};
use super::fs::Fs;
use super::inode::{FLAG_EXTENTS, FLAG_INLINE_DATA, Node};
use super::types::{FsBlock, wide};

pub(crate) use runs::{Run, push, replace};
pub(crate) use store::{empty_root, extent_tree_blocks};

/// The blocks of one file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct FileMap {
    /// The content, by ascending file block, without overlaps; what is between is a hole.
    runs: Vec<Run>,
    /// The blocks of the tree that says so, by level above the content and first file block.
    tree: BTreeMap<(u32, u32), FsBlock>,
}

impl FileMap {
    /// A map of `runs`, to be stored in the blocks of `tree`.
    pub(crate) fn new(runs: Vec<Run>, tree: BTreeMap<(u32, u32), FsBlock>) -> Self {
        Self { runs, tree }
    }

    /// The blocks of the tree, by level above the content and first file block.
    pub(crate) fn tree(&self) -> &BTreeMap<(u32, u32), FsBlock> {
        &self.tree
    }

    /// The runs of content, by ascending file block.
    pub(crate) fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// How many blocks hold content.
    pub(crate) fn content_blocks(&self) -> u64 {
        self.runs
            .iter()
            .fold(0, |sum, run| sum.saturating_add(run.count.into()))
    }

    /// How many blocks the file takes, those of the tree included.
    pub(crate) fn all_blocks(&self) -> u64 {
        self.content_blocks().saturating_add(wide(self.tree.len()))
    }

    /// The run that holds `file_block`, cut to begin there.
    pub(crate) fn find(&self, file_block: u32) -> Option<Run> {
        let after = self.runs.partition_point(|run| run.file_block <= file_block);
        let run = self.runs.get(after.checked_sub(1)?)?;
        run.tail_from(file_block)
    }

    /// The first run that begins after `file_block`.
    pub(crate) fn next_after(&self, file_block: u32) -> Option<&Run> {
        self.runs
            .get(self.runs.partition_point(|run| run.file_block <= file_block))
    }
}

impl Fs {
    /// The blocks of `node`, which must be a regular file, a directory or a link that is not held in the inode.
    pub(crate) fn file_map(&self, node: &Node) -> Result<FileMap, ExtError> {
        let mut loader = Loader {
            fs: self,
            node,
            map: FileMap::default(),
            budget: self.superblock.geometry().blocks_count,
        };
        if node.has_flag(FLAG_INLINE_DATA) {
            // What looks like a map is content.
        } else if node.has_flag(FLAG_EXTENTS) {
            loader.load_extents()?;
        } else {
            loader.load_indirect()?;
        }
        Ok(loader.map)
    }
}

/// A map while it is read. The budget is what keeps a damaged tree, in which blocks appear many times, from being
/// walked without end.
#[derive(Debug)]
struct Loader<'a> {
    fs: &'a Fs,
    node: &'a Node,
    map: FileMap,
    budget: u64,
}

impl Loader<'_> {
    fn spend(&mut self, count: u64) -> Result<(), ExtError> {
        let Some(rest) = self.budget.checked_sub(count) else {
            return Err(ExtError::corrupt(
                Place::Inode(self.node.number()),
                "blocks of the file",
                "no more than the file system has",
                "more",
            ));
        };
        self.budget = rest;
        Ok(())
    }

    /// Notes a block of the tree.
    fn tree_block(&mut self, level: u32, first: u32, block: FsBlock) -> Result<Box<[u8]>, ExtError> {
        self.fs.check_block(self.node.number(), block)?;
        self.spend(1)?;
        self.map.tree.insert((level, first), block);
        self.fs.read_block(block)
    }

    /// Notes content.
    fn content(&mut self, run: Run) -> Result<(), ExtError> {
        self.fs.check_block(self.node.number(), run.start)?;
        let last = run.start.plus(u64::from(run.count).saturating_sub(1));
        self.fs.check_block(self.node.number(), last)?;
        self.spend(run.count.into())?;
        runs::push(&mut self.map.runs, run);
        Ok(())
    }
}
