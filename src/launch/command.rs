//! A program to run, as data: shown by `--dry-run`, written into scripts, or started.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::base::process::{self, ProcessError};

use super::quote::shell;

/// What machines are started on, handed in so that nothing here reads the environment.
#[derive(Debug, Clone)]
pub struct LaunchHost {
    /// The directories to look for programs in: the value of `PATH`.
    pub search_path: Option<OsString>,
    /// Where what belongs to running machines lies: sockets, process ids, consoles.
    pub runtime: PathBuf,
    /// Who runs the program; 0 is root.
    pub uid: u32,
    /// Whether there is a screen to open windows on.
    pub has_display: bool,
    /// What projects call this server (`service_host`).
    pub name: Option<String>,
}

/// A program with its arguments, and where it is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// The program's name and its arguments.
    pub words: Vec<String>,
    /// Variables that it finds beside those of this process.
    pub environment: Vec<(&'static str, String)>,
    /// The directory that it is run in; `None` for this process's.
    pub directory: Option<PathBuf>,
}

impl LaunchHost {
    /// Where the program called `name` lies, if it is installed.
    pub(super) fn find(&self, name: &str) -> Option<PathBuf> {
        if name.contains('/') {
            return Some(PathBuf::from(name)).filter(|path| path.is_file());
        }
        process::find(name, self.search_path.as_ref())
    }

    /// Whose the account called `user` is.
    pub(super) fn account(&self, user: &str) -> Account {
        match CommandLine::new(["id", "-u", "--", user]).run(self) {
            Err(_) => Account::Missing,
            Ok(uid) if !self.is_root() && uid.trim() != self.uid.to_string() => Account::Others,
            Ok(_) => Account::Ours,
        }
    }

    /// Whether root runs the program.
    pub(super) fn is_root(&self) -> bool {
        self.uid == 0
    }
}

/// Whose an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Account {
    /// Processes of it can be started.
    Ours,
    /// Only root and itself can start its processes.
    Others,
    /// There is none of that name.
    Missing,
}

impl CommandLine {
    /// The command `words`, run in this process's directory.
    pub(super) fn new<W: Into<String>>(words: impl IntoIterator<Item = W>) -> Self {
        Self {
            words: words.into_iter().map(Into::into).collect(),
            environment: Vec::new(),
            directory: None,
        }
    }

    /// The same with `words` before it.
    pub(super) fn after<W: Into<String>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        let before: Vec<String> = words.into_iter().map(Into::into).collect();
        self.words.splice(0..0, before);
        self
    }

    /// The same, run in `directory`.
    pub(super) fn within(mut self, directory: &Path) -> Self {
        self.directory = Some(directory.to_path_buf());
        self
    }

    /// The same with the variable `name`.
    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    /// The command as a line for the shell.
    pub fn shown(&self) -> String {
        let mut words = Vec::new();
        for (name, value) in &self.environment {
            words.push(format!("{name}={}", shell(value)));
        }
        words.extend(self.words.iter().map(|word| shell(word)));
        let line = words.join(" ");
        match &self.directory {
            Some(directory) => format!("cd {} && {line}", shell(&directory.display().to_string())),
            None => line,
        }
    }

    /// Runs it to the end; anything but exit 0 is an error with its last lines.
    pub(super) fn run(&self, host: &LaunchHost) -> Result<String, ProcessError> {
        process::run_with_file(&mut self.command(host)?)
    }

    /// Starts it in a session of its own, in which it outlives this process; what it prints goes to `log`.
    pub(super) fn spawn(&self, host: &LaunchHost, log: Option<File>) -> Result<(), ProcessError> {
        self.spawn_with(host, Stdio::null(), log)
    }

    /// The same with `input` as its standard input.
    pub(super) fn spawn_with(
        &self,
        host: &LaunchHost,
        input: Stdio,
        log: Option<File>,
    ) -> Result<(), ProcessError> {
        let mut command = self.clone().after(["setsid", "--"]).command(host)?;
        let failed = |source: io::Error| ProcessError::Start {
            program: self.program().to_owned(),
            source,
        };
        command.stdin(input);
        match log {
            Some(log) => {
                command.stdout(log.try_clone().map_err(failed)?).stderr(log);
            }
            None => {
                command.stdout(Stdio::null()).stderr(Stdio::null());
            }
        }
        // Nobody waits for it: it becomes init's child when this process ends.
        command.spawn().map(drop).map_err(failed)
    }

    fn program(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    pub(super) fn command(&self, host: &LaunchHost) -> Result<Command, ProcessError> {
        let path = host.find(self.program()).ok_or_else(|| ProcessError::Missing {
            program: self.program().to_owned(),
        })?;
        let mut command = Command::new(path);
        command.args(self.words.iter().skip(1));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        Ok(command)
    }
}
