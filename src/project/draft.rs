//! A project between reading and checking, as extensions see it: read with inheritance and variables, written by
//! MLN's paths.

use std::cell::RefCell;
use std::sync::Arc;

use super::blocks::{HOST, Root};
use super::inherit::{self, Effective};
use super::path::{self, Line};
use super::section::{Content, Entry, Section};
use super::wording::Problems;
use crate::diag::{Diagnostic, SourceMap, Span};
use crate::lang::Word;

/// How many bytes extensions may write into one project.
const WRITTEN_MAX: usize = 128 << 20;

/// A project that extensions read and change.
#[derive(Debug)]
pub struct Draft<'a> {
    root: &'a mut Root,
    sources: &'a mut SourceMap,
    problems: &'a mut Problems,
    is_writable: bool,
    written_bytes: usize,
    /// What holds by now, once somebody has asked.
    resolved: RefCell<Option<Arc<Effective>>>,
}

/// Says why a draft cannot be changed so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    /// The path leads nowhere that could be written.
    #[error("`{0}` is no path to write to: write `/host/NAME/KEYWORD`, `/global/KEYWORD` or the like")]
    BadPath(String),
    /// A component of the path, or a value, that no project could hold.
    #[error("{0:?} cannot stand in a project: a word has no blanks and no control characters")]
    BadWord(String),
    /// The project is being checked.
    #[error("a project cannot be changed while it is checked")]
    ReadOnly,
    /// There is a host of this name.
    #[error("the project has a host `{0}` already")]
    HostExists(String),
    /// Too much was written.
    #[error("more than {WRITTEN_MAX} bytes were written into the project")]
    TooMuch,
}

impl<'a> Draft<'a> {
    pub(super) fn new(root: &'a mut Root, sources: &'a mut SourceMap, problems: &'a mut Problems) -> Self {
        Self {
            root,
            sources,
            problems,
            is_writable: true,
            written_bytes: 0,
            resolved: RefCell::default(),
        }
    }

    /// A draft that is only looked at, of which it is `known` what holds in it.
    pub(super) fn read_only(
        root: &'a mut Root,
        sources: &'a mut SourceMap,
        problems: &'a mut Problems,
        known: Arc<Effective>,
    ) -> Self {
        Self {
            is_writable: false,
            resolved: RefCell::new(Some(known)),
            ..Self::new(root, sources, problems)
        }
    }

    /// The texts of the project; a plugin's own text is added here, so that its faults can be shown.
    pub fn sources(&mut self) -> &mut SourceMap {
        self.sources
    }

    /// The text at `path`; `1` for a block and for a keyword without a value.
    pub fn get(&self, path: &str) -> Option<String> {
        path::find(&self.effective(), path).map(|target| target.text())
    }

    /// Where what `path` leads to stands in the text.
    pub fn span(&self, path: &str) -> Option<Span> {
        path::find(&self.effective(), path).map(|target| target.span())
    }

    /// The lines of the block at `path`, those inherited first; empty where there is no block.
    pub fn lines(&self, path: &str) -> Vec<Line> {
        path::find(&self.effective(), path)
            .map(|target| target.lines())
            .unwrap_or_default()
    }

    /// The names of the top-level blocks of `kind`, such as `host`, in the text's order.
    pub fn names(&self, kind: &str) -> Vec<String> {
        if kind == HOST {
            return self
                .root
                .hosts
                .names()
                .map(|name| name.text.to_string())
                .collect();
        }
        let blocks = self.root.section.section(kind);
        let names = blocks.iter().flat_map(|block| block.sections());
        names.map(|(name, _)| name.text.to_string()).collect()
    }

    /// Whether any host may have `keyword`; one that has it is among those. Asks less than to look at every host.
    pub fn may_have(&self, keyword: &str) -> bool {
        self.effective().may_have(keyword)
    }

    /// Sets the keyword at `path` to `value`, in the place of what its own block said; `cause` is the line that
    /// faults of it are shown at.
    pub fn set(&mut self, path: &str, value: &str, cause: Span) -> Result<(), DraftError> {
        self.change(path, cause, value.len(), |section, key| {
            section.set(entry(key, value, cause)?);
            Ok(())
        })
    }

    /// Adds the line `text` to the block at `path`.
    pub fn add(&mut self, path: &str, text: &str, cause: Span) -> Result<(), DraftError> {
        let (key, value) = text
            .trim()
            .split_once(char::is_whitespace)
            .unwrap_or((text.trim(), ""));
        let entry = entry(key, value, cause)?;
        // The last component only tells where the block ends.
        self.change(&format!("{path}/{key}"), cause, text.len(), |section, _| {
            section.push(entry);
            Ok(())
        })
    }

    /// Adds a host, which inherits from `superclass` if one is given.
    pub fn add_host(&mut self, name: &str, superclass: Option<&str>, cause: Span) -> Result<(), DraftError> {
        if self.root.hosts.place(name).is_some() {
            return Err(DraftError::HostExists(name.to_owned()));
        }
        let path = format!("/host/{name}/superclass");
        self.change(&path, cause, 64, |section, key| {
            if let Some(superclass) = superclass {
                section.set(entry(key, superclass, cause)?);
            }
            Ok(())
        })
    }

    /// Reports a fault.
    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.problems.push(diagnostic);
    }

    /// Has `change` change the section that holds the last component of `path`, which is made where it is not there.
    fn change(
        &mut self,
        path: &str,
        cause: Span,
        bytes: usize,
        change: impl FnOnce(&mut Section, &str) -> Result<(), DraftError>,
    ) -> Result<(), DraftError> {
        let parts = path::components(path);
        let least = match parts.first() {
            Some(&("host" | "superclass" | "switch")) => 3,
            _ => 2,
        };
        if !self.is_writable {
            return Err(DraftError::ReadOnly);
        }
        if let Some(part) = parts.iter().find(|part| !is_word(part)) {
            return Err(DraftError::BadWord((*part).to_owned()));
        }
        let Some((last, above)) = parts
            .split_last()
            .filter(|_| parts.len() >= least && parts.len() <= 30)
        else {
            return Err(DraftError::BadPath(path.to_owned()));
        };
        self.written_bytes += path.len() + bytes;
        if self.written_bytes > WRITTEN_MAX {
            return Err(DraftError::TooMuch);
        }
        *self.resolved.borrow_mut() = None;
        let above: Vec<Word> = above.iter().map(|part| word(part, cause)).collect();
        self.root.change(&above, cause, |section| change(section, last))
    }

    /// What holds by now.
    fn effective(&self) -> Arc<Effective> {
        let mut resolved = self.resolved.borrow_mut();
        let known = resolved.get_or_insert_with(|| {
            // The faults are told when the project is resolved for good.
            let mut unheard = Problems::new(false);
            Arc::new(inherit::resolve(self.root, &mut unheard))
        });
        Arc::clone(known)
    }
}

/// `text` as an entry's key or a block's name.
fn word(text: &str, span: Span) -> Word {
    Word {
        text: Arc::from(text),
        span,
    }
}

fn entry(key: &str, value: &str, cause: Span) -> Result<Entry, DraftError> {
    let words: Vec<&str> = value.split(' ').filter(|word| !word.is_empty()).collect();
    if let Some(bad) = words.iter().chain([&key]).find(|word| !is_word(word)) {
        return Err(DraftError::BadWord((*bad).to_owned()));
    }
    let words = words.into_iter().map(|text| word(text, cause)).collect();
    Ok(Entry::new(word(key, cause), Content::Value(words)))
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && !text
            .chars()
            .any(|letter| letter.is_whitespace() || letter.is_control())
}
