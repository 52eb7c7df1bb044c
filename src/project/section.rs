//! The project as nested sections: blocks by name, whichever of the two ways they were written in.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::problem::Problem;
use super::schema;
use super::wording::Problems;
use crate::diag::Span;
use crate::lang::{Block, Node, Word};

/// The content of a block.
#[derive(Debug, Clone)]
pub(super) struct Section {
    /// The words before the brace; for a section that no brace opened, the first thing inside.
    pub(super) header: Span,
    /// Whether the entries are lines kept as they are.
    pub(super) holds_lines: bool,
    /// What is inside, in order.
    pub(super) entries: Vec<Entry>,
    /// The place among `entries` of each sub-section.
    blocks: BTreeMap<Arc<str>, usize>,
    /// Whether any text inside waits for the name of a host.
    per_host: bool,
    /// Whether anything inside takes away from what it inherits.
    has_removals: bool,
}

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
    /// The definition whose text it is; see `inherit`.
    pub(super) owner: usize,
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
            owner: 0,
        }
    }

    /// The words of the value; empty for a flag, `None` for a section or line.
    pub(super) fn value(&self) -> Option<&[Word]> {
        match &self.content {
            Content::Value(words) => Some(words),
            _ => None,
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
            blocks: BTreeMap::new(),
            per_host: false,
            has_removals: false,
        }
    }

    /// Whether anything inside takes away from what it inherits.
    pub(super) fn has_removals(&self) -> bool {
        self.has_removals
    }

    /// The same without the statements that take away, for where nothing is inherited.
    pub(super) fn without_removals(&self) -> Self {
        if !self.has_removals {
            return self.clone();
        }
        let mut kept = Self::new(self.header, self.holds_lines);
        for entry in self.entries.iter().filter(|entry| entry.removal().is_none()) {
            let content = match &entry.content {
                Content::Section(section) => Content::Section(Arc::new(section.without_removals())),
                other => other.clone(),
            };
            kept.push(Entry {
                content,
                ..entry.clone()
            });
        }
        kept
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
        self.has_removals |= entry.removal().is_some();
        if let Content::Section(section) = &entry.content {
            self.per_host |= section.per_host;
            self.has_removals |= section.has_removals;
            if let Some(place) = self.blocks.get(&entry.key.text) {
                return Some(std::mem::replace(&mut self.entries[*place], entry));
            }
            self.blocks
                .insert(Arc::clone(&entry.key.text), self.entries.len());
        }
        self.entries.push(entry);
        None
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
        self.entries.get(*self.blocks.get(name)?)
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

    /// The sections of a whole project.
    pub(super) fn of_tree(nodes: Vec<Node>, whole: Span, problems: &mut Problems) -> Self {
        let mut root = Self::new(whole, false);
        root.fill(nodes, Level::Top, problems);
        root
    }

    fn fill(&mut self, nodes: Vec<Node>, level: Level, problems: &mut Problems) {
        for node in nodes {
            match node {
                Node::Item(item) => {
                    let mut words = item.words.into_iter();
                    if let Some(key) = words.next() {
                        self.push(Entry::new(key, Content::Value(words.collect())));
                    }
                }
                Node::Definition(definition) => {
                    let value = definition.words.into();
                    let entry = Entry::new(definition.name, Content::Value(value));
                    self.push(Entry {
                        is_definition: true,
                        ..entry
                    });
                }
                Node::Line(line) => {
                    let (text, span) = (line.text, line.span);
                    self.push(Entry::new(Word { text, span }, Content::Line));
                }
                Node::Block(block) => self.fill_block(block, level, problems),
                // Directives were replaced before; comments mean nothing.
                Node::Include(_) | Node::Comment(_) | Node::BlankLine => {}
            }
        }
    }

    fn fill_block(&mut self, block: Block, level: Level, problems: &mut Problems) {
        let span = block.header_span();
        let mut header = block.header.into_iter();
        let (Some(first), second, None) = (header.next(), header.next(), header.next()) else {
            // A block without any name was an error of the text already.
            if span != block.open {
                problems.add(Problem::LongHeader, Some(span));
            }
            return;
        };
        let inside = match level {
            Level::Top if *first.text == *"host" => Level::Hosts,
            _ => Level::Inner,
        };
        // Both `host a { .. }` and `host { a { .. } }` add to what `host` holds so far.
        if let Some(name) = second {
            let mut named = Self::new(span, block.holds_lines);
            named.fill(block.nodes, Level::Inner, problems);
            let entry = Entry::new(name, Content::Section(Arc::new(named)));
            self.container(&first, span).push_named(entry, inside, problems);
        } else if schema::NAMED_BLOCKS.contains(&&*first.text) {
            self.container(&first, span).fill(block.nodes, inside, problems);
        } else {
            let mut section = Self::new(span, block.holds_lines);
            section.fill(block.nodes, Level::Inner, problems);
            self.push_named(
                Entry::new(first, Content::Section(Arc::new(section))),
                level,
                problems,
            );
        }
    }

    /// The sub-section `name`, made if it is not there yet.
    pub(super) fn container(&mut self, name: &Word, header: Span) -> &mut Self {
        let place = *self.blocks.entry(Arc::clone(&name.text)).or_insert_with(|| {
            let section = Arc::new(Self::new(header, false));
            self.entries
                .push(Entry::new(name.clone(), Content::Section(section)));
            self.entries.len() - 1
        });
        match &mut self.entries[place].content {
            Content::Section(section) => Arc::make_mut(section),
            _ => unreachable!("`blocks` holds the places of sub-sections only"),
        }
    }

    /// Adds a sub-section, and says so if it replaces one.
    fn push_named(&mut self, entry: Entry, level: Level, problems: &mut Problems) {
        let (name, span) = (entry.key.text.to_string(), entry.key.span);
        if let Some(replaced) = self.push(entry) {
            let first = replaced.key.span;
            problems.add(
                match level {
                    Level::Hosts => Problem::DuplicateHost { name, first },
                    _ => Problem::ReplacedBlock { name, first },
                },
                Some(span),
            );
        }
    }
}

/// What the blocks inside a block are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    /// The project's own blocks.
    Top,
    /// Hosts.
    Hosts,
    /// Anything else.
    Inner,
}

/// The words with one blank between.
pub(super) fn joined(words: &[Word]) -> String {
    let texts: Vec<&str> = words.iter().map(|word| &*word.text).collect();
    texts.join(" ")
}
