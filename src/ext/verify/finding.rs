//! One thing that is wrong, and the list of them.

use std::fmt;

use crate::ext::error::{ExtError, Place};

/// One thing that is wrong with a file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// What is wrong there.
    pub what: &'static str,
    /// What had to be there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            place,
            what,
            expected,
            found,
        } = self;
        write!(formatter, "{place}: {what}: expected {expected}, found {found}")
    }
}

/// More findings than this say nothing new.
const FINDINGS_MAX: usize = 1000;

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    findings: Vec<Finding>,
}

impl Report {
    /// Adds a finding.
    pub(super) fn add(
        &mut self,
        place: Place,
        what: &'static str,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding {
                place,
                what,
                expected: expected.to_string(),
                found: found.to_string(),
            });
        }
    }

    /// Adds a finding unless `expected` is what was found.
    pub(super) fn compare<T: PartialEq + fmt::Display>(
        &mut self,
        place: Place,
        what: &'static str,
        expected: T,
        found: T,
    ) {
        if expected != found {
            self.add(place, what, expected, found);
        }
    }

    /// Adds a finding unless the checksums are equal; `None` means that there are none.
    pub(super) fn compare_checksums(&mut self, place: Place, expected: Option<u32>, found: u32) {
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            self.add(
                place,
                "checksum",
                format_args!("{expected:#x}"),
                format_args!("{found:#x}"),
            );
        }
    }

    /// Turns a contradiction into a finding; any other error ends the check.
    pub(super) fn absorb<T>(&mut self, result: Result<T, ExtError>) -> Result<Option<T>, ExtError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(ExtError::Corrupt {
                place,
                what,
                expected,
                found,
            }) => {
                self.add(place, what, expected, found);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    pub(super) fn into_findings(self) -> Vec<Finding> {
        self.findings
    }
}
