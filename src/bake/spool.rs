//! Texts that may be too many to be held in memory, one of each host: few are held, many wait in a file, and all are read
//! again in the order of the hosts.
//!
//! Removing a file whose bytes are on their way to the disk waits for them, behind all the images: so few need no file.

use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::base::{AtomicFile, PathError};

/// How much is held in memory.
const HELD_BYTES: usize = 256 << 10;

/// Waiting texts. The file goes with this value.
#[derive(Debug)]
pub(super) struct Spool {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    held: Vec<u8>,
    /// Where all of them wait once they are too many.
    file: Option<AtomicFile>,
    end: u64,
    pieces: Vec<Piece>,
}

/// Where a text lies, in what is held or in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Piece {
    /// Whose it is: the host's place in the project.
    place: u32,
    start: u64,
    len: u32,
}

impl Spool {
    /// An empty one, whose file, if it needs one, is called after `path`.
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
            state: Mutex::default(),
        }
    }

    /// Lets the text of the host at `place` of the project wait.
    pub(super) fn push(&self, place: usize, text: &[u8]) -> Result<(), PathError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let start = state.end;
        let len = u32::try_from(text.len()).expect("what is said of a host is short");
        let place = u32::try_from(place).expect("hosts are counted in 32 bits");
        state.end += u64::from(len);
        state.pieces.push(Piece { place, start, len });
        if state.file.is_none() && state.held.len() + text.len() <= HELD_BYTES {
            // At once: a list that grows may come to hold twice that.
            if state.held.capacity() == 0 {
                state.held.reserve_exact(HELD_BYTES);
            }
            state.held.extend_from_slice(text);
            return Ok(());
        }
        let held = std::mem::take(&mut state.held);
        let file = match &mut state.file {
            Some(file) => file,
            none => none.insert(AtomicFile::create(&self.path)?),
        };
        let written = file
            .file()
            .write_all_at(&held, 0)
            .and_then(|()| file.file().write_all_at(text, start));
        written.map_err(PathError::on("write", file.temporary_path()))
    }

    /// Shows `visit` every text, in the order of the hosts.
    pub(super) fn each<E: From<PathError>>(
        self,
        mut visit: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let State {
            held,
            file,
            mut pieces,
            ..
        } = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        pieces.sort_unstable();
        let mut text = Vec::new();
        for Piece { start, len, .. } in pieces {
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            if let Some(file) = &file {
                text.resize(len, 0);
                let read = file.file().read_exact_at(&mut text, start);
                read.map_err(PathError::on("read back", file.temporary_path()))?;
                visit(&text)?;
            } else {
                let start = usize::try_from(start).unwrap_or(usize::MAX);
                visit(held.get(start..start.saturating_add(len)).unwrap_or_default())?;
            }
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
        let spool = Spool::new(&directory.path().join("spool"));
        for (place, text) in [(7, "seven"), (1, "one"), (300, ""), (2, "two"), (1, "more")] {
            spool.push(place, text.as_bytes()).unwrap();
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        let mut whole = String::new();
        spool
            .each(|text| {
                whole.push_str(str::from_utf8(text).unwrap());
                whole.push(' ');
                Ok::<(), PathError>(())
            })
            .unwrap();
        assert_eq!(whole, "one more two seven  ");
    }

    #[test]
    fn what_is_more_waits_in_a_file_that_goes() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::new(&directory.path().join("spool"));
        let text = |place: usize| vec![u8::try_from(place).unwrap(); 300_000 + place];
        for place in (0..9).rev() {
            spool.push(place, &text(place)).unwrap();
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
        let mut places = 0;
        spool
            .each(|found| {
                assert!(found == text(places), "{places}");
                places += 1;
                Ok::<(), PathError>(())
            })
            .unwrap();
        assert_eq!(places, 9);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
