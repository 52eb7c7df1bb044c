//! Other programs: found, run to the end, their complaints kept.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// Says how another program failed us.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The program is not installed.
    #[error("`{program}` is not installed")]
    Missing {
        /// The program's name.
        program: String,
    },
    /// The system did not start it.
    #[error("cannot start `{program}`")]
    Start {
        /// The program's name.
        program: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// It ran and failed.
    #[error("`{program}` failed with {status}:\n{output}")]
    Failed {
        /// The program's name.
        program: String,
        /// How it ended, in words.
        status: String,
        /// The last lines that it printed.
        output: String,
    },
}

/// How many of a failed program's last lines are shown.
const SHOWN_LINES: usize = 20;

/// Runs `command` to the end with no standard input; anything but exit 0 is an error with its last lines.
pub fn run(command: &mut Command) -> Result<Output, ProcessError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => ProcessError::Missing {
                program: program.clone(),
            },
            _ => ProcessError::Start {
                program: program.clone(),
                source,
            },
        })?;
    if output.status.success() {
        return Ok(output);
    }
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    let lines: Vec<&str> = text.lines().collect();
    let shown = lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n");
    Err(ProcessError::Failed {
        program,
        status: output.status.to_string(),
        output: shown,
    })
}

/// The first file named `program` in the directories of `search_path` (the value of `PATH`), then in the system's
/// administration directories, which an ordinary user's `PATH` leaves out.
pub fn find(program: &str, search_path: Option<&OsString>) -> Option<PathBuf> {
    let listed = search_path
        .map(|path| std::env::split_paths(path).collect::<Vec<_>>())
        .unwrap_or_default();
    let system = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    listed
        .into_iter()
        .chain(system)
        .map(|directory| directory.join(program))
        .find(|path| path.is_file())
}
