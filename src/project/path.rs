//! MLN's paths into a project: `/host/www1/network/eth0/address`.

use std::sync::Arc;

use super::inherit::Effective;
use super::section::{Content, Entry, Section};
use crate::diag::Span;

/// A line of a block, as extensions see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The keyword, or the first word; for a line kept as it is, all of it.
    pub key: String,
    /// The words behind it.
    pub words: Vec<String>,
    /// Whether it is a block.
    pub is_block: bool,
    /// Where it stands.
    pub span: Span,
}

impl Line {
    fn of(entry: &Entry) -> Self {
        let words = entry.value().unwrap_or_default();
        Self {
            key: entry.key.text.to_string(),
            words: words.iter().map(|word| word.text.to_string()).collect(),
            is_block: matches!(entry.content, Content::Section(_)),
            span: entry.span(),
        }
    }

    /// The words behind the key with one blank between.
    pub fn value(&self) -> String {
        self.words.join(" ")
    }
}

/// What a path leads to.
pub(super) enum Target {
    Section(Arc<Section>),
    Entry(Entry),
}

impl Target {
    /// The text at the path: `1` for a block, or for a keyword without a value.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Entry(entry) if !entry.value().unwrap_or_default().is_empty() => entry.value_text(),
            Self::Section(_) | Self::Entry(_) => "1".to_owned(),
        }
    }

    pub(super) fn span(&self) -> Span {
        match self {
            Self::Section(section) => section.header,
            Self::Entry(entry) => entry.span(),
        }
    }

    pub(super) fn lines(&self) -> Vec<Line> {
        match self {
            Self::Section(section) => {
                let entries = section.entries.iter().filter(|entry| !entry.is_definition);
                entries.map(Line::of).collect()
            }
            Self::Entry(_) => Vec::new(),
        }
    }
}

/// The components of `path`.
pub(super) fn components(path: &str) -> Vec<&str> {
    path.split('/').filter(|part| !part.is_empty()).collect()
}

/// What is at `path` of a resolved project.
pub(super) fn find(effective: &Effective, path: &str) -> Option<Target> {
    let parts = components(path);
    let (kind, rest) = parts.split_first()?;
    let of_named = rest.get(1..).unwrap_or_default();
    match *kind {
        "global" => within(&effective.global, rest),
        "host" => within(&effective.find_host(rest.first()?)?, of_named),
        "superclass" => {
            let mut classes = effective.superclasses.iter();
            let class = classes.find(|class| *class.name.text == **rest.first().unwrap_or(&""));
            within(&class?.whole, of_named)
        }
        "switch" => {
            let mut switches = effective.switches.iter();
            let switch = switches.find(|(name, _)| *name.text == **rest.first().unwrap_or(&""));
            within(&switch?.1, of_named)
        }
        other => {
            let entry = effective.others.iter().find(|entry| *entry.key.text == *other)?;
            match &entry.content {
                Content::Section(section) => within(section, rest),
                _ if rest.is_empty() => Some(Target::Entry(entry.clone())),
                _ => None,
            }
        }
    }
}

/// What is at the components `rest` below `section`.
fn within(section: &Arc<Section>, rest: &[&str]) -> Option<Target> {
    let Some((first, rest)) = rest.split_first() else {
        return Some(Target::Section(Arc::clone(section)));
    };
    if let Some(inner) = section.section(first) {
        return within(inner, rest);
    }
    if !rest.is_empty() {
        return None;
    }
    section.setting(first).cloned().map(Target::Entry)
}
