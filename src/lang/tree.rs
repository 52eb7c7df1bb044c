//! The syntax tree of one text, comments included.

use std::sync::Arc;

use crate::diag::Span;

/// What one text says.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// Its statements and blocks, in order.
    pub nodes: Vec<Node>,
}

/// One element of a text or block.
#[derive(Debug, Clone)]
pub enum Node {
    /// A keyword with its value.
    Item(Item),
    /// The definition of a variable.
    Definition(Definition),
    /// A line of a block that holds lines.
    Line(ShellLine),
    /// A block.
    Block(Block),
    /// The wish to have another file's text here.
    Include(Include),
    /// A comment.
    Comment(Comment),
    /// One or more empty lines.
    BlankLine,
}

/// Characters between blanks, with what escapes stood for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The characters.
    pub text: Arc<str>,
    /// Where they stand.
    pub span: Span,
}

/// A keyword and the words of its value.
#[derive(Debug, Clone)]
pub struct Item {
    /// The keyword, then the value's words; never empty.
    pub words: Vec<Word>,
}

/// `$name = words`.
#[derive(Debug, Clone)]
pub struct Definition {
    /// The name with its dollar sign.
    pub name: Word,
    /// The value's words.
    pub words: Vec<Word>,
}

/// A line kept as it is.
#[derive(Debug, Clone)]
pub struct ShellLine {
    /// The line, without the indentation that all lines of its block share.
    pub text: Arc<str>,
    /// Where it stands, without indentation.
    pub span: Span,
}

/// `header { nodes }`.
#[derive(Debug, Clone)]
pub struct Block {
    /// The words before the brace; empty only where the text is wrong.
    pub header: Vec<Word>,
    /// The opening brace.
    pub open: Span,
    /// Whether the block holds lines.
    pub holds_lines: bool,
    /// Whether its lines stand between `"""`, where no character means anything.
    pub is_verbatim: bool,
    /// What is inside.
    pub nodes: Vec<Node>,
}

/// `#include path`.
#[derive(Debug, Clone)]
pub struct Include {
    /// The path as written.
    pub path: Word,
}

/// A comment with its `#`.
#[derive(Debug, Clone)]
pub struct Comment {
    /// The text from `#` on.
    pub text: Arc<str>,
    /// Whether it stands behind something on the same line.
    pub trailing: bool,
}

impl Item {
    /// The first word.
    ///
    /// # Panics
    /// If the item was made without a word.
    pub fn keyword(&self) -> &Word {
        self.words.first().expect("an item has at least one word")
    }

    /// The words after the keyword.
    pub fn value(&self) -> &[Word] {
        self.words.get(1..).unwrap_or_default()
    }

    /// The whole item's place.
    pub fn span(&self) -> Span {
        span_of(&self.words).expect("an item has at least one word")
    }
}

impl Block {
    /// The place of the header, or of the brace where there is no header.
    pub fn header_span(&self) -> Span {
        span_of(&self.header).unwrap_or(self.open)
    }
}

/// The place of `words` from the first to the last.
fn span_of(words: &[Word]) -> Option<Span> {
    Some(words.first()?.span.to(words.last()?.span))
}
