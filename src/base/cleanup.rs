//! Temporaries that vanish on drop, and other work that is undone, on a signal through [`remove_all`].

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Every temporary that exists now.
static TEMPORARIES: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// What undoes a piece of work.
type Undoing = Box<dyn FnOnce() + Send>;

/// Everything that would have to be undone now, the oldest first.
static UNDOINGS: Mutex<Vec<(u64, Undoing)>> = Mutex::new(Vec::new());

/// Work that is undone should a signal end the process while this value lives.
#[derive(Debug)]
pub struct Undo {
    number: u64,
}

/// A file that is removed when this value is dropped.
#[derive(Debug)]
pub struct Temporary {
    path: PathBuf,
    /// Whether the file stays.
    is_forgotten: bool,
}

impl Temporary {
    /// Takes charge of removing `path`.
    pub fn register(path: PathBuf) -> Self {
        temporaries().insert(path.clone());
        Self {
            path,
            is_forgotten: false,
        }
    }

    /// Where the file lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives up the charge: the file stays.
    pub fn forget(mut self) {
        self.is_forgotten = true;
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_forgotten {
            // A file that is gone already is what was wanted; any other failure leaves a left-over that the next run removes.
            drop(fs::remove_file(&self.path));
        }
        temporaries().remove(&self.path);
    }
}

impl Undo {
    /// Has `undoing` called if a signal ends the process before this value is dropped.
    pub fn register(undoing: Undoing) -> Self {
        let mut undoings = undoings();
        let number = undoings.last().map_or(0, |(number, _)| number + 1);
        undoings.push((number, undoing));
        Self { number }
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        undoings().retain(|(number, _)| *number != self.number);
    }
}

/// Undoes unfinished work, the youngest first, and removes every registered temporary; for a signal handler's thread that is about to end the process.
///
/// The registry stays locked afterwards, so that no other thread makes a new temporary while the process ends.
pub fn remove_all() {
    let doings = std::mem::take(&mut *undoings());
    for (_, undo) in doings.into_iter().rev() {
        undo();
    }
    let guard = temporaries();
    for path in guard.iter() {
        drop(fs::remove_file(path));
    }
    std::mem::forget(guard);
}

fn temporaries() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    TEMPORARIES.lock().unwrap_or_else(PoisonError::into_inner)
}

fn undoings() -> MutexGuard<'static, Vec<(u64, Undoing)>> {
    UNDOINGS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_forgotten_stays_and_is_not_known_any_more() {
        let directory = tempfile::tempdir().unwrap();
        for (name, stays) in [("kept", true), ("dropped", false)] {
            let path = directory.path().join(name);
            fs::File::create_new(&path).unwrap();
            let temporary = Temporary::register(path.clone());
            assert!(temporaries().contains(&path));
            if stays {
                temporary.forget();
            } else {
                drop(temporary);
            }
            assert_eq!(path.exists(), stays);
            assert!(!temporaries().contains(&path));
        }
    }
}
