//! What plugins say of their blocks and of the keywords in them.

use super::super::extension::{ExtensionBlock, ExtensionKeyword};
use super::super::schema::{self, Place, ValueKind};
use super::{Explanation, example_of, in_words, value_words};

/// Every block of `blocks` and what may stand in it.
pub(super) fn explanations(blocks: &[ExtensionBlock]) -> impl Iterator<Item = Explanation> {
    blocks.iter().flat_map(|block| {
        let inner = block.keywords.iter().flatten();
        let inner = inner.map(move |keyword| of_keyword(block, keyword));
        std::iter::once(of_block(block)).chain(inner)
    })
}

/// Whether a plugin itself says what `name` is in `place`.
pub(super) fn is_told(blocks: &[ExtensionBlock], place: Place, name: &str) -> bool {
    blocks
        .iter()
        .any(|block| block.place == place && block.name == name)
}

fn of_block(block: &ExtensionBlock) -> Explanation {
    let known = schema::keyword(block.place, &block.name);
    let own = known
        .map(|known| known.example)
        .filter(|example| !example.is_empty());
    let names: Vec<String> = block
        .keywords
        .iter()
        .flatten()
        .map(|keyword| format!("`{}`", keyword.name))
        .collect();
    let (value, example) = match (&block.keywords, block.value) {
        (Some(keywords), _) if !keywords.is_empty() => (
            format!("a block of {}", names.join(", ")),
            example_of_block(&block.name, keywords),
        ),
        (_, ValueKind::Any) => ("a block".to_owned(), example_of(&block.name, ValueKind::Lines)),
        (_, kind) => (value_words(kind), example_of(&block.name, kind)),
    };
    Explanation {
        keyword: block.name.clone(),
        place: in_words(block.place).to_owned(),
        value,
        default: String::new(),
        status: format!("plugin `{}`", block.plugin),
        help: block.help.clone(),
        example: own.map_or(example, str::to_owned),
    }
}

/// A block with what it needs, or with the first thing that it may have.
fn example_of_block(name: &str, keywords: &[ExtensionKeyword]) -> String {
    let mut shown: Vec<&ExtensionKeyword> = keywords.iter().filter(|keyword| keyword.required).collect();
    if shown.is_empty() {
        shown.extend(keywords.first());
    }
    let lines = shown
        .into_iter()
        .flat_map(|keyword| {
            let example = example_of(&keyword.name, keyword.value);
            example
                .lines()
                .map(|line| format!("    {line}\n"))
                .collect::<Vec<_>>()
        })
        .collect::<String>();
    format!("{name} {{\n{lines}}}")
}

fn of_keyword(block: &ExtensionBlock, keyword: &ExtensionKeyword) -> Explanation {
    let default = if keyword.required {
        "none: the block needs it"
    } else {
        ""
    };
    Explanation {
        keyword: keyword.name.clone(),
        place: format!("the block `{}` in {}", block.name, in_words(block.place)),
        value: value_words(keyword.value),
        default: default.to_owned(),
        status: format!("plugin `{}`", block.plugin),
        help: keyword.help.clone(),
        example: example_of(&keyword.name, keyword.value),
    }
}
