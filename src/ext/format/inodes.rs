//! The block maps of the first files: extents for ext4, indirect blocks for the others, and the map of the blocks
//! that are reserved for descriptors.

use zerocopy::IntoBytes as _;
use zerocopy::little_endian::U32;

use super::layout::{Layout, Run, pointers_in_block};
use crate::ext::raw::{RawExtent, RawExtentHeader};
use crate::ext::types::{BlockSize, index};

/// How a file's blocks are found.
#[derive(Debug, Clone)]
pub(super) struct BlockMap {
    /// What the inode holds.
    pub(super) i_block: [u8; 60],
    /// Indirect blocks with their content.
    pub(super) blocks: Vec<(u32, Vec<u32>)>,
    /// All blocks of the file, indirect ones included.
    pub(super) blocks_count: u32,
}

const EXTENT_MAGIC: u16 = 0xF30A;

/// One extent in the inode. A run is at most 32768 blocks long, as a group is.
pub(super) fn extent(run: Run) -> BlockMap {
    let header = RawExtentHeader {
        eh_magic: EXTENT_MAGIC.into(),
        eh_entries: 1.into(),
        eh_max: 4.into(),
        eh_depth: 0.into(),
        eh_generation: 0.into(),
    };
    let extent = RawExtent {
        ee_block: 0.into(),
        ee_len: u16::try_from(run.count).unwrap_or(u16::MAX).into(),
        ee_start_hi: 0.into(),
        ee_start_lo: run.first.into(),
    };
    let mut i_block = [0; 60];
    let bytes = header.as_bytes().iter().chain(extent.as_bytes());
    i_block
        .iter_mut()
        .zip(bytes)
        .for_each(|(place, byte)| *place = *byte);
    BlockMap {
        i_block,
        blocks: Vec::new(),
        blocks_count: run.count,
    }
}

/// Direct and indirect blocks for the run `data`; the indirect ones lie from `map.first` on.
pub(super) fn indirect(data: Run, map: Run, layout: &Layout) -> BlockMap {
    let pointers = index(pointers_in_block(layout.block_size));
    let numbers: Vec<u32> = (data.first..data.first.saturating_add(data.count)).collect();
    let (direct, rest) = numbers.split_at(numbers.len().min(12));
    let (first, rest) = rest.split_at(rest.len().min(pointers));
    let mut free = map.first..map.first.saturating_add(map.count);
    let mut slots = [U32::ZERO; 15];
    slots
        .iter_mut()
        .zip(direct)
        .for_each(|(slot, block)| *slot = (*block).into());
    let mut blocks = Vec::new();
    if !first.is_empty() {
        blocks.extend(free.next().map(|block| (block, first.to_vec())));
    }
    let second = if rest.is_empty() { None } else { free.next() };
    let leaves: Vec<(u32, Vec<u32>)> = free
        .zip(rest.chunks(pointers))
        .map(|(block, leaf)| (block, leaf.to_vec()))
        .collect();
    let [.., single, double, _] = &mut slots;
    *single = blocks.first().map_or(0, |(block, _)| *block).into();
    *double = second.unwrap_or(0).into();
    blocks.extend(second.map(|block| (block, leaves.iter().map(|(leaf, _)| *leaf).collect())));
    blocks.extend(leaves);
    BlockMap {
        i_block: inode_bytes(&slots),
        blocks,
        blocks_count: data.count.saturating_add(map.count),
    }
}

/// The map of the reserved descriptor blocks: each is an indirect block that lists its own copies in other groups, of
/// which there are none yet.
pub(super) fn reserved(layout: &Layout) -> BlockMap {
    let pointers = index(pointers_in_block(layout.block_size));
    let first = layout.first_data_block.saturating_add(2);
    let mut content = vec![0; pointers];
    for (offset, block) in (first..)
        .take(index(layout.reserved_descriptor_blocks))
        .enumerate()
    {
        // The table's own first block is no part of the file, but keeps its place in the numbering.
        let place = offset.saturating_add(1).checked_rem(pointers).unwrap_or(0);
        if let Some(slot) = content.get_mut(place) {
            *slot = block;
        }
    }
    let mut slots = [U32::ZERO; 15];
    let [.., double, _] = &mut slots;
    *double = layout.resize_map.into();
    BlockMap {
        i_block: inode_bytes(&slots),
        blocks: vec![(layout.resize_map, content)],
        blocks_count: layout.reserved_descriptor_blocks.saturating_add(1),
    }
}

/// The length of the file of reserved descriptor blocks: all that indirect blocks of the second order can map.
pub(super) fn reserved_len_bytes(block_size: BlockSize) -> u64 {
    let pointers = u64::from(pointers_in_block(block_size));
    let blocks = pointers
        .saturating_mul(pointers)
        .saturating_add(pointers)
        .saturating_add(12);
    blocks.saturating_mul(block_size.bytes().into())
}

fn inode_bytes(slots: &[U32; 15]) -> [u8; 60] {
    let mut bytes = [0; 60];
    bytes.copy_from_slice(slots.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_of_1024_small_blocks_needs_five_indirect_blocks() {
        let layout = Layout {
            block_size: BlockSize::from_log(0).unwrap(),
            first_data_block: 1,
            blocks_count: 8192,
            blocks_per_group: 8192,
            inodes_per_group: 16,
            reserved_descriptor_blocks: 1,
            block_bitmap: 4,
            inode_bitmap: 5,
            inode_table: Run { first: 6, count: 4 },
            root_directory: 10,
            lost_found: 11,
            resize_map: 12,
            journal_map: Run { first: 13, count: 5 },
            journal: Run {
                first: 18,
                count: 1024,
            },
            end: 1042,
        };
        let map = indirect(layout.journal, layout.journal_map, &layout);
        let blocks: Vec<(u32, usize)> = map
            .blocks
            .iter()
            .map(|(block, content)| (*block, content.len()))
            .collect();
        assert_eq!(blocks, [(13, 256), (14, 3), (15, 256), (16, 256), (17, 244)]);
        assert_eq!(map.blocks_count, 1029);
        assert_eq!(map.blocks[1].1, [15, 16, 17]);
        assert_eq!(map.blocks[4].1.last(), Some(&1041));
    }
}
