//! The lines that a project's values come from. What hosts inherit comes from few lines, which they share.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::inherit::Effective;
use super::section::{Content, Section};
use crate::base::Origin;
use crate::diag::{SourceId, SourceMap, Span};

/// What stands in for the line of a value that no line asked for.
const IMPLIED: [&str; 10] = [
    "default_template",
    "default platform",
    "default_size",
    "default size",
    "default_memory",
    "default memory",
    "default_term",
    "default term",
    "default boot_order",
    "default identity",
];

/// Every line of a project as an origin.
#[derive(Debug)]
pub(super) struct Origins {
    sources: Arc<SourceMap>,
    /// The lines of superclasses and of `global`, by the text and the first byte.
    shared: BTreeMap<(SourceId, u32), Origin>,
    implied: BTreeMap<&'static str, Origin>,
}

/// The lines that values come from.
pub(super) enum Lines<'a> {
    /// Those of a project.
    Told(&'a Origins),
    /// Nobody asks, since only faults are looked for: this one stands for all.
    Untold(Origin),
}

impl Lines<'_> {
    /// The line that `span` stands on.
    pub(super) fn of_span(&self, span: Span) -> Origin {
        match self {
            Self::Told(origins) => origins.of_span(span),
            Self::Untold(origin) => origin.clone(),
        }
    }

    /// What stands in for the line of a value that no line asked for.
    pub(super) fn implied(&self, text: &'static str) -> Origin {
        match self {
            Self::Told(origins) => origins.implied(text),
            Self::Untold(origin) => origin.clone(),
        }
    }
}

impl Origins {
    /// The lines of `sources`; those that hosts of `effective` inherit are shared.
    pub(super) fn new(sources: Arc<SourceMap>, effective: &Effective) -> Self {
        let mut origins = Self {
            sources,
            shared: BTreeMap::new(),
            implied: IMPLIED.map(|text| (text, Origin::implied(text))).into(),
        };
        let classes = effective.superclasses.iter().map(|class| &class.own);
        classes
            .chain([&effective.global])
            .for_each(|section| origins.share(section));
        origins
    }

    fn of_span(&self, span: Span) -> Origin {
        let shared = self.shared.get(&self.place(span)).cloned();
        shared.unwrap_or_else(|| self.sources.origin(span))
    }

    fn implied(&self, text: &'static str) -> Origin {
        let shared = self.implied.get(text).cloned();
        shared.unwrap_or_else(|| Origin::implied(text))
    }

    fn share(&mut self, section: &Section) {
        self.share_line(section.header);
        for entry in &section.entries {
            self.share_line(entry.key.span);
            for word in entry.value().unwrap_or_default() {
                self.share_line(word.span);
            }
            if let Content::Section(inner) = &entry.content {
                self.share(inner);
            }
        }
    }

    fn share_line(&mut self, span: Span) {
        let place = self.place(span);
        if !self.shared.contains_key(&place) {
            self.shared.insert(place, self.sources.origin(span));
        }
    }

    /// The text, and the first byte of the line, of `span`.
    fn place(&self, span: Span) -> (SourceId, u32) {
        let source = self.sources.get(span.source);
        (span.source, source.line_start_of(span.start))
    }
}
