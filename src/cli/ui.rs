//! Talking to the terminal: answers on standard output, everything else on standard error.

use std::io::{self, ErrorKind as IoErrorKind, IsTerminal as _, Write as _};

use super::environment::Environment;
use super::error::{CommandError, ErrorKind};
use crate::diag::{self, Colours, Diagnostics, SourceMap};

/// Standard output and standard error, and whether colours suit the latter.
#[derive(Debug)]
pub(crate) struct Ui {
    stdout: io::Stdout,
    stderr: io::Stderr,
    stderr_color: bool,
}

impl Ui {
    /// The process's own terminal, or whatever stands in for it.
    pub(crate) fn new(environment: &Environment) -> Self {
        Self {
            stdout: io::stdout(),
            stderr: io::stderr(),
            stderr_color: !environment.no_color && io::stderr().is_terminal(),
        }
    }

    /// Writes `text` as the command's answer.
    pub(crate) fn answer(&self, text: &str) -> Result<(), CommandError> {
        self.answer_bytes(text.as_bytes())
    }

    /// Writes `bytes` as the command's answer.
    pub(crate) fn answer_bytes(&self, bytes: &[u8]) -> Result<(), CommandError> {
        let mut stdout = self.stdout.lock();
        stdout
            .write_all(bytes)
            .and_then(|()| stdout.flush())
            .map_err(|source| {
                let kind = match source.kind() {
                    IoErrorKind::BrokenPipe => ErrorKind::BrokenPipe,
                    _ => ErrorKind::Work,
                };
                CommandError::new(kind, format!("cannot write to standard output: {source}"))
            })
    }

    /// Writes `value` as the command's answer for a program: one JSON document and a newline.
    pub(crate) fn answer_json(&self, value: &impl serde::Serialize) -> Result<(), CommandError> {
        let mut text = serde_json::to_string_pretty(value)
            .map_err(|source| CommandError::new(ErrorKind::Internal, source))?;
        text.push('\n');
        self.answer(&text)
    }

    /// Says what went wrong and what would help.
    pub(crate) fn error(&self, error: &CommandError) {
        if matches!(error.kind, ErrorKind::BrokenPipe | ErrorKind::Answered) {
            return;
        }
        self.label("error", "31", &error.message());
        for hint in &error.hints {
            self.label("hint", "36", hint);
        }
    }

    /// Shows `text`, of whole lines, beside the answer.
    pub(crate) fn remark(&self, text: &str) {
        drop(self.stderr.lock().write_all(text.as_bytes()));
    }

    /// Says something that the user may want to know meanwhile.
    pub(crate) fn note(&self, text: &str) {
        self.label("note", "36", text);
    }

    /// Shows faults of a text, places and hints included.
    pub(crate) fn diagnostics(&self, diagnostics: &Diagnostics, sources: &SourceMap) {
        let colours = if self.stderr_color {
            Colours::Always
        } else {
            Colours::Never
        };
        let text = diag::render_all(diagnostics, sources, colours);
        drop(self.stderr.lock().write_all(text.as_bytes()));
    }

    /// Says that one thing of several failed.
    pub(crate) fn failure(&self, text: &str) {
        self.label("error", "31", text);
    }

    /// Says what a person should know.
    pub(crate) fn warning(&self, text: &str) {
        self.label("warning", "33", text);
    }

    /// Whether somebody watches standard error on a terminal.
    pub(crate) fn is_stderr_terminal(&self) -> bool {
        self.stderr.is_terminal()
    }

    /// Says, after a panic has said where, what to do about it.
    pub(crate) fn bug(&self) {
        self.label("error", "31", "this is a bug in mln-image, not in your project");
        self.label(
            "hint",
            "36",
            &format!(
                "report it with the lines above, the command line and this version: {}",
                env!("CARGO_PKG_VERSION")
            ),
        );
    }

    /// Writes a line to standard error, its `label` in the given colour; nobody is left to tell if that fails.
    fn label(&self, label: &str, color: &str, text: &str) {
        let line = if self.stderr_color {
            format!("\x1b[1;{color}m{label}\x1b[0m: {text}\n")
        } else {
            format!("{label}: {text}\n")
        };
        drop(self.stderr.lock().write_all(line.as_bytes()));
    }
}
