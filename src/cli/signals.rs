//! Ctrl-C and friends: temporaries go, then the process.

use std::io;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::error::CommandError;
use crate::base::cleanup;

/// What a shell adds to a signal's number to make an exit code.
const SIGNAL_EXIT_BASE: i32 = 128;

/// Starts the thread that waits for a signal to end the program.
pub(crate) fn watch() -> Result<(), CommandError> {
    let failed = |source: io::Error| CommandError::work(format!("cannot wait for signals: {source}"));
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(failed)?;
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            if let Some(signal) = signals.forever().next() {
                end(signal);
            }
        })
        .map_err(failed)?;
    Ok(())
}

/// Removes every temporary and ends the process as the shell expects of `signal`.
#[expect(
    clippy::exit,
    reason = "a signal ends the process whatever its other threads do"
)]
fn end(signal: i32) -> ! {
    cleanup::remove_all();
    std::process::exit(SIGNAL_EXIT_BASE.saturating_add(signal))
}
