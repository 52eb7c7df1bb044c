//! Laying a whole directory out anew: one block, plain blocks, or a compact hash tree.
//!
//! ```text
//!   block 0                blocks 1 to n            further blocks
//!   . .. root entries ---> leaves, by hash    <---  inner nodes, where the root cannot hold all leaves
//! ```

use std::collections::BTreeMap;

use zerocopy::IntoBytes as _;

use super::block::{EntryHead, put_entry, seal_index, seal_leaf};
use super::entry::{HEAD_LEN, needed_len};
use super::hash::NameHash;
use super::index::{NODE_ENTRIES, ROOT_ENTRIES, ROOT_INFO};
use crate::ext::raw::{RawDxCountLimit, RawDxEntry, RawDxRootInfo};
use crate::ext::types::InodeNo;

/// What a name stands for: the inode and the kind's code.
pub(crate) type Target = (InodeNo, u8);

/// What a layout depends on besides the names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) block_len: usize,
    /// The seed of the blocks' checksums.
    pub(crate) seed: Option<u32>,
    pub(crate) has_filetype: bool,
    /// The hash of the tree; `None` for a file system without hash trees.
    pub(crate) hash: Option<NameHash>,
    /// How many levels of nodes the tree may have below its root.
    pub(crate) deepest: u8,
    pub(crate) directory: InodeNo,
    pub(crate) parent: InodeNo,
}

/// A directory's blocks.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) blocks: Vec<Box<[u8]>>,
    pub(crate) has_index: bool,
}

impl Plan {
    /// Lays out the directory.
    pub(crate) fn lay_out<'a>(&self, names: impl Iterator<Item = (&'a [u8], Target)> + Clone) -> Layout {
        let dots = needed_len(1).saturating_add(needed_len(2));
        let needed = names
            .clone()
            .fold(dots, |sum, (name, _)| sum.saturating_add(needed_len(name.len())));
        if needed > self.leaf_len()
            && let Some(hash) = self.hash
            && let Some(blocks) = self.hashed(hash, names.clone())
        {
            return Layout {
                blocks,
                has_index: true,
            };
        }
        Layout {
            blocks: self.plain(names),
            has_index: false,
        }
    }

    fn leaf_len(&self) -> usize {
        self.block_len
            .saturating_sub(if self.seed.is_some() { 12 } else { 0 })
    }

    fn code(&self, code: u8) -> u8 {
        if self.has_filetype { code } else { 0 }
    }

    /// The entries for the directory itself and its parent; the latter has `parent_len` bytes.
    fn dots(&self, parent_len: usize) -> [(&'static [u8], EntryHead); 2] {
        let code = self.code(2);
        let head = |inode, len| EntryHead {
            inode: Some(inode),
            len,
            code,
        };
        [
            (b".", head(self.directory, needed_len(1))),
            (b"..", head(self.parent, parent_len)),
        ]
    }

    fn plain<'a>(&self, names: impl Iterator<Item = (&'a [u8], Target)>) -> Vec<Box<[u8]>> {
        let dots = self
            .dots(needed_len(2))
            .map(|(name, head)| (name, (head.inode, head.code)));
        let names = names.map(|(name, (inode, code))| (name, (Some(inode), self.code(code))));
        let mut blocks = Vec::new();
        let mut leaf = Leaf::new(self);
        for (name, (inode, code)) in dots.into_iter().chain(names) {
            if !leaf.has_room(name, self.leaf_len()) {
                blocks.push(std::mem::replace(&mut leaf, Leaf::new(self)).close(self));
            }
            leaf.push(name, inode, code);
        }
        blocks.push(leaf.close(self));
        blocks
    }

    /// The hash tree; `None` if as many levels as it may have cannot hold it.
    fn hashed<'a>(
        &self,
        hash: NameHash,
        names: impl Iterator<Item = (&'a [u8], Target)>,
    ) -> Option<Vec<Box<[u8]>>> {
        let sorted: BTreeMap<_, _> = names
            .map(|(name, target)| ((hash.of(name), name), target))
            .collect();
        let mut blocks = vec![vec![0; self.block_len].into_boxed_slice()];
        let mut leaves = vec![(0, 1)];
        let mut leaf = Leaf::new(self);
        let mut last_hash = None;
        // Some room is left in each leaf, so that whoever adds a name later need not split it at once.
        let full = self.leaf_len().saturating_sub(self.leaf_len().wrapping_shr(3));
        for (((major, _), name), (inode, code)) in &sorted {
            if !leaf.has_room(name, full) {
                blocks.push(std::mem::replace(&mut leaf, Leaf::new(self)).close(self));
                // The lowest bit says that names of the same hash began in the leaf before.
                let is_continued = u32::from(last_hash == Some(*major));
                leaves.push((major | is_continued, u32::try_from(blocks.len()).ok()?));
            }
            leaf.push(name, Some(*inode), self.code(*code));
            last_hash = Some(*major);
        }
        blocks.push(leaf.close(self));
        self.add_tree(hash, leaves, &mut blocks)?;
        Some(blocks)
    }

    /// Writes the tree above `leaves` into block 0 and, where needed, into further blocks.
    fn add_tree(&self, hash: NameHash, leaves: Vec<(u32, u32)>, blocks: &mut Vec<Box<[u8]>>) -> Option<()> {
        let root_limit = self.limit(ROOT_ENTRIES);
        let mut entries = leaves;
        let mut indirect_levels = 0_u8;
        while entries.len() > root_limit {
            indirect_levels = indirect_levels.checked_add(1)?;
            if indirect_levels > self.deepest {
                return None;
            }
            entries = self.add_level(&entries, blocks)?;
        }
        let root = blocks.first_mut()?;
        let parent_len = self.block_len.saturating_sub(needed_len(1));
        let mut start = 0;
        for (name, head) in self.dots(parent_len) {
            put_entry(root, start, head, name);
            start = start.saturating_add(head.len);
        }
        let info = RawDxRootInfo {
            reserved_zero: 0.into(),
            hash_version: hash.version(),
            info_length: 8,
            indirect_levels,
            unused_flags: 0,
        };
        root.get_mut(ROOT_INFO..ROOT_ENTRIES)?
            .copy_from_slice(info.as_bytes());
        self.fill_node(root, ROOT_ENTRIES, &entries);
        Some(())
    }

    /// Adds the nodes that hold `entries`; answers their own entries.
    fn add_level(&self, entries: &[(u32, u32)], blocks: &mut Vec<Box<[u8]>>) -> Option<Vec<(u32, u32)>> {
        let mut above = Vec::new();
        for chunk in entries.chunks(self.limit(NODE_ENTRIES).max(1)) {
            let mut bytes = vec![0; self.block_len];
            let head = EntryHead {
                inode: None,
                len: self.block_len,
                code: 0,
            };
            put_entry(&mut bytes, 0, head, b"");
            self.fill_node(&mut bytes, NODE_ENTRIES, chunk);
            above.push((chunk.first()?.0, u32::try_from(blocks.len()).ok()?));
            blocks.push(bytes.into());
        }
        Some(above)
    }

    /// How many entries fit into a node whose entries begin at `start`.
    fn limit(&self, start: usize) -> usize {
        let tail = if self.seed.is_some() { HEAD_LEN } else { 0 };
        let room = self.block_len.saturating_sub(start).saturating_sub(tail);
        room.checked_div(HEAD_LEN).unwrap_or(0)
    }

    fn fill_node(&self, bytes: &mut [u8], start: usize, entries: &[(u32, u32)]) {
        let count_limit = RawDxCountLimit {
            limit: u16::try_from(self.limit(start)).unwrap_or(u16::MAX).into(),
            count: u16::try_from(entries.len()).unwrap_or(u16::MAX).into(),
        };
        let places = bytes
            .get_mut(start..)
            .unwrap_or_default()
            .chunks_exact_mut(HEAD_LEN);
        for (place, (hash, block)) in places.zip(entries) {
            let entry = RawDxEntry {
                hash: (*hash).into(),
                block: (*block).into(),
            };
            place.copy_from_slice(entry.as_bytes());
        }
        if let Some(place) = bytes.get_mut(start..start.saturating_add(4)) {
            place.copy_from_slice(count_limit.as_bytes());
        }
        seal_index(bytes, start, self.seed);
    }
}

/// A leaf while it is filled.
#[derive(Debug)]
struct Leaf {
    bytes: Vec<u8>,
    used: usize,
    /// The last entry, which takes all the room that is left when the leaf is closed.
    last: Option<(usize, Vec<u8>, EntryHead)>,
}

impl Leaf {
    fn new(plan: &Plan) -> Self {
        Self {
            bytes: vec![0; plan.block_len],
            used: 0,
            last: None,
        }
    }

    /// Whether `name` fits below `end`; an empty leaf takes any name.
    fn has_room(&self, name: &[u8], end: usize) -> bool {
        self.last.is_none() || self.used.saturating_add(needed_len(name.len())) <= end
    }

    fn push(&mut self, name: &[u8], inode: Option<InodeNo>, code: u8) {
        let head = EntryHead {
            inode,
            len: needed_len(name.len()),
            code,
        };
        put_entry(&mut self.bytes, self.used, head, name);
        self.last = Some((self.used, name.to_vec(), head));
        self.used = self.used.saturating_add(head.len);
    }

    fn close(mut self, plan: &Plan) -> Box<[u8]> {
        let (start, name, head) = self.last.unwrap_or((
            0,
            Vec::new(),
            EntryHead {
                inode: None,
                len: 0,
                code: 0,
            },
        ));
        let len = plan.leaf_len().saturating_sub(start);
        put_entry(&mut self.bytes, start, EntryHead { len, ..head }, &name);
        seal_leaf(&mut self.bytes, plan.seed);
        self.bytes.into()
    }
}
