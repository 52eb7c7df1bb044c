//! What a running piece of work tells whoever watches: one interface, several faces.
//!
//! The library only calls a [`Reporter`]; `cli` has the faces (bars on a terminal, plain lines, JSON lines, nothing).

use std::error::Error;

/// `error` and its causes on one line, joined by colons; a cause that its parent's text ends with is left out.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(current) = cause {
        let shown = current.to_string();
        if !text.ends_with(&shown) {
            text.push_str(": ");
            text.push_str(&shown);
        }
        cause = current.source();
    }
    text
}

/// Hears how work gets on. Every method may be called from any thread.
pub trait Reporter: Send + Sync {
    /// Work on `total` things begins.
    fn begin(&self, total: usize);
    /// The thing called `name` is now in `stage`, such as `copy`.
    fn stage(&self, name: &str, stage: &str);
    /// The thing called `name` is done; `summary` says what came of it.
    fn done(&self, name: &str, summary: &str);
    /// The thing called `name` failed, for the reason in `message`.
    fn failed(&self, name: &str, message: &str);
    /// All work is over.
    fn end(&self);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Reporter for Silent {
    fn begin(&self, _total: usize) {}
    fn stage(&self, _name: &str, _stage: &str) {}
    fn done(&self, _name: &str, _summary: &str) {}
    fn failed(&self, _name: &str, _message: &str) {}
    fn end(&self) {}
}
