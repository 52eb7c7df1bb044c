//! Direct and indirect blocks (<https://docs.kernel.org/filesystems/ext4/ifork.html#direct-indirect-block-addressing>).

use super::mapped::MapWalk;
use crate::ext::error::ExtError;
use crate::ext::types::FsBlock;

const DIRECT: usize = 12;

/// The blocks of numbers among the fifteen in an inode.
pub(super) fn indirect_blocks(i_block: &[u8; 60]) -> impl Iterator<Item = FsBlock> {
    let numbers = i_block.as_chunks::<4>().0.iter().skip(DIRECT);
    let blocks = numbers.map(|bytes| FsBlock(u32::from_le_bytes(*bytes).into()));
    blocks.filter(|block| *block != FsBlock(0))
}

impl MapWalk<'_> {
    /// Walks the fifteen block numbers in the inode.
    pub(super) fn block_map(&mut self, i_block: &[u8; 60]) -> Result<(), ExtError> {
        let per_block = u64::from(self.fs.block_size().bytes() / 4);
        let mut first = 0_u64;
        for (place, bytes) in i_block.as_chunks::<4>().0.iter().enumerate() {
            let order = u32::try_from(place.saturating_add(1).saturating_sub(DIRECT)).unwrap_or(0);
            self.pointer(u32::from_le_bytes(*bytes), order, first)?;
            first = first.saturating_add(per_block.saturating_pow(order));
        }
        Ok(())
    }

    /// Follows a block number: `order` 0 leads to content, 1 to block numbers that do, and so on. What is reached
    /// begins with the file's block `first`.
    fn pointer(&mut self, number: u32, order: u32, first: u64) -> Result<(), ExtError> {
        let block = FsBlock(number.into());
        if number == 0 {
            return Ok(());
        }
        let is_ours = self.claim(block, 1);
        if order == 0 {
            self.add_data(first, block, 1);
            return Ok(());
        }
        if !is_ours {
            return Ok(());
        }
        let bytes = self.read(block)?;
        if order == 1 {
            self.contents(&bytes, first);
            return Ok(());
        }
        let below = order.saturating_sub(1);
        let reach = u64::from(self.fs.block_size().bytes() / 4).saturating_pow(below);
        let mut first = first;
        for bytes in bytes.as_chunks::<4>().0 {
            self.pointer(u32::from_le_bytes(*bytes), below, first)?;
            first = first.saturating_add(reach);
        }
        Ok(())
    }

    /// Takes the blocks of content that the block numbers in `bytes` lead to, neighbours together; the first number is
    /// that of the file's block `first`.
    fn contents(&mut self, bytes: &[u8], first: u64) {
        let numbers = bytes.as_chunks::<4>().0.iter();
        let numbers = numbers.map(|bytes| u64::from(u32::from_le_bytes(*bytes)));
        let mut numbers = (first..).zip(numbers).peekable();
        while let Some((first, start)) = numbers.next() {
            if start == 0 {
                continue;
            }
            let mut count = 1_u64;
            while numbers
                .next_if(|(_, number)| *number == start.saturating_add(count))
                .is_some()
            {
                count = count.saturating_add(1);
            }
            self.claim(FsBlock(start), count);
            self.add_data(first, FsBlock(start), count);
        }
    }
}
