//! Storing a changed map: the tree is built anew in the blocks of the old one, what it needs more is allocated, what
//! it needs less is freed.

use std::collections::BTreeMap;

use zerocopy::IntoBytes as _;

use super::extents::{ENTRY_LEN, LONGEST, MAGIC, capacity, checksum_place};
use super::indirect::{levels, span};
use super::{FileMap, Run};
use crate::ext::checksum::crc32c_raw;
use crate::ext::error::ExtError;
use crate::ext::fs::Fs;
use crate::ext::inode::{FLAG_EXTENTS, FLAG_HUGE_FILE, Node};
use crate::ext::raw::{RawExtent, RawExtentHeader, RawExtentIndex};
use crate::ext::types::{FsBlock, index, split64, wide};

/// A tree while it is built.
struct Builder<'a> {
    fs: &'a mut Fs,
    node: &'a Node,
    runs: &'a [Run],
    /// Blocks of the old tree that are not used again yet.
    old: BTreeMap<(u32, u32), FsBlock>,
    used: BTreeMap<(u32, u32), FsBlock>,
    goal: FsBlock,
}

impl Fs {
    /// Makes `runs` the content of `node`, whose blocks are those of `old` now; the caller has allocated and freed the
    /// content itself, and stores the node.
    pub(crate) fn store_map(
        &mut self,
        node: &mut Node,
        old: FileMap,
        runs: Vec<Run>,
    ) -> Result<FileMap, ExtError> {
        let before = old.all_blocks();
        let goal = runs
            .first()
            .map_or_else(|| self.inode_goal(node), |run| run.start);
        let mut builder = Builder {
            fs: self,
            node,
            runs: &runs,
            old: old.tree,
            used: BTreeMap::new(),
            goal,
        };
        let i_block = if builder.node.has_flag(FLAG_EXTENTS) {
            builder.extents()?
        } else {
            builder.pointers()?
        };
        let (surplus, tree) = (builder.old, builder.used);
        for block in surplus.into_values() {
            self.free_blocks(block, 1)?;
        }
        let map = FileMap { runs, tree };
        node.raw_mut().i_block = i_block;
        self.count_blocks(node, before, map.all_blocks())?;
        Ok(map)
    }

    /// Brings the count of blocks that `node` takes from `before` to `after`, which may leave out others.
    pub(crate) fn count_blocks(&self, node: &mut Node, before: u64, after: u64) -> Result<(), ExtError> {
        let unit = if node.has_flag(FLAG_HUGE_FILE) {
            1
        } else {
            u64::from(self.block_size().bytes()).wrapping_shr(9)
        };
        let count = node.blocks_field().saturating_add(after.saturating_mul(unit));
        let count = count.saturating_sub(before.saturating_mul(unit));
        let limit = u64::from(u32::MAX);
        if count > limit {
            return Err(ExtError::TooLarge {
                inode: node.number(),
                len_bytes: count.saturating_mul(512),
                limit_bytes: limit.saturating_mul(512),
            });
        }
        node.set_blocks_field(count);
        Ok(())
    }
}

impl Builder<'_> {
    /// The block for a place of the tree: the old one, or any old one for `is_any`, or a new one.
    fn tree_block(&mut self, key: (u32, u32), is_any: bool) -> Result<FsBlock, ExtError> {
        let old = if is_any {
            self.old.pop_first().map(|(_, block)| block)
        } else {
            self.old.remove(&key)
        };
        let block = match old {
            Some(block) => block,
            None => self.fs.allocate_block(self.goal)?,
        };
        self.used.insert(key, block);
        Ok(block)
    }

    /// Puts `bytes` into `block`, if they are not there already.
    fn put(&mut self, block: FsBlock, bytes: Vec<u8>) -> Result<(), ExtError> {
        if *self.fs.read_block(block)? != bytes {
            self.fs.put_block(block, bytes.into());
        }
        Ok(())
    }

    /// Builds the extent tree bottom up; answers the root.
    fn extents(&mut self) -> Result<[u8; 60], ExtError> {
        let mut entries: Vec<(u32, [u8; ENTRY_LEN])> = Vec::new();
        for run in self.runs {
            push_extents(*run, &mut entries);
        }
        let mut root = [0; 60];
        let block_len = self.fs.block_size().buffer_len();
        let mut depth = 0_u16;
        while entries.len() > capacity(root.len()) {
            let mut above = Vec::new();
            for chunk in entries.chunks(capacity(block_len)) {
                let first = chunk.first().map_or(0, |(first, _)| *first);
                let block = self.tree_block((u32::from(depth).saturating_add(1), first), true)?;
                let mut bytes = vec![0; block_len];
                fill_node(&mut bytes, chunk, depth);
                self.seal(&mut bytes);
                self.put(block, bytes)?;
                above.push((first, index_entry(first, block)));
            }
            entries = above;
            depth = depth.saturating_add(1);
        }
        fill_node(&mut root, &entries, depth);
        Ok(root)
    }

    fn seal(&self, bytes: &mut [u8]) {
        let checksums = self.fs.superblock.checksums();
        let Some(seed) = checksums.inode_seed(self.node.number(), self.node.generation()) else {
            return;
        };
        let place = checksum_place(bytes.len());
        if let Some((covered, tail)) = bytes.split_at_mut_checked(place)
            && let Some(tail) = tail.first_chunk_mut()
        {
            *tail = crc32c_raw(seed, covered).to_le_bytes();
        }
    }

    /// Builds the trees of block pointers; answers the inode's own pointers.
    fn pointers(&mut self) -> Result<[u8; 60], ExtError> {
        let per_block = self.fs.block_size().bytes().wrapping_shr(2);
        let mut root = [0; 60];
        let mut first = 0_u64;
        for (place, level) in root.as_chunks_mut::<4>().0.iter_mut().zip(levels()) {
            *place = self.pointer(level, first, per_block)?.to_le_bytes();
            first = first.saturating_add(span(level, per_block));
        }
        Ok(root)
    }

    /// The pointer for the file blocks that begin with `first`; 0 for a hole.
    fn pointer(&mut self, level: u32, first: u64, per_block: u32) -> Result<u32, ExtError> {
        let place = self.runs.partition_point(|run| run.end() <= first);
        let end = first.saturating_add(span(level, per_block));
        let Some(run) = self.runs.get(place).filter(|run| u64::from(run.file_block) < end) else {
            return Ok(0);
        };
        let first_block = u32::try_from(first).unwrap_or(u32::MAX);
        let block = match level.checked_sub(1) {
            None => run.tail_from(first_block).map_or(FsBlock(0), |run| run.start),
            Some(below) => {
                let block = self.tree_block((level, first_block), false)?;
                let mut bytes = vec![0; self.fs.block_size().buffer_len()];
                let mut child = first;
                for place in bytes.as_chunks_mut::<4>().0 {
                    *place = self.pointer(below, child, per_block)?.to_le_bytes();
                    child = child.saturating_add(span(below, per_block));
                }
                self.put(block, bytes)?;
                block
            }
        };
        u32::try_from(block.0).map_err(|_| self.fs.no_space(1))
    }
}

/// Adds `run` as extents, none longer than an extent can be.
fn push_extents(run: Run, entries: &mut Vec<(u32, [u8; ENTRY_LEN])>) {
    let longest = if run.is_unwritten {
        LONGEST.saturating_sub(1)
    } else {
        LONGEST
    };
    let mut rest = Some(run);
    while let Some(run) = rest {
        let count = u16::try_from(run.count).unwrap_or(u16::MAX).min(longest);
        let (low, high) = split64(run.start.0);
        let extent = RawExtent {
            ee_block: run.file_block.into(),
            ee_len: if run.is_unwritten {
                count.saturating_add(LONGEST)
            } else {
                count
            }
            .into(),
            ee_start_hi: u16::try_from(high).unwrap_or(u16::MAX).into(),
            ee_start_lo: low.into(),
        };
        entries.push((run.file_block, zerocopy::transmute!(extent)));
        rest = run.tail_from(run.file_block.saturating_add(count.into()));
    }
}

/// How many blocks an extent tree for `runs` takes besides the inode.
pub(crate) fn extent_tree_blocks(runs: &[Run], block_len: usize) -> u64 {
    let longest = |run: &Run| u32::from(LONGEST).saturating_sub(run.is_unwritten.into());
    let mut entries = runs.iter().fold(0_usize, |sum, run| {
        sum.saturating_add(index(run.count.div_ceil(longest(run))))
    });
    let mut blocks = 0_usize;
    while entries > capacity(60) {
        entries = entries.div_ceil(capacity(block_len).max(2));
        blocks = blocks.saturating_add(entries);
    }
    wide(blocks)
}

fn index_entry(first: u32, block: FsBlock) -> [u8; ENTRY_LEN] {
    let (low, high) = split64(block.0);
    let entry = RawExtentIndex {
        ei_block: first.into(),
        ei_leaf_lo: low.into(),
        ei_leaf_hi: u16::try_from(high).unwrap_or(u16::MAX).into(),
        ei_unused: 0.into(),
    };
    zerocopy::transmute!(entry)
}

fn fill_node(bytes: &mut [u8], entries: &[(u32, [u8; ENTRY_LEN])], depth: u16) {
    let most = capacity(bytes.len());
    let header = RawExtentHeader {
        eh_magic: MAGIC.into(),
        eh_entries: u16::try_from(entries.len()).unwrap_or(u16::MAX).into(),
        eh_max: u16::try_from(most).unwrap_or(u16::MAX).into(),
        eh_depth: depth.into(),
        eh_generation: 0.into(),
    };
    let (places, _) = bytes.as_chunks_mut::<ENTRY_LEN>();
    let mut places = places.iter_mut();
    if let Some(place) = places.next() {
        place.copy_from_slice(header.as_bytes());
    }
    for (place, (_, entry)) in places.zip(entries) {
        *place = *entry;
    }
}

/// An empty root, as a new inode has it.
pub(crate) fn empty_root() -> [u8; 60] {
    let mut root = [0; 60];
    fill_node(&mut root, &[], 0);
    root
}
