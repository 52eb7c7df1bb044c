//! The programs of the host that a build runs: found beforehand, watched while they run, ended when we end.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::error::TemplateError;
use crate::base::process::{self, ProcessError};

/// How many of a failed program's last lines are kept.
const KEPT_LINES: usize = 20;

/// What a build finds on its host, handed in so that nothing here reads the environment.
#[derive(Debug, Clone)]
pub struct BuildHost {
    /// The directories to look for programs in: the value of `PATH`.
    pub search_path: Option<OsString>,
    /// Where apt's configuration lies, usually `/etc/apt`: templates come from the host's own mirror.
    pub apt_directory: PathBuf,
    /// Whether root builds; others work in a user namespace.
    pub is_root: bool,
}

impl BuildHost {
    /// A command that runs `program` and is ended by the system should this process end first, however it does.
    pub(super) fn command(&self, program: &str) -> Command {
        let found = |name: &str| {
            process::find(name, self.search_path.as_ref()).unwrap_or_else(|| PathBuf::from(name))
        };
        let mut command = Command::new(found("setpriv"));
        command.args(["--pdeathsig", "TERM", "--"]).arg(found(program));
        command.env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
        command
    }

    /// Refuses unless every one of `programs`, given with the Debian package that brings it, is installed.
    pub(super) fn require(&self, programs: &[(&str, &str)]) -> Result<(), TemplateError> {
        let missing: Vec<_> = programs
            .iter()
            .filter(|(program, _)| process::find(program, self.search_path.as_ref()).is_none())
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let mut packages: Vec<String> = missing.iter().map(|(_, package)| (*package).to_owned()).collect();
        packages.sort();
        packages.dedup();
        Err(TemplateError::ProgramsMissing {
            programs: missing.iter().map(|(program, _)| (*program).to_owned()).collect(),
            packages,
        })
    }
}

/// Runs `command` to the end and hands every line that it writes to standard error to `heard`; `program` is what an
/// error calls it.
pub(super) fn run(
    program: &str,
    command: &mut Command,
    mut heard: impl FnMut(&str),
) -> Result<(), ProcessError> {
    let start = |source| ProcessError::Start {
        program: program.to_owned(),
        source,
    };
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(start)?;
    let last_lines = listen(&mut child, &mut heard).map_err(start)?;
    let status = child.wait().map_err(start)?;
    if status.success() {
        return Ok(());
    }
    Err(ProcessError::Failed {
        program: program.to_owned(),
        status: status.to_string(),
        output: last_lines.into_iter().collect::<Vec<_>>().join("\n"),
    })
}

/// Reads what `child` complains of until it closes the pipe; gives the last lines.
fn listen(child: &mut Child, heard: &mut impl FnMut(&str)) -> io::Result<VecDeque<String>> {
    let mut last_lines = VecDeque::with_capacity(KEPT_LINES);
    let Some(pipe) = child.stderr.take() else {
        return Ok(last_lines);
    };
    for line in BufReader::new(pipe).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).trim_end().to_owned();
        heard(&line);
        if last_lines.len() == KEPT_LINES {
            last_lines.pop_front();
        }
        last_lines.push_back(line);
    }
    Ok(last_lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> BuildHost {
        BuildHost {
            search_path: std::env::var_os("PATH"),
            apt_directory: PathBuf::from("/etc/apt"),
            is_root: false,
        }
    }

    #[test]
    fn a_failed_program_is_named_with_its_last_words() {
        let mut command = host().command("sh");
        command.args(["-c", "echo one >&2; echo two >&2; exit 3"]);
        let mut lines = Vec::new();
        let error = run("sh", &mut command, |line| lines.push(line.to_owned())).unwrap_err();
        assert_eq!(error.to_string(), "`sh` failed with exit status: 3:\none\ntwo");
        assert_eq!(lines, ["one", "two"]);
    }

    #[test]
    fn what_is_missing_is_named_with_its_packages() {
        let host = BuildHost {
            search_path: Some("/nowhere".into()),
            ..host()
        };
        let error = host
            .require(&[("no-such-one", "a"), ("no-such-two", "b"), ("no-such-three", "a")])
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "building needs no-such-one, no-such-two, no-such-three: install the Debian packages a b"
        );
    }
}
