//! The hash tree of a directory: which leaf holds the names of which hashes
//! (<https://docs.kernel.org/filesystems/ext4/directory.html#hash-tree-directories>).

use std::collections::BTreeSet;

use zerocopy::FromBytes as _;

use super::entry::HEAD_LEN;
use super::hash::NameHash;
use crate::ext::feature::{self, Features};
use crate::ext::raw::{RawDxCountLimit, RawDxEntry, RawDxRootInfo};
use crate::ext::superblock::Superblock;
use crate::ext::types::index;

/// Where the root's information begins, behind the entries for `.` and `..`.
pub(crate) const ROOT_INFO: usize = 24;
/// Where the root's own entries begin.
pub(crate) const ROOT_ENTRIES: usize = 32;
/// Where the entries of any other node begin, behind an unused directory entry.
pub(crate) const NODE_ENTRIES: usize = 8;
/// The bits of an entry's block that are the block's number.
const BLOCK_MASK: u32 = 0x0FFF_FFFF;

/// A hash tree, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HashIndex {
    pub(crate) hash: NameHash,
    /// Each leaf's first hash and its block, by ascending hash.
    leaves: Vec<(u32, u32)>,
    /// The blocks of the tree itself.
    nodes: BTreeSet<u32>,
}

/// The root of a tree.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) hash_version: u8,
    /// How many levels of nodes lie between the root and the leaves.
    pub(super) indirect_levels: u8,
    pub(super) entries: Vec<(u32, u32)>,
}

impl Root {
    /// Reads block 0 of a directory; `None` if it makes no sense as a root.
    pub(super) fn read(superblock: &Superblock, bytes: &[u8]) -> Option<Self> {
        let (info, _) = RawDxRootInfo::read_from_prefix(bytes.get(ROOT_INFO..)?).ok()?;
        let is_sound = info.reserved_zero.get() == 0
            && info.info_length == 8
            && info.indirect_levels <= deepest(superblock.features());
        let entries = node_entries(bytes, ROOT_ENTRIES)?;
        is_sound.then_some(Self {
            hash_version: info.hash_version,
            indirect_levels: info.indirect_levels,
            entries,
        })
    }
}

/// How many levels of nodes may lie between the root and the leaves.
pub(crate) fn deepest(features: Features) -> u8 {
    if features.has(feature::LARGE_DIR) { 2 } else { 1 }
}

impl HashIndex {
    /// Reads the tree of a directory with these blocks; `None` for one that makes no sense, which then counts as a
    /// plain directory.
    pub(crate) fn read(superblock: &Superblock, blocks: &[Box<[u8]>]) -> Option<Self> {
        let root = Root::read(superblock, blocks.first()?)?;
        let hash = NameHash::new(superblock, root.hash_version)?;
        let mut nodes = BTreeSet::from([0]);
        let mut leaves = root.entries;
        for _ in 0..root.indirect_levels {
            let mut below = Vec::new();
            for (first, block) in leaves {
                let mut entries = node_entries(blocks.get(index(block))?, NODE_ENTRIES)?;
                if !nodes.insert(block) {
                    return None;
                }
                // The first entry of a node has no hash of its own.
                entries.first_mut()?.0 = first;
                below.extend(entries);
            }
            leaves = below;
        }
        let is_sorted = leaves.is_sorted_by(|one, next| one.0 < next.0);
        let is_inside = leaves
            .iter()
            .all(|(_, block)| index(*block) < blocks.len() && !nodes.contains(block));
        (is_sorted && is_inside).then_some(Self { hash, leaves, nodes })
    }

    /// The leaf to which `name` belongs.
    pub(crate) fn leaf_for(&self, name: &[u8]) -> Option<u32> {
        let (hash, _) = self.hash.of(name);
        choose(&self.leaves, hash).map(|(block, _)| block)
    }

    /// Whether block `number` belongs to the tree itself.
    pub(crate) fn is_node(&self, number: u32) -> bool {
        self.nodes.contains(&number)
    }
}

/// The block of the last entry that begins at or before `hash`, and where the entry after it begins.
pub(super) fn choose(entries: &[(u32, u32)], hash: u32) -> Option<(u32, Option<u32>)> {
    let after = entries.partition_point(|(first, _)| *first <= hash);
    let (_, block) = entries.get(after.saturating_sub(1))?;
    Some((*block, entries.get(after).map(|(first, _)| *first)))
}

/// The hashes and blocks of one node, whose entries begin at `start`.
pub(super) fn node_entries(bytes: &[u8], start: usize) -> Option<Vec<(u32, u32)>> {
    let (count_limit, _) = RawDxCountLimit::ref_from_prefix(bytes.get(start..)?).ok()?;
    let count = index(count_limit.count.get());
    if count == 0 || count > index(count_limit.limit.get()) {
        return None;
    }
    let len = count.checked_mul(HEAD_LEN)?;
    let mut entries: Vec<(u32, u32)> = Vec::with_capacity(count);
    for chunk in bytes.get(start..start.checked_add(len)?)?.chunks_exact(HEAD_LEN) {
        let entry = RawDxEntry::ref_from_bytes(chunk).ok()?;
        let hash = if entries.is_empty() { 0 } else { entry.hash.get() };
        entries.push((hash, entry.block.get() & BLOCK_MASK));
    }
    Some(entries)
}
