//! What the process finds around it, read once at the start and handed on as values.

use std::ffi::OsString;
use std::path::PathBuf;

/// The parts of the environment that change what the program does.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment {
    /// The user's home directory.
    pub(crate) home: Option<PathBuf>,
    /// Where the user keeps programs' data (`XDG_DATA_HOME`).
    pub(crate) data_home: Option<PathBuf>,
    /// Whether root runs the program.
    pub(crate) is_root: bool,
    /// Whether the user wants no colours (`NO_COLOR`, or a terminal that calls itself dumb).
    pub(crate) no_color: bool,
}

impl Environment {
    /// Reads the process's environment.
    pub(crate) fn of_process() -> Self {
        let filled = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let directory = |value: OsString| Some(PathBuf::from(value)).filter(|path| path.is_absolute());
        Self {
            home: filled("HOME").and_then(directory),
            data_home: filled("XDG_DATA_HOME").and_then(directory),
            is_root: rustix::process::geteuid().is_root(),
            no_color: filled("NO_COLOR").is_some() || filled("TERM").is_some_and(|term| term == "dumb"),
        }
    }
}
