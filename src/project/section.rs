//! The project as nested sections: blocks by name, whichever of the two ways they were written in.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diag::Span;
use crate::lang::Word;

/// The content of a block.
#[derive(Debug, Clone)]
pub(super) struct Section {
    /// The words before the brace; for a section that no brace opened, the first thing inside.
    pub(super) header: Span,
    /// Whether the entries are lines kept as they are.
    pub(super) holds_lines: bool,
    /// What is inside, in order.
    pub(super) entries: Vec<Entry>,
    /// The places of the sub-sections among `entries`.
    places: Vec<usize>,
    /// The places by name, once there are many: most sections have one or two sub-sections, and a project has as many
    /// sections as hosts.
    by_name: BTreeMap<Arc<str>, usize>,
    /// Whether any text inside waits for the name of a host.
    per_host: bool,
}

/// How many sub-sections are looked through one after the other.
const PLACES_MAX: usize = 16;

/// What a statement takes away from what its block inherits.
#[derive(Debug, Clone, Copy)]
pub(super) enum Removal<'e> {
    /// `!clear`
    All,
    /// `!remove` and the keywords, names or first words of lines.
    Named(&'e [Word]),
}

/// One element of a section.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The keyword, the name of the sub-section, or `$` and the name of a variable; for a line, the line.
    pub(super) key: Word,
    /// What it holds.
    pub(super) content: Content,
    /// Whether it defines a variable.
    pub(super) is_definition: bool,
    /// Whether its text waits for the name of the host that inherits it.
    pub(super) per_host: bool,
    /// The header of the block that says it.
    pub(super) owner: Option<Span>,
}

/// What an entry holds.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// The words after the keyword.
    Value(Arc<[Word]>),
    /// Nothing beyond the line itself.
    Line,
    /// A sub-section.
    Section(Arc<Section>),
}

impl Entry {
    /// An entry as the text has it.
    pub(super) fn new(key: Word, content: Content) -> Self {
        Self {
            key,
            content,
            is_definition: false,
            per_host: false,
            owner: None,
        }
    }

    /// The words of the value; empty for a flag, `None` for a section or line.
    pub(super) fn value(&self) -> Option<&[Word]> {
        match &self.content {
            Content::Value(words) => Some(words),
            _ => None,
        }
    }

    /// Whether any text of it has a variable to be replaced; the name that a definition defines is none.
    fn has_variables(&self) -> bool {
        let has_use = |word: &Word| word.text.contains('$');
        match &self.content {
            Content::Section(section) => section.has_variables(),
            Content::Line => has_use(&self.key),
            Content::Value(words) => (!self.is_definition && has_use(&self.key)) || words.iter().any(has_use),
        }
    }

    /// The place of keyword and value.
    pub(super) fn span(&self) -> Span {
        let last = self.value().and_then(<[Word]>::last);
        last.map_or(self.key.span, |last| self.key.span.to(last.span))
    }

    /// The place of the value, or of the keyword where there is none.
    pub(super) fn value_span(&self) -> Span {
        let words = self.value().unwrap_or_default();
        match (words.first(), words.last()) {
            (Some(first), Some(last)) => first.span.to(last.span),
            _ => self.key.span,
        }
    }

    /// What the entry takes away from what its block inherits, if it is such a statement.
    pub(super) fn removal(&self) -> Option<Removal<'_>> {
        match (&*self.key.text, &self.content) {
            ("!clear", Content::Line) => Some(Removal::All),
            ("!clear", Content::Value(words)) if words.is_empty() => Some(Removal::All),
            ("!remove", Content::Value(words)) if !words.is_empty() => Some(Removal::Named(words)),
            _ => None,
        }
    }

    /// The words of the value with one blank between.
    pub(super) fn value_text(&self) -> String {
        joined(self.value().unwrap_or_default())
    }
}

impl Section {
    pub(super) fn new(header: Span, holds_lines: bool) -> Self {
        Self {
            header,
            holds_lines,
            entries: Vec::new(),
            places: Vec::new(),
            by_name: BTreeMap::new(),
            per_host: false,
        }
    }

    /// Whether any text inside has a variable to be replaced.
    pub(super) fn has_variables(&self) -> bool {
        self.entries.iter().any(Entry::has_variables)
    }

    /// Whether anything inside takes away from what it inherits.
    pub(super) fn has_removals(&self) -> bool {
        self.entries.iter().any(|entry| match &entry.content {
            Content::Section(section) => section.has_removals(),
            _ => entry.removal().is_some(),
        })
    }

    /// The same without the statements that take away, for where nothing is inherited.
    pub(super) fn without_removals(self: &Arc<Self>) -> Arc<Self> {
        if !self.has_removals() {
            return Arc::clone(self);
        }
        let mut kept = Self::new(self.header, self.holds_lines);
        for entry in self.entries.iter().filter(|entry| entry.removal().is_none()) {
            let content = match &entry.content {
                Content::Section(section) => Content::Section(section.without_removals()),
                other => other.clone(),
            };
            kept.push(Entry {
                content,
                ..entry.clone()
            });
        }
        Arc::new(kept)
    }

    /// Puts `entry` in the place of the last one of its keyword, or at the end.
    pub(super) fn set(&mut self, entry: Entry) {
        let is_setting = |known: &Entry| known.key.text == entry.key.text && known.value().is_some();
        match self.entries.iter().rposition(is_setting) {
            Some(place) => self.entries[place] = entry,
            None => drop(self.push(entry)),
        }
    }

    /// Adds an entry; a sub-section replaces an earlier one of its name and is given back then.
    pub(super) fn push(&mut self, entry: Entry) -> Option<Entry> {
        self.per_host |= entry.per_host;
        if let Content::Section(section) = &entry.content {
            self.per_host |= section.per_host;
            if let Some(place) = self.place_of(&entry.key.text) {
                return Some(std::mem::replace(&mut self.entries[place], entry));
            }
            self.note_place(&entry.key.text);
        }
        self.entries.push(entry);
        None
    }

    /// Makes room for `count` more entries, and for no others.
    pub(super) fn reserve(&mut self, count: usize) {
        self.entries.reserve_exact(count);
    }

    /// Gives back the room of entries that never came.
    pub(super) fn shrink(&mut self) {
        self.entries.shrink_to_fit();
    }

    /// The place of the sub-section `name`.
    pub(super) fn place_of(&self, name: &str) -> Option<usize> {
        if !self.by_name.is_empty() {
            return self.by_name.get(name).copied();
        }
        let mut places = self.places.iter().copied();
        places.find(|place| *self.entries[*place].key.text == *name)
    }

    /// Notes that the next entry is the sub-section `name`.
    fn note_place(&mut self, name: &Arc<str>) {
        let place = self.entries.len();
        if self.places.len() < PLACES_MAX {
            return self.places.push(place);
        }
        if self.by_name.is_empty() {
            let known = self.places.iter();
            let known = known.map(|place| (Arc::clone(&self.entries[*place].key.text), *place));
            self.by_name = known.collect();
        }
        self.by_name.insert(Arc::clone(name), place);
    }

    /// Whether any text inside waits for the name of a host.
    pub(super) fn per_host(&self) -> bool {
        self.per_host
    }

    /// The sub-section `name`.
    pub(super) fn section(&self, name: &str) -> Option<&Arc<Self>> {
        match &self.section_entry(name)?.content {
            Content::Section(section) => Some(section),
            _ => None,
        }
    }

    /// The sub-section `name`, with its name as it stands in the text.
    pub(super) fn section_named(&self, name: &str) -> Option<(&Word, &Arc<Self>)> {
        let entry = self.section_entry(name)?;
        match &entry.content {
            Content::Section(section) => Some((&entry.key, section)),
            _ => None,
        }
    }

    /// The entry of the sub-section `name`.
    pub(super) fn section_entry(&self, name: &str) -> Option<&Entry> {
        self.entries.get(self.place_of(name)?)
    }

    /// The sub-sections with their names, in order.
    pub(super) fn sections(&self) -> impl Iterator<Item = (&Word, &Arc<Self>)> {
        self.entries.iter().filter_map(|entry| match &entry.content {
            Content::Section(section) => Some((&entry.key, section)),
            _ => None,
        })
    }

    /// The entry that sets `keyword`: the last one, since a nearer block's entries come later.
    pub(super) fn setting(&self, keyword: &str) -> Option<&Entry> {
        let is_setting = |entry: &&Entry| *entry.key.text == *keyword && entry.value().is_some();
        self.entries.iter().rev().find(is_setting)
    }
}

/// The words with one blank between.
pub(super) fn joined(words: &[Word]) -> String {
    let texts: Vec<&str> = words.iter().map(|word| &*word.text).collect();
    texts.join(" ")
}
