//! Where a value came from in the project's text: what `plan --diff` shows beside each change.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// A place in a project's text, resolved to file and line; as small as a pointer, since every value of every host has
/// one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin(Arc<Place>);

/// What an [`Origin`] tells.
#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The file as the user named it.
    pub file: Arc<str>,
    /// The line, from 1; 0 where no line caused the value (a default, a setting).
    pub line: u32,
    /// The line's text, trimmed; or what stands in for it, such as `default size`.
    pub text: Box<str>,
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
    /// The line with the number `line`, from 1, and the text `text` in `file`.
    pub fn new(file: Arc<str>, line: u32, text: &str) -> Self {
        Self(Arc::new(Place {
            file,
            line,
            text: Box::from(text),
        }))
    }

    /// The origin of something that no line of the project asked for, described in `text`.
    pub fn implied(text: &str) -> Self {
        Self::new(Arc::default(), 0, text)
    }
}

impl Deref for Origin {
    type Target = Place;

    fn deref(&self) -> &Place {
        &self.0
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
