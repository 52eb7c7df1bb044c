//! Texts that are too many to be held in memory, one of each host: they wait in a file, in the order in which they were
//! made, and are read again in the order of the hosts.

use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::base::{AtomicFile, PathError};

/// Waiting texts. The file goes with this value.
#[derive(Debug)]
pub(super) struct Spool {
    file: AtomicFile,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    end: u64,
    pieces: Vec<Piece>,
}

/// Where a text lies in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Piece {
    /// Whose it is: the host's place in the project.
    place: usize,
    start: u64,
    len: usize,
}

impl Spool {
    /// An empty one, whose file is called after `path`.
    pub(super) fn create(path: &Path) -> Result<Self, PathError> {
        Ok(Self {
            file: AtomicFile::create(path)?,
            state: Mutex::default(),
        })
    }

    /// Lets the text of the host at `place` of the project wait.
    pub(super) fn push(&self, place: usize, text: &[u8]) -> Result<(), PathError> {
        let len = text.len();
        let start = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let start = state.end;
            state.end += u64::try_from(len).unwrap_or(u64::MAX);
            state.pieces.push(Piece { place, start, len });
            start
        };
        let written = self.file.file().write_all_at(text, start);
        written.map_err(PathError::on("write", self.file.temporary_path()))
    }

    /// Shows `visit` every text, in the order of the hosts.
    pub(super) fn each<E: From<PathError>>(
        self,
        mut visit: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let Self { file, state } = self;
        let mut pieces = state.into_inner().unwrap_or_else(PoisonError::into_inner).pieces;
        pieces.sort_unstable();
        let mut text = Vec::new();
        for piece in pieces {
            text.resize(piece.len, 0);
            let read = file.file().read_exact_at(&mut text, piece.start);
            read.map_err(PathError::on("read back", file.temporary_path()))?;
            visit(&text)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_in_the_order_of_the_hosts_and_leave_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::create(&directory.path().join("spool")).unwrap();
        for (place, text) in [(7, "seven"), (1, "one"), (300, ""), (2, "two"), (1, "more")] {
            spool.push(place, text.as_bytes()).unwrap();
        }
        let mut whole = String::new();
        spool
            .each(|text| {
                whole.push_str(str::from_utf8(text).unwrap());
                whole.push(' ');
                Ok::<(), PathError>(())
            })
            .unwrap();
        assert_eq!(whole, "one more two seven  ");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
