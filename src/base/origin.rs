//! Where a value came from in the project's text: what `plan --diff` shows beside each change.

use std::fmt;
use std::sync::Arc;

/// A place in a project's text, resolved to file and line.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    /// The file as the user named it.
    pub file: Arc<str>,
    /// The line, from 1; 0 where no line caused the value (a default, a setting).
    pub line: u32,
    /// The line's text, trimmed; or what stands in for it, such as `default size`.
    pub text: Arc<str>,
}

/// A value together with the place that set it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// The place that set it.
    pub origin: Origin,
}

impl Origin {
    /// The origin of something that no line of the project asked for, described in `text`.
    pub fn implied(text: &str) -> Self {
        Self {
            file: Arc::from(""),
            line: 0,
            text: Arc::from(text),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            return formatter.write_str(&self.text);
        }
        write!(formatter, "{}:{}: {}", self.file, self.line, self.text)
    }
}

impl<T> Sourced<T> {
    /// Pairs `value` with `origin`.
    pub fn new(value: T, origin: Origin) -> Self {
        Self { value, origin }
    }

    /// A value that no line of the project set.
    pub fn implied(value: T, text: &str) -> Self {
        Self::new(value, Origin::implied(text))
    }

    /// The same origin with another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Sourced<U> {
        Sourced {
            value: change(self.value),
            origin: self.origin,
        }
    }
}
