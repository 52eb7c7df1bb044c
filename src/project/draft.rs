//! A project between reading and checking, as extensions see it: read with inheritance and variables, written by
//! MLN's paths.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

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
    pub(super) root: &'a mut Section,
    sources: &'a mut SourceMap,
    problems: &'a mut Problems,
    is_writable: bool,
    has_changed: bool,
    written_bytes: usize,
    /// What holds by now: in all of the project, or with one host only.
    resolved: RefCell<BTreeMap<Option<String>, Rc<Effective>>>,
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
    pub(super) fn new(root: &'a mut Section, sources: &'a mut SourceMap, problems: &'a mut Problems) -> Self {
        Self {
            root,
            sources,
            problems,
            is_writable: true,
            has_changed: false,
            written_bytes: 0,
            resolved: RefCell::default(),
        }
    }

    /// A draft that is only looked at, of which it is `known` what holds in it.
    pub(super) fn read_only(
        root: &'a mut Section,
        sources: &'a mut SourceMap,
        problems: &'a mut Problems,
        known: Rc<Effective>,
    ) -> Self {
        Self {
            is_writable: false,
            resolved: RefCell::new(BTreeMap::from([(None, known)])),
            ..Self::new(root, sources, problems)
        }
    }

    /// The texts of the project; a plugin's own text is added here, so that its faults can be shown.
    pub fn sources(&mut self) -> &mut SourceMap {
        self.sources
    }

    /// The text at `path`; `1` for a block and for a keyword without a value.
    pub fn get(&self, path: &str) -> Option<String> {
        path::find(&self.effective(path), path).map(|target| target.text())
    }

    /// Where what `path` leads to stands in the text.
    pub fn span(&self, path: &str) -> Option<Span> {
        path::find(&self.effective(path), path).map(|target| target.span())
    }

    /// The lines of the block at `path`, those inherited first; empty where there is no block.
    pub fn lines(&self, path: &str) -> Vec<Line> {
        path::find(&self.effective(path), path)
            .map(|target| target.lines())
            .unwrap_or_default()
    }

    /// The names of the top-level blocks of `kind`, such as `host`, in the text's order.
    pub fn names(&self, kind: &str) -> Vec<String> {
        let blocks = self.root.section(kind);
        let names = blocks.iter().flat_map(|block| block.sections());
        names.map(|(name, _)| name.text.to_string()).collect()
    }

    /// Sets the keyword at `path` to `value`, in the place of what its own block said; `cause` is the line that
    /// faults of it are shown at.
    pub fn set(&mut self, path: &str, value: &str, cause: Span) -> Result<(), DraftError> {
        let (section, key) = self.place(path, cause, value.len())?;
        let entry = entry(&key, value, cause)?;
        section.set(entry);
        Ok(())
    }

    /// Adds the line `text` to the block at `path`.
    pub fn add(&mut self, path: &str, text: &str, cause: Span) -> Result<(), DraftError> {
        let (key, value) = text
            .trim()
            .split_once(char::is_whitespace)
            .unwrap_or((text.trim(), ""));
        let entry = entry(key, value, cause)?;
        // The last component only tells where the block ends.
        let (section, _) = self.place(&format!("{path}/{key}"), cause, text.len())?;
        section.push(entry);
        Ok(())
    }

    /// Adds a host, which inherits from `superclass` if one is given.
    pub fn add_host(&mut self, name: &str, superclass: Option<&str>, cause: Span) -> Result<(), DraftError> {
        let exists = |root: &Section| Some(root.section("host")?.section(name)?.header);
        if exists(self.root).is_some() {
            return Err(DraftError::HostExists(name.to_owned()));
        }
        let path = format!("/host/{name}/superclass");
        let (section, key) = self.place(&path, cause, 64)?;
        if let Some(superclass) = superclass {
            section.set(entry(&key, superclass, cause)?);
        }
        Ok(())
    }

    /// Reports a fault.
    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.problems.push(diagnostic);
    }

    /// The section that holds the last component of `path`, made where it is not there, and that component.
    fn place(&mut self, path: &str, cause: Span, bytes: usize) -> Result<(&mut Section, String), DraftError> {
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
        self.has_changed = true;
        self.resolved.borrow_mut().clear();
        let mut section = &mut *self.root;
        for part in above {
            section = section.container(&word(part, cause), cause);
        }
        Ok((section, (*last).to_owned()))
    }

    /// What holds by now, as far as `path` needs it.
    fn effective(&self, path: &str) -> Rc<Effective> {
        let mut resolved = self.resolved.borrow_mut();
        if let Some(whole) = resolved.get(&None) {
            return Rc::clone(whole);
        }
        // Once something was written, only what is asked for is resolved, so that writing and reading in turns
        // does not cost the whole project each time.
        let parts = path::components(path);
        let only = match parts.get(..2) {
            Some(&["host", host]) if self.has_changed => Some(host.to_owned()),
            Some(&["host", _]) => None,
            _ => Some(String::new()),
        };
        let made = resolved.entry(only.clone()).or_insert_with(|| {
            // The faults are told when the project is resolved for good.
            let mut unheard = Problems::new(false);
            Rc::new(inherit::resolve(self.root, only.as_deref(), &mut unheard))
        });
        Rc::clone(made)
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
