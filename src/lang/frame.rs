//! A block whose end is still to come, and what happens when it comes.

use std::sync::Arc;

use super::tree::{Block, Node, Word};
use crate::diag::{Source, Span};

/// A block whose end is still to come; the first is the text itself.
pub(super) struct Frame {
    pub(super) header: Vec<Word>,
    pub(super) open: Span,
    pub(super) holds_lines: bool,
    pub(super) nodes: Vec<Node>,
    /// The indentation of each line among `nodes`, in order; `None` for one behind the opening brace.
    pub(super) indentations: Vec<Option<Span>>,
}

impl Frame {
    pub(super) fn new(header: Vec<Word>, open: Span, holds_lines: bool) -> Self {
        Self {
            header,
            open,
            holds_lines,
            nodes: Vec::new(),
            indentations: Vec::new(),
        }
    }

    /// The place of the header, or of the brace where there is no header.
    pub(super) fn header_span(&self) -> Span {
        match (self.header.first(), self.header.last()) {
            (Some(first), Some(last)) => first.span.to(last.span),
            _ => self.open,
        }
    }

    /// The words of the header as the reader knows them.
    pub(super) fn shown_header(&self) -> String {
        shown(&self.header)
    }

    /// Ends the block: lines without the indentation they share, and no empty lines at the end.
    pub(super) fn into_block(mut self, source: &Source) -> Block {
        self.strip_indentation(source);
        while matches!(self.nodes.last(), Some(Node::BlankLine)) {
            self.nodes.pop();
        }
        Block {
            header: self.header,
            open: self.open,
            holds_lines: self.holds_lines,
            is_verbatim: false,
            nodes: self.nodes,
        }
    }

    /// Gives each line of a block the indentation that it has beyond all others.
    fn strip_indentation(&mut self, source: &Source) {
        let texts = self.indentations.iter().flatten().map(|span| source.slice(*span));
        let shared = texts.reduce(|first, second| {
            let same = first
                .bytes()
                .zip(second.bytes())
                .take_while(|(one, other)| one == other)
                .count();
            // Indentation may hold blanks of several bytes, so the count may fall inside one.
            first.get(..same).unwrap_or_default()
        });
        let shared = shared.unwrap_or_default().len();
        let lines = self.nodes.iter_mut().filter_map(|node| match node {
            Node::Line(line) => Some(line),
            _ => None,
        });
        for (line, indentation) in lines.zip(&self.indentations) {
            let own = indentation.map(|span| source.slice(span)).unwrap_or_default();
            let beyond = own.get(shared..).unwrap_or_default();
            if !beyond.is_empty() {
                line.text = Arc::from(format!("{beyond}{}", line.text));
            }
        }
    }
}

/// The texts of `lines` without the indentation that all of them share; empty ones count for nothing.
pub(super) fn without_indentation<'t>(source: &'t Source, lines: &[Span]) -> Vec<&'t str> {
    let texts: Vec<&str> = lines.iter().map(|span| source.slice(*span)).collect();
    let indentation = |text: &&str| text.len() - text.trim_start().len();
    let shared = texts
        .iter()
        .filter(|text| !text.is_empty())
        .map(indentation)
        .min();
    let shared = shared.unwrap_or_default();
    let cut = |text: &'t str| text.get(shared..).unwrap_or_else(|| text.trim_start());
    texts.into_iter().map(cut).collect()
}

/// The words with one blank between.
pub(super) fn shown(words: &[Word]) -> String {
    let texts: Vec<&str> = words.iter().map(|word| &*word.text).collect();
    texts.join(" ")
}
