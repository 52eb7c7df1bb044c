//! Where the blocks of the journal lie in the file system.

use crate::block::BlockDevice;
use crate::ext::error::{ExtError, Place};
use crate::ext::layout::BlockRange;
use crate::ext::types::{BlockSize, FsBlock};

/// The journal's blocks in its own order, from the first on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JournalBlocks {
    runs: Vec<Run>,
    /// The same blocks in the file system's order.
    places: Vec<BlockRange>,
    count: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    /// The first block, counted from the journal's start.
    first: u32,
    range: BlockRange,
}

impl JournalBlocks {
    /// The blocks of `ranges`, one range behind the other; blocks that occur twice are refused, so that no amount of
    /// work can be asked for that the image does not hold.
    pub(crate) fn new(ranges: impl IntoIterator<Item = BlockRange>) -> Result<Self, ExtError> {
        let mut count = 0_u32;
        let mut runs = Vec::new();
        for range in ranges {
            runs.push(Run { first: count, range });
            let len = u32::try_from(range.len()).ok();
            count = len.and_then(|len| count.checked_add(len)).ok_or_else(|| {
                ExtError::corrupt(Place::Journal(count), "length in blocks", u32::MAX, range.len())
            })?;
        }
        let mut places: Vec<BlockRange> = runs.iter().map(|run| run.range).collect();
        places.sort_unstable();
        for (range, next) in places.iter().zip(places.iter().skip(1)) {
            if next.start < range.end {
                let what = "block that occurs twice";
                return Err(ExtError::corrupt(Place::Journal(0), what, range.end, next.start));
            }
        }
        Ok(Self { runs, places, count })
    }

    /// How many blocks there are.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Where the journal's block `number` lies.
    pub(crate) fn get(&self, number: u32) -> Result<FsBlock, ExtError> {
        let behind = self.runs.partition_point(|run| run.first <= number);
        let run = behind.checked_sub(1).and_then(|last| self.runs.get(last));
        let place = run.map(|run| run.range.start.plus(number.saturating_sub(run.first).into()));
        place.filter(|_| number < self.count).ok_or_else(|| {
            ExtError::corrupt(
                Place::Journal(number),
                "block number",
                format_args!("below {}", self.count),
                number,
            )
        })
    }

    /// Whether `block` belongs to the journal.
    pub(crate) fn contains(&self, block: FsBlock) -> bool {
        let behind = self.places.partition_point(|range| range.start <= block);
        let range = behind.checked_sub(1).and_then(|last| self.places.get(last));
        range.is_some_and(|range| block < range.end)
    }

    /// Reads the journal's block `number` into `buffer`.
    pub(crate) fn read(
        &self,
        device: &dyn BlockDevice,
        block_size: BlockSize,
        number: u32,
        buffer: &mut [u8],
    ) -> Result<(), ExtError> {
        device.read_at(self.get(number)?.byte_offset(block_size), buffer)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(ranges: &[(u64, u64)]) -> Result<JournalBlocks, ExtError> {
        JournalBlocks::new(
            ranges
                .iter()
                .map(|(start, count)| BlockRange::new(FsBlock(*start), *count)),
        )
    }

    #[test]
    fn blocks_are_found_in_the_order_of_the_runs() {
        let blocks = ranges(&[(100, 3), (50, 2)]).unwrap();
        let found: Vec<u64> = (0..blocks.count())
            .map(|number| blocks.get(number).unwrap().0)
            .collect();
        assert_eq!(found, [100, 101, 102, 50, 51]);
        blocks.get(5).unwrap_err();
        assert!(blocks.contains(FsBlock(51)) && blocks.contains(FsBlock(102)));
        assert!(
            !blocks.contains(FsBlock(52)) && !blocks.contains(FsBlock(49)) && !blocks.contains(FsBlock(103))
        );
    }

    #[test]
    fn blocks_that_occur_twice_are_refused() {
        ranges(&[(100, 3), (102, 1)]).unwrap_err();
        ranges(&[(0, u64::from(u32::MAX)), (1 << 40, 1)]).unwrap_err();
    }
}
