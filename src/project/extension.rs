//! What adds to the language: plugins, as `load` sees them.

use std::fmt;

use super::draft::Draft;
use super::schema::{Place, ValueKind};

/// Something that knows further blocks, and works on a project before it is checked.
pub trait Extension: fmt::Debug + Send + Sync {
    /// The blocks and keywords that it knows.
    fn blocks(&self) -> &[ExtensionBlock];

    /// Changes the project right after it was read.
    fn post_parse(&self, draft: &mut Draft<'_>);

    /// Looks at the whole project; changes are refused.
    fn check(&self, draft: &mut Draft<'_>);
}

/// A block or keyword that an extension knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtensionBlock {
    /// Who knows it.
    pub plugin: String,
    /// Where it stands.
    pub place: Place,
    /// Its name.
    pub name: String,
    /// What its value is; [`ValueKind::Any`] for a block.
    pub value: ValueKind,
    /// What it does, in one line.
    pub help: String,
    /// What may stand inside; `None` if anything may.
    pub keywords: Option<Vec<ExtensionKeyword>>,
}

/// A keyword inside such a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtensionKeyword {
    /// The keyword.
    pub name: String,
    /// What its value is.
    pub value: ValueKind,
    /// Whether the block needs it.
    pub required: bool,
    /// What it does, in one line.
    pub help: String,
}

/// The block `name` of `place`, if an extension knows it.
pub(super) fn block<'e>(
    extension: Option<&'e dyn Extension>,
    place: Place,
    name: &str,
) -> Option<&'e ExtensionBlock> {
    let mut blocks = extension?.blocks().iter();
    blocks.find(|block| block.place == place && block.name == name)
}
