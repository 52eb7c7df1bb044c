//! What holds in a loaded project beyond its model, for plugins that configure guests.

use std::sync::Arc;

use super::inherit::Effective;
use super::load::Loaded;
use super::path::{self, Line};
use crate::base::Origin;
use crate::diag::{SourceMap, Span};

/// Every value of a project by its path, plugins' blocks included.
#[derive(Debug)]
pub struct Facts {
    /// `None` once nobody asks any more.
    effective: Option<Arc<Effective>>,
    sources: Arc<SourceMap>,
}

impl Facts {
    /// Takes what `loaded` found; `None` if nothing could be read.
    pub fn new(loaded: Loaded) -> Option<Self> {
        Some(Self {
            effective: Some(loaded.effective?),
            sources: loaded.sources,
        })
    }

    /// What nobody will ask for.
    pub fn none() -> Self {
        Self {
            effective: None,
            sources: Arc::default(),
        }
    }

    /// The text at `path`; `1` for a block and for a keyword without a value.
    pub fn get(&self, path: &str) -> Option<String> {
        path::find(self.effective.as_ref()?, path).map(|target| target.text())
    }

    /// The lines of the block at `path`, those inherited first; empty where there is no block.
    pub fn lines(&self, path: &str) -> Vec<Line> {
        let effective = self.effective.as_ref();
        effective
            .and_then(|effective| path::find(effective, path))
            .map(|target| target.lines())
            .unwrap_or_default()
    }

    /// The line that what `path` leads to comes from.
    pub fn origin(&self, path: &str) -> Option<Origin> {
        path::find(self.effective.as_ref()?, path).map(|target| self.origin_of(target.span()))
    }

    /// The line that `span` stands on.
    pub fn origin_of(&self, span: Span) -> Origin {
        self.sources.origin(span)
    }

    /// Whether any host may have `keyword`; one that has it is among those. Asks less than to look at every host.
    pub fn may_have(&self, keyword: &str) -> bool {
        let mut known = self.effective.iter();
        known.any(|effective| effective.may_have(keyword))
    }

    /// The names of all hosts, in natural order.
    pub fn hosts(&self) -> Vec<Arc<str>> {
        let hosts = self.effective.iter();
        let mut names: Vec<Arc<str>> = hosts.flat_map(|effective| effective.host_names()).collect();
        names.sort_by(|one, other| super::natural::compare(one, other));
        names
    }
}
