//! What the lexer cuts a text into.

use std::sync::Arc;

use crate::diag::Span;

/// One piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) span: Span,
}

/// The kinds of pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// Characters between blanks, escapes resolved.
    Word(Arc<str>),
    /// Characters between `"""` on one line.
    Quoted(Arc<str>),
    /// The lines between two lines of `"""`.
    Verbatim(Vec<Span>),
    /// `{`
    Open,
    /// `}`
    Close,
    /// `;`
    Semicolon,
    /// The end of a line.
    Newline,
    /// `#` and the rest of the line.
    Comment,
    /// `#include`, with the span of the path.
    Include(Span),
    /// A line of a block that holds lines, with its indentation.
    Line {
        /// Where the indentation begins; `None` where the line stands behind the opening brace.
        indentation: Option<Span>,
    },
    /// The end of the text.
    End,
}
