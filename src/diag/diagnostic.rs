//! One fault in a project's text, and the faults of a run.

use super::source::Span;

/// How bad a fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The project cannot be used.
    Error,
    /// The project can be used, but likely not as its author meant.
    Warning,
}

/// A place that helps to understand a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// What is there, such as `first defined here`.
    pub text: String,
}

/// A fault with all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The kind of fault, in words joined by hyphens; programs may rely on it.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// Where; `None` for a fault of the whole run.
    pub primary: Option<Span>,
    /// Further places.
    pub secondary: Vec<Label>,
    /// Ways out.
    pub hints: Vec<String>,
}

/// The faults of a run; at most [`Diagnostics::KEPT_MAX`] are kept, all are counted.
#[derive(Debug, Default)]
pub struct Diagnostics {
    /// The faults, each with the stage that found it.
    kept: Vec<(u8, Diagnostic)>,
    stage: u8,
    errors: usize,
    warnings: usize,
    strict: bool,
}

impl Diagnostic {
    /// Makes an error of kind `code` at `primary`.
    pub fn error(code: &'static str, message: impl Into<String>, primary: Option<Span>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            primary,
            secondary: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// Makes a warning of kind `code` at `primary`.
    pub fn warning(code: &'static str, message: impl Into<String>, primary: Option<Span>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, message, primary)
        }
    }

    /// Adds a further place.
    #[must_use]
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.secondary.push(Label {
            span,
            text: text.into(),
        });
        self
    }

    /// Adds a way out.
    #[must_use]
    pub fn hint(mut self, text: impl Into<String>) -> Self {
        self.hints.push(text.into());
        self
    }
}

impl Diagnostics {
    /// How many faults are kept; more help nobody, and a hostile text could ask for millions.
    pub const KEPT_MAX: usize = 500;

    /// Makes an empty collection; if `strict`, every warning counts as an error.
    pub fn new(strict: bool) -> Self {
        Self {
            strict,
            ..Self::default()
        }
    }

    /// From now on faults are found by the stage number `stage`: whatever order the stages come to the parts of a text in,
    /// the faults of one place are told in the order of the stages.
    pub fn begin_stage(&mut self, stage: u8) {
        self.stage = stage;
    }

    /// Adds a fault.
    pub fn push(&mut self, mut diagnostic: Diagnostic) {
        if self.strict {
            diagnostic.severity = Severity::Error;
        }
        match diagnostic.severity {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
        }
        if self.kept.len() < Self::KEPT_MAX {
            self.kept.push((self.stage, diagnostic));
        }
    }

    /// How many errors there were.
    pub fn error_count(&self) -> usize {
        self.errors
    }

    /// How many warnings there were.
    pub fn warning_count(&self) -> usize {
        self.warnings
    }

    /// Whether there was an error.
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Whether there was neither error nor warning.
    pub fn is_empty(&self) -> bool {
        self.errors + self.warnings == 0
    }

    /// The faults kept: those of the whole run first, then by place, then by stage, then in the order found.
    pub fn sorted(&self) -> Vec<&Diagnostic> {
        let mut sorted: Vec<&(u8, Diagnostic)> = self.kept.iter().collect();
        sorted.sort_by_key(|(stage, diagnostic)| {
            let place = diagnostic.primary.map(|span| (span.source, span.start));
            (place, *stage)
        });
        sorted.into_iter().map(|(_, diagnostic)| diagnostic).collect()
    }

    /// How many faults were counted but not kept.
    pub fn dropped(&self) -> usize {
        self.errors + self.warnings - self.kept.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::SourceMap;

    #[test]
    fn strict_turns_warnings_into_errors() {
        for (strict, errors, warnings) in [(false, 1, 1), (true, 2, 0)] {
            let mut found = Diagnostics::new(strict);
            found.push(Diagnostic::warning("a", "a", None));
            found.push(Diagnostic::error("b", "b", None));
            assert_eq!((found.error_count(), found.warning_count()), (errors, warnings));
        }
    }

    #[test]
    fn faults_come_in_the_order_of_the_text() {
        let mut map = SourceMap::new();
        let id = map.add("a", "0123456789", None);
        let mut found = Diagnostics::new(false);
        for (stage, code, place) in [
            (2, "latest", Some(7)),
            (1, "late", Some(7)),
            (2, "run", None),
            (1, "early", Some(2)),
            (1, "later", Some(7)),
        ] {
            found.begin_stage(stage);
            let span = place.map(|place| Span::new(id, place, place + 1));
            found.push(Diagnostic::error(code, "", span));
        }
        let codes: Vec<&str> = found.sorted().iter().map(|one| one.code).collect();
        assert_eq!(codes, ["run", "early", "late", "later", "latest"]);
    }

    #[test]
    fn a_flood_is_counted_but_not_kept() {
        let mut found = Diagnostics::new(false);
        for _ in 0..Diagnostics::KEPT_MAX + 3 {
            found.push(Diagnostic::error("a", "a", None));
        }
        assert_eq!(found.sorted().len(), Diagnostics::KEPT_MAX);
        assert_eq!(found.dropped(), 3);
    }
}
