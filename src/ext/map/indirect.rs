//! Direct and indirect block pointers (<https://docs.kernel.org/filesystems/ext4/ifork.html>, "Direct/Indirect Block
//! Addressing"): twelve blocks, then one tree each of one, two and three levels.

use super::{Loader, Run};
use crate::ext::error::ExtError;
use crate::ext::types::FsBlock;

/// The levels of indirection behind each pointer of an inode.
pub(super) fn levels() -> impl Iterator<Item = u32> {
    let direct = std::iter::repeat_n(0, 12);
    direct.chain(1..=3)
}

/// How many file blocks a pointer of `level` stands for, where a block holds `per_block` pointers.
pub(super) fn span(level: u32, per_block: u32) -> u64 {
    u64::from(per_block).checked_pow(level).unwrap_or(u64::MAX)
}

/// The pointers in `bytes`.
pub(super) fn pointers(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|bytes| u32::from_le_bytes(*bytes))
}

impl Loader<'_> {
    pub(super) fn load_indirect(&mut self) -> Result<(), ExtError> {
        let i_block = self.node.raw().i_block;
        let per_block = self.per_block();
        let mut first = 0_u64;
        for (pointer, level) in pointers(&i_block).zip(levels()) {
            self.load_pointer(pointer, level, first)?;
            first = first.saturating_add(span(level, per_block));
        }
        Ok(())
    }

    fn per_block(&self) -> u32 {
        self.fs.block_size().bytes().wrapping_shr(2)
    }

    /// Loads what lies behind one pointer; the file block `first` is the first that it stands for.
    fn load_pointer(&mut self, pointer: u32, level: u32, first: u64) -> Result<(), ExtError> {
        let (Ok(first), true) = (u32::try_from(first), pointer != 0) else {
            return Ok(());
        };
        let block = FsBlock(pointer.into());
        let Some(below) = level.checked_sub(1) else {
            return self.content(Run {
                file_block: first,
                count: 1,
                start: block,
                is_unwritten: false,
            });
        };
        let bytes = self.tree_block(level, first, block)?;
        let span = span(below, self.per_block());
        let mut first = u64::from(first);
        for pointer in pointers(&bytes) {
            self.load_pointer(pointer, below, first)?;
            first = first.saturating_add(span);
        }
        Ok(())
    }
}
