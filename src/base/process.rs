//! Other programs: found, run to the end, their complaints kept.

use std::ffi::OsString;
use std::io::{self, Read as _, Seek as _};
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
    Err(ProcessError::Failed {
        program,
        status: output.status.to_string(),
        output: last_lines(&text),
    })
}

/// Runs `command` to the end as [`run`] does, and gives what it printed. What it prints goes through a file, so that a
/// daemon which it leaves behind, and which keeps its output open, is not waited for.
pub fn run_with_file(command: &mut Command) -> Result<String, ProcessError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let failed = |source| ProcessError::Start {
        program: program.clone(),
        source,
    };
    let mut file = tempfile::tempfile().map_err(failed)?;
    let stdout = file.try_clone().map_err(failed)?;
    let stderr = file.try_clone().map_err(failed)?;
    command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    let status = command.status().map_err(failed)?;
    let mut bytes = Vec::new();
    file.rewind()
        .and_then(|()| file.read_to_end(&mut bytes))
        .map_err(failed)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    if status.success() {
        return Ok(text);
    }
    Err(ProcessError::Failed {
        program,
        status: status.to_string(),
        output: last_lines(&text),
    })
}

/// The end of what a failed program printed.
fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
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
