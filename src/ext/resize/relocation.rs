//! Which block goes where, as a plan: nothing is read or written here.
//!
//! Content keeps together as far as there is room: each run goes to the shortest free range that holds it, and is cut
//! only where there is none. The blocks of extent trees and of indirect pointers are counted and placed too, so that
//! a plan that succeeds cannot run out of space when it is carried out.

use std::collections::{BTreeMap, BTreeSet};

use super::layout::{NewLayout, Shortage};
use super::survey::{Resident, Survey};
use crate::ext::feature;
use crate::ext::layout::BlockRange;
use crate::ext::map::{FileMap, Run, extent_tree_blocks, push};
use crate::ext::types::{FsBlock, InodeNo, index, wide};

/// A plan for everything that moves.
#[derive(Debug, Clone)]
pub(super) struct Relocation {
    pub(super) layout: NewLayout,
    /// Blocks to copy; what is written is never read by another copy.
    pub(super) copies: Vec<Copy>,
    /// Inodes that change, by ascending number.
    pub(super) inodes: Vec<Relinked>,
    /// Attribute blocks by their old places.
    pub(super) attributes: BTreeMap<FsBlock, FsBlock>,
    /// The new place of the resize inode's double indirect block.
    pub(super) resize_map: Option<FsBlock>,
    /// The new place of the block that says who has the file system mounted.
    pub(super) mount_block: Option<FsBlock>,
}

/// Neighbouring blocks to copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Copy {
    pub(super) from: FsBlock,
    pub(super) to: FsBlock,
    pub(super) count: u64,
}

/// An inode that changes.
#[derive(Debug, Clone)]
pub(super) struct Relinked {
    pub(super) inode: InodeNo,
    /// Whether its number lies beyond the new end.
    pub(super) is_renumbered: bool,
    /// How many blocks it had.
    pub(super) old_blocks: u64,
    /// Its blocks, those of the tree being exactly as many as are needed.
    pub(super) map: FileMap,
    pub(super) attributes: Option<FsBlock>,
}

impl Relocation {
    /// Plans where everything in `survey` goes that `layout` has no room for.
    pub(super) fn plan(layout: NewLayout, survey: &Survey) -> Result<Self, Shortage> {
        let raw = layout.superblock.raw();
        let mount_block = layout
            .superblock
            .features()
            .has(feature::MMP)
            .then(|| FsBlock(raw.s_mmp_block.get()));
        let mut planner = Planner {
            relocation: Self {
                layout,
                copies: Vec::new(),
                inodes: Vec::new(),
                attributes: BTreeMap::new(),
                resize_map: None,
                mount_block: None,
            },
            missing: 0,
        };
        if let Some(map) = survey.resize_map {
            planner.relocation.resize_map = planner.single(map);
        }
        if let Some(block) = mount_block
            && let Some(to) = planner.single(block)
        {
            planner.copy(block, to, 1);
            planner.relocation.mount_block = Some(to);
        }
        for resident in &survey.residents {
            planner.resident(resident);
        }
        if planner.missing > 0 {
            return Err(Shortage(planner.missing));
        }
        Ok(planner.relocation)
    }

    /// The old numbers of inodes that get new ones.
    pub(super) fn renumbered(&self) -> BTreeSet<InodeNo> {
        let renumbered = self.inodes.iter().filter(|inode| inode.is_renumbered);
        renumbered.map(|inode| inode.inode).collect()
    }
}

struct Planner {
    relocation: Relocation,
    /// The blocks for which there was no place.
    missing: u64,
}

impl Planner {
    fn resident(&mut self, resident: &Resident) {
        let old = &resident.map;
        let attributes = resident.attributes.and_then(|block| self.attribute_block(block));
        let inodes_count = self.relocation.layout.superblock.geometry().inodes_count;
        let is_renumbered = resident.inode.get() > inodes_count;
        let is_touched = resident.is_touched_by(&self.relocation.layout);
        if !is_touched && !is_renumbered {
            return;
        }
        let map = if is_touched {
            let runs = self.runs(old.runs());
            let tree = if resident.has_extents {
                self.extent_tree(old.tree(), &runs)
            } else {
                self.pointer_tree(old.tree())
            };
            FileMap::new(runs, tree)
        } else if resident.has_extents {
            // Storing the map packs its tree.
            let tree = self.extent_tree(old.tree(), old.runs());
            FileMap::new(old.runs().to_vec(), tree)
        } else {
            old.clone()
        };
        self.relocation.inodes.push(Relinked {
            inode: resident.inode,
            is_renumbered,
            old_blocks: old.all_blocks(),
            map,
            attributes,
        });
    }

    fn is_block_vacated(&self, block: FsBlock) -> bool {
        self.relocation.layout.is_vacated(BlockRange::new(block, 1))
    }

    /// The runs with new places for what has to be vacated.
    fn runs(&mut self, old: &[Run]) -> Vec<Run> {
        let mut runs = Vec::with_capacity(old.len());
        for run in old {
            let range = BlockRange::new(run.start, run.count.into());
            let mut file_block = run.file_block;
            for (part, is_vacated) in self.relocation.layout.split(range) {
                let pieces = if is_vacated {
                    self.places(part, run.is_unwritten)
                } else {
                    vec![part]
                };
                for piece in pieces {
                    let count = u32::try_from(piece.len()).unwrap_or(u32::MAX);
                    let start = piece.start;
                    push(
                        &mut runs,
                        Run {
                            file_block,
                            count,
                            start,
                            ..*run
                        },
                    );
                    file_block = file_block.saturating_add(count);
                }
            }
        }
        runs
    }

    /// New places for the blocks of `part`, and the copies that bring them there.
    fn places(&mut self, part: BlockRange, is_unwritten: bool) -> Vec<BlockRange> {
        let mut places = Vec::new();
        let mut from = part.start;
        while from < part.end {
            let rest = part.end.0.saturating_sub(from.0);
            let Some(place) = self.relocation.layout.space.fit(rest) else {
                self.missing = self.missing.saturating_add(rest);
                break;
            };
            if !is_unwritten {
                self.copy(from, place.start, place.len());
            }
            from = from.plus(place.len());
            places.push(place);
        }
        places
    }

    fn copy(&mut self, from: FsBlock, to: FsBlock, count: u64) {
        self.relocation.copies.push(Copy { from, to, count });
    }

    /// A new place for `block` if it has to be vacated.
    fn single(&mut self, block: FsBlock) -> Option<FsBlock> {
        if !self.is_block_vacated(block) {
            return None;
        }
        self.any_block()
    }

    fn any_block(&mut self) -> Option<FsBlock> {
        let found = self.relocation.layout.space.fit(1);
        if found.is_none() {
            self.missing = self.missing.saturating_add(1);
        }
        found.map(|range| range.start)
    }

    /// The new place of an attribute block, which inodes may share.
    fn attribute_block(&mut self, block: FsBlock) -> Option<FsBlock> {
        if let Some(known) = self.relocation.attributes.get(&block) {
            return Some(*known);
        }
        let to = self.single(block)?;
        self.copy(block, to, 1);
        self.relocation.attributes.insert(block, to);
        Some(to)
    }

    /// The blocks for the extent tree of `runs`: old ones that stay, new ones for what is missing.
    fn extent_tree(
        &mut self,
        old: &BTreeMap<(u32, u32), FsBlock>,
        runs: &[Run],
    ) -> BTreeMap<(u32, u32), FsBlock> {
        let block_len = self
            .relocation
            .layout
            .superblock
            .geometry()
            .block_size
            .buffer_len();
        let needed = index(extent_tree_blocks(runs, block_len));
        let mut kept: Vec<FsBlock> = old
            .values()
            .copied()
            .filter(|block| !self.is_block_vacated(*block))
            .collect();
        for surplus in kept.drain(needed.min(kept.len())..) {
            self.relocation.layout.space.give(BlockRange::new(surplus, 1));
        }
        while kept.len() < needed {
            let Some(block) = self.any_block() else {
                let rest = needed.saturating_sub(kept.len()).saturating_sub(1);
                self.missing = self.missing.saturating_add(wide(rest));
                break;
            };
            kept.push(block);
        }
        let numbered = (0..).map(|number| (1, number)).zip(kept);
        numbered.collect()
    }

    /// The indirect blocks: there are as many as before, and in the same order.
    fn pointer_tree(&mut self, old: &BTreeMap<(u32, u32), FsBlock>) -> BTreeMap<(u32, u32), FsBlock> {
        let mut tree = BTreeMap::new();
        for (key, block) in old {
            let place = if self.is_block_vacated(*block) {
                self.any_block()
            } else {
                Some(*block)
            };
            if let Some(place) = place {
                tree.insert(*key, place);
            }
        }
        tree
    }
}
