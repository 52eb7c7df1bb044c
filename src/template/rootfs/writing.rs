//! The content of files on its way to the device, and room for it: the file system grows when it is nearly full.

use super::builder::{BLOCK_BYTES, Builder, failed};
use super::content::Content;
use super::error::RootfsError;
use crate::base::GuestPath;
use crate::block::is_zero;
use crate::ext::InodeNo;

/// [`BLOCK_BYTES`] as memory is counted.
const BLOCK_LEN: usize = 4096;
/// The least that a file system grows by.
const STEP_BYTES: u64 = 32 << 20;
/// Blocks that any one node may need beside its content: directories, maps and attributes.
const SPARE_BLOCKS: u64 = 512;
const SPARE_INODES: u64 = 16;
/// How much of a file is held in memory.
const PIECE_BYTES: u64 = 4 << 20;

impl Builder {
    /// Copies the content; runs of zeros become holes.
    pub(super) fn write(
        &mut self,
        path: &GuestPath,
        inode: InodeNo,
        content: Content<'_>,
    ) -> Result<(), RootfsError> {
        let mut end = 0;
        for (offset, len) in content.pieces {
            let mut place = offset;
            let piece_end = offset.saturating_add(len);
            while place < piece_end {
                // Pieces end at whole blocks, so that no block is written twice.
                let whole = (place / PIECE_BYTES + 1).saturating_mul(PIECE_BYTES);
                let len = piece_end.min(whole) - place;
                let mut buffer = std::mem::take(&mut self.buffer);
                buffer.resize(usize::try_from(len).unwrap_or(usize::MAX), 0);
                content.data.read_exact(&mut buffer).map_err(RootfsError::Read)?;
                let written = self.write_piece(path, inode, place, &buffer)?;
                self.buffer = buffer;
                end = end.max(written);
                place += len;
            }
        }
        if end < content.len_bytes {
            self.fs.truncate(inode, content.len_bytes).map_err(failed(path))?;
        }
        Ok(())
    }

    /// Writes what is not zero of `bytes`, and tells where the last of it ended.
    fn write_piece(
        &mut self,
        path: &GuestPath,
        inode: InodeNo,
        offset: u64,
        bytes: &[u8],
    ) -> Result<u64, RootfsError> {
        let mut end = 0;
        let mut place = 0;
        while place < bytes.len() {
            let holes = run_len(&bytes[place..], offset + place as u64, true);
            place += holes;
            let data = run_len(&bytes[place..], offset + place as u64, false);
            let run = &bytes[place..place + data];
            if !run.is_empty() {
                self.make_room(run.len() as u64, path)?;
                let start = offset + place as u64;
                self.fs.write_at(inode, start, run).map_err(failed(path))?;
                end = start + data as u64;
            }
            place += data;
        }
        Ok(end)
    }

    /// Lets the file system grow until a node with `len_bytes` of content fits.
    pub(super) fn make_room(&mut self, len_bytes: u64, path: &GuestPath) -> Result<(), RootfsError> {
        let needed = len_bytes.div_ceil(BLOCK_BYTES).saturating_add(SPARE_BLOCKS);
        loop {
            let usage = self.fs.usage();
            if usage.free_blocks >= needed && usage.free_inodes >= SPARE_INODES {
                return Ok(());
            }
            if let Some(size) = self.size {
                // The last blocks and inodes may do; if not, the file system says so.
                if usage.free_blocks > len_bytes.div_ceil(BLOCK_BYTES) && usage.free_inodes > 0 {
                    return Ok(());
                }
                return Err(RootfsError::Full {
                    size,
                    path: path.to_string(),
                });
            }
            let missing = needed
                .saturating_sub(usage.free_blocks)
                .saturating_mul(BLOCK_BYTES);
            let now = usage.blocks.saturating_mul(BLOCK_BYTES);
            let step = missing.max(STEP_BYTES).max(now / 16).next_multiple_of(STEP_BYTES);
            let blocks = now.saturating_add(step) / BLOCK_BYTES;
            self.fs.resize(blocks).map_err(failed(path))?;
        }
    }
}

/// How long the beginning of `bytes`, which lie at `offset` of their file, is zero or is not, block by block.
fn run_len(bytes: &[u8], offset: u64, zero: bool) -> usize {
    let mut len = 0;
    while len < bytes.len() {
        let within = (offset + len as u64) % BLOCK_BYTES;
        let block = (BLOCK_LEN - usize::try_from(within).unwrap_or_default()).min(bytes.len() - len);
        if is_zero(&bytes[len..len + block]) != zero {
            break;
        }
        len += block;
    }
    len
}
