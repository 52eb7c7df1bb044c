//! Writing the content of files: blocks are allocated first, then the bytes go to the device.

use std::io::{self, Read};
use std::ops::Range;

use super::error::ExtError;
use super::feature;
use super::fs::Fs;
use super::inode::{FLAG_EXTENTS, FLAG_INLINE_DATA, Node, TimeField};
use super::map::{self, FileMap, Run};
use super::obstacle::Touch;
use super::types::{FsBlock, InodeNo, index, wide};

/// How much of a stream is held in memory at a time.
const PIECE_BYTES: u64 = 1 << 16;
/// The longest file that needs no `large_file` feature.
const SMALL_FILE_BYTES: u64 = 0x7FFF_FFFF;

impl Fs {
    /// Writes `bytes` into the regular file `inode` from `offset_bytes` on; the file grows as needed.
    ///
    /// # Errors
    /// [`ExtError::NoSpace`]; [`ExtError::TooLarge`]; [`ExtError::WrongKind`].
    pub fn write_at(&mut self, inode: InodeNo, offset_bytes: u64, bytes: &[u8]) -> Result<(), ExtError> {
        self.edit(|fs| {
            let mut node = fs.writable_node(inode)?;
            fs.write_node(&mut node, offset_bytes, wide(bytes.len()), &mut &*bytes)?;
            fs.touch_content(&mut node)?;
            fs.store_node(node)
        })
    }

    /// Writes the next `len_bytes` bytes of `source` into the regular file `inode` from `offset_bytes` on; the file grows
    /// as needed.
    ///
    /// # Errors
    /// As [`Fs::write_at`]; [`ExtError::Source`] if `source` fails or ends early.
    pub fn write_from(
        &mut self,
        inode: InodeNo,
        offset_bytes: u64,
        len_bytes: u64,
        source: &mut dyn Read,
    ) -> Result<(), ExtError> {
        let mut node = self.regular_node(inode)?;
        self.write_node(&mut node, offset_bytes, len_bytes, source)?;
        self.touch_content(&mut node)?;
        self.store_node(node)
    }

    /// Writes `bytes` behind the end of the regular file `inode`.
    ///
    /// # Errors
    /// As [`Fs::write_at`].
    pub fn append(&mut self, inode: InodeNo, bytes: &[u8]) -> Result<(), ExtError> {
        self.edit(|fs| {
            let len_bytes = fs.regular_node(inode)?.size_in_bytes();
            fs.write_at(inode, len_bytes, bytes)
        })
    }

    /// Makes `bytes` the whole content of the regular file `inode`.
    ///
    /// # Errors
    /// As [`Fs::write_at`].
    pub fn replace_content(&mut self, inode: InodeNo, bytes: &[u8]) -> Result<(), ExtError> {
        self.replace_content_from(inode, &mut &*bytes, wide(bytes.len()))
    }

    /// Makes the next `len_bytes` bytes of `source` the whole content of the regular file `inode`.
    ///
    /// # Errors
    /// As [`Fs::write_at`]; [`ExtError::Source`] if `source` fails or ends early.
    pub fn replace_content_from(
        &mut self,
        inode: InodeNo,
        source: &mut dyn Read,
        len_bytes: u64,
    ) -> Result<(), ExtError> {
        self.edit(|fs| {
            let mut node = fs.writable_node(inode)?;
            fs.cut_content(&mut node, 0)?;
            node.set_size_in_bytes(0);
            fs.write_node(&mut node, 0, len_bytes, source)?;
            fs.touch_content(&mut node)?;
            fs.store_node(node)
        })
    }

    /// Sets the length of the regular file `inode`; what is new reads as zero and takes no space.
    ///
    /// # Errors
    /// [`ExtError::TooLarge`]; [`ExtError::WrongKind`].
    pub fn truncate(&mut self, inode: InodeNo, len_bytes: u64) -> Result<(), ExtError> {
        self.edit(|fs| {
            let mut node = fs.writable_node(inode)?;
            let old_len = node.size_in_bytes();
            if node.has_flag(FLAG_INLINE_DATA) && fs.resize_inline(&mut node, len_bytes)? {
            } else if len_bytes < old_len {
                fs.cut_content(&mut node, len_bytes)?;
                let map = fs.file_map(&node)?;
                fs.zero_tail(&map, len_bytes)?;
                node.set_size_in_bytes(len_bytes);
            } else {
                let map = fs.file_map(&node)?;
                fs.zero_tail(&map, old_len)?;
                fs.grow_size(&mut node, len_bytes)?;
            }
            fs.touch_content(&mut node)?;
            fs.store_node(node)
        })
    }

    /// The regular file `inode`, if its content may be changed.
    fn writable_node(&self, inode: InodeNo) -> Result<Node, ExtError> {
        let node = self.regular_node(inode)?;
        self.check_touch(&node, Touch::WriteContent)?;
        Ok(node)
    }

    /// Sets the times that a change of content sets.
    pub(crate) fn touch_content(&self, node: &mut Node) -> Result<(), ExtError> {
        let now = self.edit_time()?;
        node.set_time(TimeField::Modification, now);
        node.set_time(TimeField::Change, now);
        Ok(())
    }

    /// Writes `len_bytes` bytes of `source` into the content of `node`, which the caller stores.
    pub(crate) fn write_node(
        &mut self,
        node: &mut Node,
        offset_bytes: u64,
        len_bytes: u64,
        source: &mut dyn Read,
    ) -> Result<(), ExtError> {
        self.edit_time()?;
        if len_bytes == 0 {
            return Ok(());
        }
        if node.has_flag(FLAG_INLINE_DATA) && self.write_inline(node, offset_bytes, len_bytes, source)? {
            return Ok(());
        }
        let old_len = node.size_in_bytes();
        let end_bytes = offset_bytes.saturating_add(len_bytes);
        self.check_size(node, end_bytes)?;
        let old = self.file_map(node)?;
        if offset_bytes > old_len {
            self.zero_tail(&old, old_len)?;
        }
        self.check_space(&old, offset_bytes, end_bytes)?;
        self.note_change();
        let (runs, whole) = self.back_range(node, &old, offset_bytes..end_bytes)?;
        let map = if runs == old.runs() {
            old
        } else {
            self.store_map(node, old, runs)?
        };
        let zeros = |len_bytes: u64| io::repeat(0).take(len_bytes);
        let before = zeros(offset_bytes.saturating_sub(whole.start));
        let after = zeros(whole.end.saturating_sub(end_bytes));
        let mut source = before.chain(source.take(len_bytes)).chain(after);
        self.copy_in(&map, whole, &mut source)?;
        if end_bytes > old_len {
            self.grow_size(node, end_bytes)?;
        }
        Ok(())
    }

    /// Refuses to begin what there are not enough free blocks for.
    fn check_space(&self, map: &FileMap, from_bytes: u64, to_bytes: u64) -> Result<(), ExtError> {
        let block_bytes = u64::from(self.block_size().bytes());
        let first = from_bytes.checked_div(block_bytes).unwrap_or(0);
        let end = self.block_size().blocks_for(to_bytes);
        let held = map.runs().iter().fold(0_u64, |sum, run| {
            let (start, stop) = (first.max(run.file_block.into()), end.min(run.end()));
            sum.saturating_add(stop.saturating_sub(start))
        });
        let needed = end.saturating_sub(first).saturating_sub(held);
        if needed > self.superblock.free_blocks_count() {
            return Err(self.no_space(needed));
        }
        Ok(())
    }

    /// The runs of `map` with written blocks wherever `range` of its bytes lies, and what is to be written of them:
    /// `range`, and the rest of new blocks at its edges, which has to be zero.
    fn back_range(
        &mut self,
        node: &Node,
        map: &FileMap,
        range: Range<u64>,
    ) -> Result<(Vec<Run>, Range<u64>), ExtError> {
        let block_bytes = u64::from(self.block_size().bytes());
        let first = range.start.checked_div(block_bytes).unwrap_or(0);
        let end = self.block_size().blocks_for(range.end);
        let mut runs = map.runs().to_vec();
        let mut whole = range;
        let mut place = u32::try_from(first).unwrap_or(u32::MAX);
        while u64::from(place) < end {
            let room = u32::try_from(end.saturating_sub(place.into())).unwrap_or(u32::MAX);
            let (run, is_new) = self.run_for(node, map, &runs, place, room)?;
            let start = u64::from(place);
            place = place.saturating_add(run.count);
            if is_new {
                runs = map::replace(&runs, run);
                if start == first {
                    whole.start = start.saturating_mul(block_bytes);
                }
                if u64::from(place) == end {
                    whole.end = end.saturating_mul(block_bytes);
                }
            }
        }
        Ok((runs, whole))
    }

    /// A written run for at most `room` blocks from `place` on, and whether it is new: allocated, or unwritten so far.
    fn run_for(
        &mut self,
        node: &Node,
        map: &FileMap,
        runs: &[Run],
        place: u32,
        room: u32,
    ) -> Result<(Run, bool), ExtError> {
        if let Some(run) = map.find(place) {
            let run = Run {
                count: run.count.min(room),
                ..run
            };
            return Ok((
                Run {
                    is_unwritten: false,
                    ..run
                },
                run.is_unwritten,
            ));
        }
        let gap = map
            .next_after(place)
            .map_or(room, |next| next.file_block.saturating_sub(place));
        let before = runs.get(
            runs.partition_point(|run| run.file_block <= place)
                .wrapping_sub(1),
        );
        let goal = match before {
            Some(run) => run.start.plus(u64::from(place.saturating_sub(run.file_block))),
            None => self.inode_goal(node),
        };
        let (start, count) = self.allocate_blocks(goal, room.min(gap))?;
        let run = Run {
            file_block: place,
            count,
            start,
            is_unwritten: false,
        };
        Ok((run, true))
    }

    /// Copies `source` to the blocks of the range, all of which are mapped.
    fn copy_in(&self, map: &FileMap, range: Range<u64>, source: &mut dyn Read) -> Result<(), ExtError> {
        let block_bytes = u64::from(self.block_size().bytes());
        let mut piece = Vec::new();
        let mut place = range.start;
        while place < range.end {
            let block = place.checked_div(block_bytes).unwrap_or(0);
            let run = u32::try_from(block).ok().and_then(|block| map.find(block));
            let Some(run) = run else {
                return Err(self.no_space(1));
            };
            let run_end = run.end().saturating_mul(block_bytes);
            let len = run_end.min(range.end).saturating_sub(place).min(PIECE_BYTES);
            piece.resize(index(len), 0);
            source.read_exact(&mut piece).map_err(ExtError::Source)?;
            let within = place.checked_rem(block_bytes).unwrap_or(0);
            let offset = run.start.byte_offset(self.block_size()).saturating_add(within);
            self.device.write_at(offset, &piece)?;
            place = place.saturating_add(len);
        }
        Ok(())
    }

    /// Frees the blocks of `node` beyond `len_bytes`.
    pub(crate) fn cut_content(&mut self, node: &mut Node, len_bytes: u64) -> Result<(), ExtError> {
        self.edit_time()?;
        if node.has_flag(FLAG_INLINE_DATA) {
            return self.resize_inline(node, len_bytes).map(drop);
        }
        let old = self.file_map(node)?;
        let keep = u32::try_from(self.block_size().blocks_for(len_bytes)).unwrap_or(u32::MAX);
        let mut runs = Vec::new();
        for run in old.runs() {
            if let Some(head) = run.head_before(keep) {
                map::push(&mut runs, head);
            }
            if let Some(tail) = run.tail_from(keep.max(run.file_block)) {
                self.free_blocks(tail.start, tail.count.into())?;
            }
        }
        if runs != old.runs() {
            self.store_map(node, old, runs)?;
        }
        Ok(())
    }

    /// Zeroes what lies behind `len_bytes` in its block, where there is one.
    pub(crate) fn zero_tail(&self, map: &FileMap, len_bytes: u64) -> Result<(), ExtError> {
        let block_bytes = u64::from(self.block_size().bytes());
        let within = len_bytes.checked_rem(block_bytes).unwrap_or(0);
        let block = len_bytes
            .checked_div(block_bytes)
            .and_then(|block| u32::try_from(block).ok());
        let run = block
            .and_then(|block| map.find(block))
            .filter(|run| !run.is_unwritten && within > 0);
        if let Some(run) = run {
            let offset = run.start.byte_offset(self.block_size()).saturating_add(within);
            let zeros = vec![0; index(block_bytes.saturating_sub(within))];
            self.device.write_at(offset, &zeros)?;
        }
        Ok(())
    }

    fn grow_size(&mut self, node: &mut Node, len_bytes: u64) -> Result<(), ExtError> {
        self.check_size(node, len_bytes)?;
        node.set_size_in_bytes(len_bytes);
        if len_bytes > SMALL_FILE_BYTES && !self.superblock.features().has(feature::LARGE_FILE) {
            self.superblock.edit(|raw| {
                raw.s_feature_ro_compat
                    .set(raw.s_feature_ro_compat.get() | feature::LARGE_FILE.bit());
            })?;
            self.are_backups_stale = true;
        }
        Ok(())
    }

    /// Refuses a length beyond what the file's map can reach.
    pub(crate) fn check_size(&self, node: &Node, len_bytes: u64) -> Result<(), ExtError> {
        let pointers = u64::from(self.block_size().bytes().wrapping_shr(2));
        let square = pointers.saturating_mul(pointers);
        let reach = pointers
            .saturating_add(square)
            .saturating_add(square.saturating_mul(pointers));
        let reach = if node.has_flag(FLAG_EXTENTS) {
            u64::MAX
        } else {
            reach.saturating_add(12)
        };
        let most = FsBlock(reach.min(0xFFFF_FFFE));
        let limit_bytes = most.byte_offset(self.block_size());
        if len_bytes > limit_bytes {
            return Err(ExtError::TooLarge {
                inode: node.number(),
                len_bytes,
                limit_bytes,
            });
        }
        Ok(())
    }
}
