//! Text to tree: knows no keyword's meaning.
//!
//! One text becomes one [`Tree`], which keeps comments and `#include` directives, so that [`format()`] can write the
//! text anew. Files are neither opened nor spliced here, and neither variables nor inheritance are resolved: that is
//! the work of `project`. Faults are collected, not thrown: a tree comes out of every text.
//!
#![doc = include_str!("grammar.md")]

mod error;
mod format;
mod frame;
mod lexer;
mod outline;
mod parser;
mod token;
mod tree;

pub use error::{SyntaxError, SyntaxErrorKind};
pub use format::{Formatter, format};
pub use outline::outline;
pub use parser::{LineBlocks, NESTING_MAX, parse, parse_each};
pub use tree::{Block, Comment, Definition, Include, Item, Node, ShellLine, Tree, Word};
