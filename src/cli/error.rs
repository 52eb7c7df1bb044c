//! Errors at the edge: which exit code they give, and what would help.

use std::error::Error;
use std::process::ExitCode;

use crate::bake::OfflineError;
use crate::base::PathError;
pub(crate) use crate::base::report::chain;

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    /// The work could not be done.
    Work,
    /// The command line or the project is wrong.
    Usage,
    /// A defect of this program.
    Internal,
    /// The answer, which was told, is that things are not as hoped.
    Answered,
    /// Whoever read our output has gone away; there is nobody to tell.
    BrokenPipe,
}

/// A command that did not succeed.
#[derive(Debug)]
pub(crate) struct CommandError {
    /// Whose fault it is.
    pub(crate) kind: ErrorKind,
    /// What went wrong, with its causes.
    pub(crate) source: Box<dyn Error + Send + Sync>,
    /// Ways out, one a line.
    pub(crate) hints: Vec<String>,
}

impl ErrorKind {
    /// The code that the process ends with.
    pub(crate) fn exit_code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::BrokenPipe => 0,
            Self::Work | Self::Answered => 1,
            Self::Usage => 2,
            Self::Internal => 3,
        })
    }
}

impl CommandError {
    /// The work failed.
    pub(crate) fn work(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(ErrorKind::Work, source)
    }

    /// The user asked for something wrong.
    pub(crate) fn usage(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(ErrorKind::Usage, source)
    }

    /// An error of the given kind.
    pub(crate) fn new(kind: ErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            kind,
            source: source.into(),
            hints: Vec::new(),
        }
    }

    /// Adds a way out.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The message with its causes, the outermost first, on one line.
    pub(crate) fn message(&self) -> String {
        chain(&*self.source)
    }
}

impl From<PathError> for CommandError {
    fn from(error: PathError) -> Self {
        Self::work(error)
    }
}

impl From<OfflineError> for CommandError {
    fn from(error: OfflineError) -> Self {
        let hints = error.hints();
        hints.into_iter().fold(Self::work(error), Self::hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn a_message_names_every_cause_once() {
        let inner = PathError::on("read", "/x")(io::Error::from_raw_os_error(2));
        let error = CommandError::from(inner).hint("look elsewhere");
        assert_eq!(
            error.message(),
            "cannot read `/x`: No such file or directory (os error 2)"
        );
        assert_eq!(error.hints, ["look elsewhere"]);
    }
}
