//! What can be wrong with a text, and how it is said.

use crate::diag::{Diagnostic, Diagnostics, Span};

/// A fault of the text, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// The fault.
    pub kind: SyntaxErrorKind,
    /// Its place.
    pub span: Span,
}

/// The faults of a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxErrorKind {
    /// A block without its closing brace.
    #[error("block `{header}` is never closed")]
    UnclosedBlock {
        /// The words before the brace.
        header: String,
        /// A closing brace whose indentation suggests that it was meant for another block.
        suspect: Option<Suspect>,
    },
    /// A closing brace without a block.
    #[error("surplus `}}` closes no block")]
    SurplusBrace {
        /// An earlier closing brace whose indentation suggests that it was meant for another block.
        suspect: Option<Suspect>,
    },
    /// An opening brace without a name.
    #[error("block without a name")]
    UnnamedBlock,
    /// More blocks in blocks than a project can need.
    #[error("blocks are nested more than {max} deep")]
    TooDeep {
        /// How many are taken.
        max: usize,
    },
    /// A character that no project text needs and that could confuse a terminal.
    #[error("control character U+{code:04X}")]
    ControlCharacter {
        /// Its Unicode number.
        code: u32,
    },
    /// `"""` without its end.
    #[error("the quotes `\"\"\"` are never closed")]
    UnclosedQuotes,
    /// A `#` directly behind a word.
    #[error("`#` begins a comment in the middle of a word")]
    GluedComment,
    /// `$name=value`, which defines nothing.
    #[error("`{word}` does not define a variable")]
    GluedDefinition {
        /// The word.
        word: String,
        /// The definition that was meant.
        meant: String,
    },
    /// A variable's name with other characters.
    #[error("`{name}` is not a variable's name")]
    VariableName {
        /// The name with its dollar sign.
        name: String,
    },
    /// `$name =` and nothing more.
    #[error("variable `{name}` is defined without a value")]
    EmptyDefinition {
        /// The name with its dollar sign.
        name: String,
    },
}

/// A closing brace that stands further left than the block that it closes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspect {
    /// The words before the block's opening brace.
    pub header: String,
    /// The closing brace.
    pub brace: Span,
}

/// The faults found so far; beyond a number that nobody reads, further ones are passed over.
#[derive(Debug, Default)]
pub(super) struct ErrorList {
    errors: Vec<SyntaxError>,
    warnings: Vec<SyntaxError>,
}

impl ErrorList {
    /// How many errors are kept, and how many warnings: a flood of one kind may not hide the other.
    const KEPT_MAX: usize = Diagnostics::KEPT_MAX;

    pub(super) fn push(&mut self, error: SyntaxError) {
        let list = if error.kind.is_warning() {
            &mut self.warnings
        } else {
            &mut self.errors
        };
        if list.len() < Self::KEPT_MAX {
            list.push(error);
        }
    }

    pub(super) fn into_vec(mut self) -> Vec<SyntaxError> {
        self.errors.append(&mut self.warnings);
        self.errors
    }
}

impl SyntaxErrorKind {
    /// The fault's name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnclosedBlock { .. } => "unclosed-block",
            Self::SurplusBrace { .. } => "surplus-brace",
            Self::UnnamedBlock => "unnamed-block",
            Self::TooDeep { .. } => "nested-too-deep",
            Self::ControlCharacter { .. } => "control-character",
            Self::UnclosedQuotes => "unclosed-quotes",
            Self::GluedComment => "glued-comment",
            Self::GluedDefinition { .. } => "glued-definition",
            Self::VariableName { .. } => "variable-name",
            Self::EmptyDefinition { .. } => "empty-definition",
        }
    }

    fn is_warning(&self) -> bool {
        matches!(
            self,
            Self::SurplusBrace { .. } | Self::GluedComment | Self::GluedDefinition { .. }
        )
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::UnclosedBlock { .. } => Some("add `}` where the block ends".to_owned()),
            Self::UnnamedBlock => Some("write the name before the brace: `host www1 {`".to_owned()),
            Self::UnclosedQuotes => Some(
                "close them on the same line, or begin a later line with `\"\"\"` if the text begins on the next line"
                    .to_owned(),
            ),
            Self::GluedComment => {
                Some("write `\\#` for the character, or a blank before the comment".to_owned())
            }
            Self::GluedDefinition { meant, .. } => Some(format!("write blanks around `=`: `{meant}`")),
            Self::VariableName { .. } => Some("names are made of letters, digits and `_`".to_owned()),
            _ => None,
        }
    }

    fn suspect(&self) -> Option<&Suspect> {
        match self {
            Self::UnclosedBlock { suspect, .. } | Self::SurplusBrace { suspect } => suspect.as_ref(),
            _ => None,
        }
    }
}

impl From<SyntaxError> for Diagnostic {
    fn from(error: SyntaxError) -> Self {
        let make = if error.kind.is_warning() {
            Self::warning
        } else {
            Self::error
        };
        let mut diagnostic = make(error.kind.code(), error.kind.to_string(), Some(error.span));
        if let Some(Suspect { header, brace }) = error.kind.suspect() {
            diagnostic = diagnostic.label(*brace, format!("closes `{header}`, but stands further left"));
        }
        match error.kind.hint() {
            Some(hint) => diagnostic.hint(hint),
            None => diagnostic,
        }
    }
}
