//! Which blocks belong to which inode, read from the inodes themselves.

use super::layout::NewLayout;
use super::reserved::DOUBLE_INDIRECT;
use crate::ext::error::{Access, ExtError, Place};
use crate::ext::fs::Fs;
use crate::ext::group::INODE_UNINIT;
use crate::ext::inode::{FLAG_EXTENTS, Node};
use crate::ext::layout::BlockRange;
use crate::ext::map::FileMap;
use crate::ext::types::{FsBlock, GroupNo, InodeNo};

/// An inode and the blocks that it holds.
#[derive(Debug, Clone)]
pub(super) struct Resident {
    pub(super) inode: InodeNo,
    pub(super) map: FileMap,
    pub(super) has_extents: bool,
    pub(super) attributes: Option<FsBlock>,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub(super) struct Survey {
    /// By ascending number.
    pub(super) residents: Vec<Resident>,
    /// The double indirect block of the resize inode.
    pub(super) resize_map: Option<FsBlock>,
}

/// The inode that lists blocks which the disk cannot hold.
const BAD_BLOCKS: u32 = 1;

impl Resident {
    /// Whether any of its blocks has to be vacated for `layout`.
    pub(super) fn is_touched_by(&self, layout: &NewLayout) -> bool {
        let runs = self.map.runs().iter();
        let runs = runs.map(|run| BlockRange::new(run.start, run.count.into()));
        let singles = self.map.tree().values().chain(&self.attributes);
        runs.chain(singles.map(|block| BlockRange::new(*block, 1)))
            .any(|range| layout.is_vacated(range))
    }
}

impl Survey {
    /// Reads all inodes in use and keeps those that `is_wanted` takes.
    pub(super) fn take(fs: &Fs, is_wanted: impl Fn(&Resident) -> bool) -> Result<Self, ExtError> {
        let mut survey = Self::default();
        // Inodes of a damaged file system may all claim the same blocks; what is held in memory stays in proportion.
        let mut budget = fs.superblock.geometry().blocks_count;
        fs.each_node(&mut |node| {
            if node.number() == InodeNo::RESIZE {
                survey.resize_map = resize_map(&node);
                return Ok(());
            }
            let Some(resident) = fs.resident(&node)? else {
                return Ok(());
            };
            budget = budget
                .checked_sub(resident.map.all_blocks())
                .ok_or_else(|| shared_blocks(&node))?;
            if is_wanted(&resident) {
                survey.residents.push(resident);
            }
            Ok(())
        })?;
        Ok(survey)
    }
}

impl Fs {
    /// What `node` holds; `None` for one of the reserved inodes that is not in use.
    fn resident(&self, node: &Node) -> Result<Option<Resident>, ExtError> {
        let is_blank = node.kind().is_none();
        if node.number().get() == BAD_BLOCKS && node.raw().i_block != [0; 60] {
            return Err(ExtError::Unsupported {
                access: Access::Resize,
                names: vec!["bad blocks".to_owned()],
            });
        }
        if is_blank {
            return Ok(None);
        }
        let has_map = self.has_content_blocks(node);
        Ok(Some(Resident {
            inode: node.number(),
            map: if has_map {
                self.file_map(node)?
            } else {
                FileMap::default()
            },
            has_extents: node.has_flag(FLAG_EXTENTS),
            attributes: node.file_acl(),
        }))
    }

    /// Shows `visit` every inode that is in use, by ascending number. Inode tables are read block by block.
    pub(super) fn each_node(
        &self,
        visit: &mut dyn FnMut(Node) -> Result<(), ExtError>,
    ) -> Result<(), ExtError> {
        for group in self.superblock.geometry().groups() {
            self.each_node_of(group, visit)?;
        }
        Ok(())
    }

    fn each_node_of(
        &self,
        group: GroupNo,
        visit: &mut dyn FnMut(Node) -> Result<(), ExtError>,
    ) -> Result<(), ExtError> {
        let geometry = *self.superblock.geometry();
        let has_flags = self.superblock.features().has_group_checksums();
        let is_cached = self.inode_bitmaps.contains_key(&group);
        if has_flags && !is_cached && self.groups.get(group)?.flags & INODE_UNINIT != 0 {
            return Ok(());
        }
        let first = group.0.saturating_mul(geometry.inodes_per_group);
        let mut held: Option<(FsBlock, Box<[u8]>)> = None;
        for bit in self.load_inode_bitmap(group)?.set_runs().into_iter().flatten() {
            let Some(inode) = InodeNo::new(first.saturating_add(bit).saturating_add(1)) else {
                continue;
            };
            let (block, start) = self.inode_place(inode)?;
            let bytes = match held.take() {
                Some((place, bytes)) if place == block => bytes,
                _ => self.read_block(block)?,
            };
            let end = start.saturating_add(geometry.inode_len());
            let node = Node::new(inode, bytes.get(start..end).unwrap_or_default().to_vec());
            held = Some((block, bytes));
            node.verify(self.superblock.checksums())?;
            visit(node)?;
        }
        Ok(())
    }

    /// The highest inode that is in use, and how many are, those reserved included.
    pub(super) fn inodes_in_use(&self) -> Result<(u32, u32), ExtError> {
        let geometry = self.superblock.geometry();
        let (mut highest, mut count) = (0, 0_u32);
        for group in geometry.groups() {
            let descriptor = self.groups.get(group)?;
            if descriptor.free_inodes_count == geometry.inodes_per_group {
                continue;
            }
            let bitmap = self.load_inode_bitmap(group)?;
            count = count.saturating_add(bitmap.count_set());
            let end = bitmap.set_runs().last().map_or(0, |run| run.end);
            if end > 0 {
                highest = group
                    .0
                    .saturating_mul(geometry.inodes_per_group)
                    .saturating_add(end);
            }
        }
        Ok((highest, count))
    }
}

/// The double indirect block that the resize inode `node` names, if it names one.
fn resize_map(node: &Node) -> Option<FsBlock> {
    let slots = node.raw().i_block.as_chunks::<4>().0;
    let map = u32::from_le_bytes(*slots.get(DOUBLE_INDIRECT)?);
    (map != 0).then(|| FsBlock(map.into()))
}

fn shared_blocks(node: &Node) -> ExtError {
    let what = "blocks of all files up to here";
    ExtError::corrupt(
        Place::Inode(node.number()),
        what,
        "no more than the file system has",
        "more",
    )
}
