//! What a plan says of a guest that was told from its template: a family, a renderer, an init, and the evidence.

/// Something that was told from the template, and by what.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Told {
    /// What it is, in the word of its keyword.
    pub name: &'static str,
    /// By what it was told.
    pub reason: String,
}

impl Told {
    /// Pairs a name with the evidence for it.
    pub(super) fn new(name: &'static str, reason: String) -> Self {
        Self { name, reason }
    }
}
