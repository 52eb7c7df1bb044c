//! What a block comes to with what it inherits: sub-blocks are merged by name, at every depth. Within a block the parent's
//! lines come first, then the own lines that the parent does not have word for word. So the last line of a keyword is the
//! one that counts, and lists are appended to. `!clear` and `!remove` in a block take away from what it inherits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::problem::Problem;
use super::section::{Content, Entry, Removal, Section};
use super::variable::{Budget, Variables};
use crate::diag::nearest;
use crate::lang::Word;

impl Variables<'_> {
    /// The entries of `parent`, then those of `own` that it does not have.
    pub(super) fn merge(&mut self, parent: &Section, own: &Section) -> Section {
        let mut merged = Section::new(own.header, parent.holds_lines || own.holds_lines);
        let size = parent.entries.len() + own.entries.len();
        if self.budget.entries < size {
            let problem = Problem::TooMuchInherited {
                max: Budget::ENTRIES_MAX,
            };
            self.problems.add(problem, Some(own.header));
            return merged;
        }
        self.budget.entries -= size;
        merged.reserve(size);
        let mut last = BTreeMap::new();
        let removals = self.removals(parent, own);
        for entry in parent.entries.iter().filter(|entry| !removals.take(entry)) {
            if !matches!(entry.content, Content::Section(_)) {
                last.insert(&*entry.key.text, entry);
            }
            merged.push(entry.clone());
        }
        let keeps_all = own.holds_lines && own.entries.iter().any(|entry| is_compound(&entry.key.text));
        for entry in own.entries.iter().filter(|entry| entry.removal().is_none()) {
            let above = merged.section(&entry.key.text).cloned();
            if let (Content::Section(inner), Some(above)) = (&entry.content, above) {
                let content = Content::Section(Arc::new(self.merge(&above, inner)));
                merged.push(Entry {
                    content,
                    ..entry.clone()
                });
            } else if let Content::Section(inner) = &entry.content {
                let content = Content::Section(inner.without_removals());
                merged.push(Entry {
                    content,
                    ..entry.clone()
                });
            } else if keeps_all
                || !last
                    .get(&*entry.key.text)
                    .is_some_and(|above| is_same(above, entry))
            {
                merged.push(entry.clone());
            }
        }
        merged.shrink();
        merged
    }

    /// What `own` takes away from what it inherits; a name that nothing inherited has is reported.
    fn removals<'s>(&mut self, parent: &Section, own: &'s Section) -> Removals<'s> {
        let mut removals = Removals::default();
        if !own.has_removals() {
            return removals;
        }
        for entry in &own.entries {
            match entry.removal() {
                None => {}
                Some(Removal::All) => removals.all = true,
                Some(Removal::Named(names)) => {
                    for name in names {
                        removals.names.insert(&*name.text);
                        self.check_removal(parent, name);
                    }
                }
            }
        }
        removals
    }

    fn check_removal(&mut self, parent: &Section, name: &Word) {
        let mut known = parent.entries.iter().map(|entry| &*entry.key.text);
        if self.problems.is_flooded() || known.any(|known| known == &*name.text) {
            return;
        }
        let known = parent.entries.iter().map(|entry| &*entry.key.text);
        let near = nearest(&name.text, known).map(str::to_owned);
        let name_text = name.text.to_string();
        let problem = Problem::NothingRemoved {
            name: name_text,
            near,
        };
        self.problems.add(problem, Some(name.span));
    }
}

/// What a block takes away from what it inherits.
#[derive(Default)]
struct Removals<'s> {
    all: bool,
    names: BTreeSet<&'s str>,
}

impl Removals<'_> {
    fn take(&self, entry: &Entry) -> bool {
        self.all || self.names.contains(&*entry.key.text)
    }
}

/// Whether two entries of one keyword say the same, word for word.
fn is_same(above: &Entry, own: &Entry) -> bool {
    match (above.value(), own.value()) {
        (Some(above), Some(own)) => above
            .iter()
            .map(|word| &word.text)
            .eq(own.iter().map(|word| &word.text)),
        (None, None) => !matches!(own.content, Content::Section(_)),
        _ => false,
    }
}

/// Whether a shell line belongs to a construct of several lines, of which none may go missing.
fn is_compound(line: &str) -> bool {
    const WORDS: [&str; 14] = [
        "for", "while", "until", "if", "case", "select", "do", "then", "else", "elif", "fi", "done", "esac",
        "}",
    ];
    let line = line.trim();
    let first = line
        .split(|letter: char| letter.is_whitespace() || letter == ';')
        .next();
    first.is_some_and(|first| WORDS.contains(&first))
        || ['{', '(', '\\'].iter().any(|end| line.ends_with(*end))
        || line.contains("<<")
}
