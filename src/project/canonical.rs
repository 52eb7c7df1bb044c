//! A project's text in canonical form: every included file in its place.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::include::{Includer, Sink};
use super::wording::Problems;
use crate::diag::{SourceId, SourceMap, Span};
use crate::lang::Formatter;

/// The canonical text of a project, made from the texts that were read when it is asked for: of a large project it takes as
/// much memory as they do.
#[derive(Debug, Clone)]
pub struct CanonicalText {
    sources: Arc<SourceMap>,
}

impl CanonicalText {
    /// That of the project whose texts are `sources`.
    pub(super) fn of(sources: &Arc<SourceMap>) -> Self {
        Self {
            sources: Arc::clone(sources),
        }
    }

    /// The text.
    pub fn make(&self) -> String {
        let mut formatter = Formatter::default();
        let Some(whole) = self.sources.whole() else {
            return formatter.finish();
        };
        let mut again = Again {
            sources: &self.sources,
            included: self.sources.included().collect(),
            problems: Problems::new(false),
        };
        let _told_before = again.parse(whole.source, &mut Vec::new(), &mut |node, _| {
            formatter.push(&node);
        });
        formatter.finish()
    }
}

/// Goes through texts that were read before. What is wrong with them was told then.
struct Again<'a> {
    sources: &'a SourceMap,
    /// The texts that directives asked for.
    included: BTreeMap<Span, SourceId>,
    problems: Problems,
}

impl Includer for Again<'_> {
    fn include(&mut self, _path: &str, directive: Span, context: &mut Vec<String>, sink: Sink<'_>) {
        if let Some(id) = self.included.get(&directive) {
            let _told_before = self.parse(*id, context, sink);
        }
    }

    fn sources(&self) -> &SourceMap {
        self.sources
    }

    fn problems(&mut self) -> &mut Problems {
        &mut self.problems
    }
}
