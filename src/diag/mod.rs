//! Speaking about project text: source, span, diagnostic, rendering, suggestions.
//!
//! A stage that reads project text keeps going after a fault and pushes a [`Diagnostic`] for each into
//! [`Diagnostics`]; `cli` renders them with [`render`], whose plain form never changes with the terminal. What the
//! faults are, and their wording, is left to the stages.

mod diagnostic;
mod render;
mod source;
mod suggest;

pub use diagnostic::{Diagnostic, Diagnostics, Label, Severity};
pub use render::{Colours, render, render_all};
pub use source::{LineColumn, Source, SourceId, SourceMap, Span, without_secret};
pub use suggest::nearest;
