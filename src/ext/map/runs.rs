//! Runs of neighbouring blocks, and lists of them.

use crate::ext::types::FsBlock;

/// Neighbouring blocks of a file that are neighbours on the device too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    /// The first block within the file.
    pub(crate) file_block: u32,
    /// How many; at least 1.
    pub(crate) count: u32,
    /// The first block on the device.
    pub(crate) start: FsBlock,
    /// Allocated, but reads as zero.
    pub(crate) is_unwritten: bool,
}

impl Run {
    /// The file block after the last, in a number that cannot overflow.
    pub(crate) fn end(&self) -> u64 {
        u64::from(self.file_block).saturating_add(self.count.into())
    }

    /// The part from `file_block` on; `None` if the run does not hold it.
    pub(crate) fn tail_from(&self, file_block: u32) -> Option<Self> {
        let skip = file_block.checked_sub(self.file_block)?;
        let count = self.count.checked_sub(skip).filter(|count| *count > 0)?;
        Some(Self {
            file_block,
            count,
            start: self.start.plus(skip.into()),
            is_unwritten: self.is_unwritten,
        })
    }

    /// The part before `file_block`; `None` if there is none.
    pub(crate) fn head_before(&self, file_block: u32) -> Option<Self> {
        let count = file_block.checked_sub(self.file_block)?.min(self.count);
        (count > 0).then_some(Self { count, ..*self })
    }

    /// Whether `next` continues this run, in the file and on the device.
    fn is_continued_by(&self, next: &Self) -> bool {
        self.end() == u64::from(next.file_block)
            && self.start.plus(self.count.into()) == next.start
            && self.is_unwritten == next.is_unwritten
    }
}

/// Adds `run` behind the last one, as part of it where it continues it.
pub(crate) fn push(runs: &mut Vec<Run>, run: Run) {
    if let Some(last) = runs.last_mut()
        && last.is_continued_by(&run)
        && let Some(count) = last.count.checked_add(run.count)
    {
        last.count = count;
    } else {
        runs.push(run);
    }
}

/// Puts `run` in the place of whatever `runs` has for its file blocks.
pub(crate) fn replace(runs: &[Run], run: Run) -> Vec<Run> {
    let mut replaced = Vec::with_capacity(runs.len().saturating_add(2));
    let mut new = Some(run);
    for old in runs {
        if u64::from(old.file_block) >= run.end() {
            if let Some(new) = new.take() {
                push(&mut replaced, new);
            }
            push(&mut replaced, *old);
            continue;
        }
        if let Some(head) = old.head_before(run.file_block) {
            push(&mut replaced, head);
        }
        let after = u32::try_from(run.end())
            .ok()
            .filter(|after| *after > old.file_block);
        if let Some(tail) = after.and_then(|after| old.tail_from(after)) {
            if let Some(new) = new.take() {
                push(&mut replaced, new);
            }
            push(&mut replaced, tail);
        }
    }
    if let Some(new) = new {
        push(&mut replaced, new);
    }
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: Run = Run {
        file_block: 10,
        count: 5,
        start: FsBlock(100),
        is_unwritten: false,
    };

    #[test]
    fn a_run_is_cut_in_two() {
        assert_eq!(RUN.head_before(12).map(|run| run.count), Some(2));
        assert_eq!(
            RUN.tail_from(12).map(|run| (run.count, run.start)),
            Some((3, FsBlock(102)))
        );
        assert_eq!((RUN.head_before(10), RUN.tail_from(15)), (None, None));
    }

    #[test]
    fn a_run_takes_the_place_of_others() {
        let new = |file_block, count| Run {
            file_block,
            count,
            start: FsBlock(500),
            is_unwritten: false,
        };
        let shape = |file_block, count| -> Vec<(u32, u32)> {
            let later = Run {
                file_block: 20,
                count: 5,
                start: FsBlock(300),
                is_unwritten: false,
            };
            replace(&[RUN, later], new(file_block, count))
                .iter()
                .map(|run| (run.file_block, run.count))
                .collect()
        };
        assert_eq!(shape(0, 3), [(0, 3), (10, 5), (20, 5)]);
        assert_eq!(shape(11, 2), [(10, 1), (11, 2), (13, 2), (20, 5)]);
        assert_eq!(shape(12, 10), [(10, 2), (12, 10), (22, 3)]);
        assert_eq!(shape(5, 30), [(5, 30)]);
        assert_eq!(shape(30, 2), [(10, 5), (20, 5), (30, 2)]);
    }

    #[test]
    fn neighbours_become_one_run() {
        let mut runs = vec![RUN];
        push(
            &mut runs,
            Run {
                file_block: 15,
                count: 1,
                start: FsBlock(105),
                is_unwritten: false,
            },
        );
        push(
            &mut runs,
            Run {
                file_block: 16,
                count: 1,
                start: FsBlock(106),
                is_unwritten: true,
            },
        );
        assert_eq!(runs.iter().map(|run| run.count).collect::<Vec<_>>(), [6, 1]);
    }
}
