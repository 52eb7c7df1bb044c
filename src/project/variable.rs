//! Replaces variables, by the block where the text stands.
//!
//! `$name` counts as a word of its own, `$[name]` anywhere. A name is looked up in the block that the text stands in,
//! then in what that block inherits, then in the blocks around it, then in `global`. `$hostname` and `$project` are
//! there without a definition; text that a host inherits waits for the host's name.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::problem::Problem;
use super::section::{Content, Entry, Section};
use super::use_of_variable::{Style, variable_at};
use super::wording::Problems;
use crate::diag::{Span, nearest};
use crate::lang::Word;

/// How long one value may grow, in bytes.
const VALUE_MAX: usize = 64 << 10;
/// How deep variables may contain variables.
const CHAIN_MAX: usize = 64;

/// The variables of one block around the text at hand.
pub(super) struct Frame<'a> {
    own: BTreeMap<&'a str, &'a Entry>,
    inherited: BTreeMap<&'a str, &'a Entry>,
}

/// What one replacement needs to know.
pub(super) struct Variables<'p> {
    pub(super) problems: &'p mut Problems,
    /// The project's name.
    project: Option<&'p str>,
    /// The host that the text is for; `None` while it is not known.
    pub(super) hostname: Option<Arc<str>>,
    pub(super) budget: &'p mut Budget,
}

/// By how much a project may still grow while variables are replaced and inheritance is resolved.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    /// How many more bytes all values may have.
    bytes: usize,
    /// How many more entries all hosts and superclasses may have together.
    pub(super) entries: usize,
}

impl Budget {
    /// How long all values of a project may grow, in bytes.
    const BYTES_MAX: usize = 256 << 20;
    /// How many entries all hosts and superclasses may have together once inheritance is resolved.
    pub(super) const ENTRIES_MAX: usize = 20_000_000;
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            bytes: Self::BYTES_MAX,
            entries: Self::ENTRIES_MAX,
        }
    }
}

/// One replacement under way.
struct Expansion<'a, 'f> {
    frames: &'f [Frame<'a>],
    span: Span,
    style: Style,
    /// The variables being replaced, outermost first.
    chain: Vec<(Span, String)>,
    text: String,
    per_host: bool,
}

/// The replacement failed, which was reported.
#[derive(Debug)]
pub(super) struct Failed;

impl<'a> Frame<'a> {
    pub(super) fn new(own: &'a Section, inherited: Option<&'a Section>) -> Self {
        Self {
            own: definitions(own),
            inherited: inherited.map(definitions).unwrap_or_default(),
        }
    }
}

fn definitions(section: &Section) -> BTreeMap<&str, &Entry> {
    let entries = section.entries.iter().filter(|entry| entry.is_definition);
    entries
        .filter_map(|entry| Some((entry.key.text.strip_prefix('$')?, entry)))
        .collect()
}

impl<'p> Variables<'p> {
    pub(super) fn new(project: Option<&'p str>, budget: &'p mut Budget, problems: &'p mut Problems) -> Self {
        Self {
            problems,
            project,
            hostname: None,
            budget,
        }
    }

    /// The section `own` with every variable replaced.
    pub(super) fn resolve<'a>(
        &mut self,
        own: &'a Arc<Section>,
        inherited: Option<&'a Section>,
        frames: &mut Vec<Frame<'a>>,
    ) -> Arc<Section> {
        if !own.has_variables() {
            return Arc::clone(own);
        }
        frames.push(Frame::new(own, inherited));
        let mut resolved = Section::new(own.header, own.holds_lines);
        resolved.reserve(own.entries.len());
        for entry in &own.entries {
            let content = match &entry.content {
                Content::Section(section) => {
                    let above = inherited.and_then(|section| section.section(&entry.key.text));
                    Content::Section(self.resolve(section, above.map(Arc::as_ref), frames))
                }
                other => other.clone(),
            };
            let mut entry = Entry {
                content,
                ..entry.clone()
            };
            self.resolve_entry(&mut entry, frames);
            resolved.push(entry);
        }
        frames.pop();
        Arc::new(resolved)
    }

    /// Fills the name of the host into text that it inherited.
    pub(super) fn fill_hostname(&mut self, section: &Arc<Section>) -> Arc<Section> {
        if !section.per_host() {
            return Arc::clone(section);
        }
        let mut filled = Section::new(section.header, section.holds_lines);
        filled.reserve(section.entries.len());
        for entry in &section.entries {
            let mut entry = entry.clone();
            if let Content::Section(inner) = &entry.content {
                entry.content = Content::Section(self.fill_hostname(inner));
            } else if entry.per_host {
                self.resolve_entry(&mut entry, &[]);
            }
            filled.push(entry);
        }
        Arc::new(filled)
    }

    fn resolve_entry(&mut self, entry: &mut Entry, frames: &[Frame<'_>]) {
        entry.per_host = false;
        match &entry.content {
            Content::Section(_) => {}
            Content::Line => {
                if entry.key.text.contains('$') {
                    let Ok((text, per_host)) = self.expand(&entry.key, Style::Line, frames) else {
                        return;
                    };
                    entry.key.text = Arc::from(text);
                    entry.per_host = per_host;
                }
            }
            Content::Value(value) => {
                // The name that a definition defines is no use of it.
                let has_use = |word: &Word| word.text.contains('$');
                let key_is_use = !entry.is_definition && has_use(&entry.key);
                if !key_is_use && !value.iter().any(has_use) {
                    return;
                }
                let value = Arc::clone(value);
                let mut words = Vec::new();
                let key = key_is_use.then(|| entry.key.clone());
                let mut per_host = false;
                for word in key.iter().chain(value.iter()) {
                    // One fault is enough for a statement, which then stays as it is.
                    let Ok(waits) = self.words(word, frames, &mut words) else {
                        return;
                    };
                    per_host |= waits;
                }
                if key_is_use && !words.is_empty() {
                    entry.key = words.remove(0);
                }
                entry.per_host = per_host;
                entry.content = Content::Value(words.into());
            }
        }
    }

    /// Replaces the variables of `word` and adds the words that come out; says whether they wait for a host.
    pub(super) fn words(
        &mut self,
        word: &Word,
        frames: &[Frame<'_>],
        words: &mut Vec<Word>,
    ) -> Result<bool, Failed> {
        if !word.text.contains('$') {
            words.push(word.clone());
            return Ok(false);
        }
        let (text, per_host) = self.expand(word, Style::Word, frames)?;
        if word.text.contains(char::is_whitespace) {
            // A quoted text is one word, whatever it holds.
            let (text, span) = (Arc::from(text), word.span);
            words.push(Word { text, span });
            return Ok(per_host);
        }
        words.extend(text.split_whitespace().map(|text| Word {
            text: Arc::from(text),
            span: word.span,
        }));
        Ok(per_host)
    }

    fn expand(&mut self, word: &Word, style: Style, frames: &[Frame<'_>]) -> Result<(String, bool), Failed> {
        let mut expansion = Expansion {
            frames,
            span: word.span,
            style,
            chain: Vec::new(),
            text: String::new(),
            per_host: false,
        };
        let result = self.expand_into(&mut expansion, &word.text, style, frames.len());
        self.budget.bytes = self.budget.bytes.saturating_sub(expansion.text.len());
        result.map(|()| (expansion.text, expansion.per_host))
    }

    /// Appends `text`, which stands inside the first `level` frames, with its variables replaced.
    fn expand_into(
        &mut self,
        expansion: &mut Expansion<'_, '_>,
        text: &str,
        style: Style,
        level: usize,
    ) -> Result<(), Failed> {
        let mut rest = 0;
        while let Some(distance) = text[rest..].find('$') {
            let start = rest + distance;
            expansion.text.push_str(&text[rest..start]);
            let Some(found) = variable_at(text, start, style) else {
                expansion.text.push('$');
                rest = start + 1;
                continue;
            };
            rest = found.end;
            if found.is_inside_word {
                self.warn_inside_word(expansion, found.name, level);
                expansion.text.push_str(&text[start..found.end]);
            } else {
                self.replace(expansion, found.name, &text[start..found.end], level)?;
            }
        }
        expansion.text.push_str(&text[rest..]);
        if expansion.text.len() > VALUE_MAX.min(self.budget.bytes) {
            let max = VALUE_MAX.min(self.budget.bytes);
            self.problems
                .add(Problem::LongExpansion { max }, Some(expansion.span));
            return Err(Failed);
        }
        Ok(())
    }

    /// Appends what `name` stands for, or `literal` if it stands for nothing.
    fn replace(
        &mut self,
        expansion: &mut Expansion<'_, '_>,
        name: &str,
        literal: &str,
        level: usize,
    ) -> Result<(), Failed> {
        let frames = &expansion.frames[..level];
        let found = frames.iter().enumerate().rev().find_map(|(place, frame)| {
            let own = frame.own.get(name).map(|entry| (*entry, Some(place + 1)));
            own.or_else(|| frame.inherited.get(name).map(|entry| (*entry, None)))
        });
        match found {
            Some((entry, Some(level))) => self.replace_by_own(expansion, name, entry, level),
            Some((entry, None)) => {
                expansion.text.push_str(&entry.value_text());
                expansion.per_host |= entry.per_host;
                Ok(())
            }
            None => {
                self.replace_by_builtin(expansion, name, literal);
                Ok(())
            }
        }
    }

    /// Appends the value of a definition in a block around the text, whose own variables are replaced there.
    fn replace_by_own(
        &mut self,
        expansion: &mut Expansion<'_, '_>,
        name: &str,
        entry: &Entry,
        level: usize,
    ) -> Result<(), Failed> {
        let place = entry.key.span;
        if let Some(start) = expansion.chain.iter().position(|(span, _)| *span == place) {
            self.report_cycle(&expansion.chain[start..]);
            return Err(Failed);
        }
        if expansion.chain.len() == CHAIN_MAX {
            self.problems
                .add(Problem::DeepVariables { max: CHAIN_MAX }, Some(place));
            return Err(Failed);
        }
        expansion.chain.push((place, name.to_owned()));
        for (index, word) in entry.value().unwrap_or_default().iter().enumerate() {
            if index > 0 {
                expansion.text.push(' ');
            }
            self.expand_into(expansion, &word.text, Style::Word, level)?;
        }
        expansion.chain.pop();
        Ok(())
    }

    /// Reports the variables of `cycle`, which contain each other, from the one that stands first in the text.
    fn report_cycle(&mut self, cycle: &[(Span, String)]) {
        let first = cycle.iter().enumerate().min_by_key(|(_, (span, _))| *span);
        let Some((turn, (place, _))) = first else { return };
        let names = cycle.iter().cycle().skip(turn).take(cycle.len() + 1);
        let chain = names.map(|(_, name)| format!("${name}")).collect();
        self.problems.add(Problem::VariableCycle { chain }, Some(*place));
    }

    fn replace_by_builtin(&mut self, expansion: &mut Expansion<'_, '_>, name: &str, literal: &str) {
        match (name, self.project, &self.hostname) {
            ("project", Some(project), _) => expansion.text.push_str(project),
            ("hostname", _, Some(hostname)) => expansion.text.push_str(hostname),
            _ => {
                expansion.text.push_str(literal);
                expansion.per_host |= name == "hostname";
                // Digits are what shells and password hashes have behind a dollar sign.
                // What a variable contains is told where it is defined.
                let is_ours = expansion.chain.is_empty()
                    && expansion.style == Style::Word
                    && !["hostname", "project"].contains(&name)
                    && !name.starts_with(|letter: char| letter.is_ascii_digit());
                if is_ours {
                    self.warn_undefined(expansion, name);
                }
            }
        }
    }

    fn warn_undefined(&mut self, expansion: &Expansion<'_, '_>, name: &str) {
        if self.problems.is_flooded() {
            return;
        }
        let names = expansion
            .frames
            .iter()
            .flat_map(|frame| frame.own.keys().chain(frame.inherited.keys()));
        let near = nearest(name, names.copied().chain(["hostname", "project"])).map(str::to_owned);
        let name = name.to_owned();
        self.problems
            .add(Problem::UndefinedVariable { name, near }, Some(expansion.span));
    }

    fn warn_inside_word(&mut self, expansion: &Expansion<'_, '_>, name: &str, level: usize) {
        let is_known = |frame: &Frame<'_>| frame.own.contains_key(name) || frame.inherited.contains_key(name);
        let is_ours = expansion.chain.is_empty() && expansion.style == Style::Word;
        if is_ours && expansion.frames[..level].iter().any(is_known) {
            let name = name.to_owned();
            self.problems
                .add(Problem::VariableInsideWord { name }, Some(expansion.span));
        }
    }
}
