//! One plain line on standard error for each thing that is done.

use std::io::{self, Write as _};

use crate::base::report::Reporter;

/// Writes a line when a thing is done. What failed is told at the end, with everything else that failed.
pub(super) struct Lines;

impl Reporter for Lines {
    fn begin(&self, _total: usize) {}

    fn stage(&self, _name: &str, _stage: &str) {}

    fn done(&self, name: &str, summary: &str) {
        // Nobody is left to tell if standard error is gone.
        drop(
            io::stderr()
                .lock()
                .write_all(format!("{name}: {summary}\n").as_bytes()),
        );
    }

    fn failed(&self, name: &str, _message: &str) {
        self.done(name, "failed");
    }

    fn end(&self) {}
}
