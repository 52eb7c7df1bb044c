//! `explain`: one keyword of the language, or all of them.

use super::super::error::CommandError;
use super::Context;
use crate::diag::nearest;
use crate::project::reference::{self, Explanation};
use crate::project::{Extension as _, ExtensionBlock};

/// Explain a keyword of the language, those of plugins among them
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The keyword, or `global`, `host`, `switch`, `superclass`, `#include`
    #[arg(value_name = "KEYWORD", required_unless_present = "all")]
    keyword: Option<String>,
    /// Explain every keyword
    #[arg(long, conflicts_with = "keyword")]
    all: bool,
    /// Write the reference page `docs/language.md`
    #[arg(long, requires = "all", hide = true)]
    markdown: bool,
}

/// Prints what is known of the keyword.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    if arguments.markdown {
        return context.ui.answer(&reference::markdown());
    }
    let plugins = super::project_file::plugins(context)?;
    let found = match &arguments.keyword {
        Some(keyword) => reference::explain(keyword, plugins.blocks()),
        None => reference::explain_all(plugins.blocks()),
    };
    if let (Some(keyword), true) = (&arguments.keyword, found.is_empty()) {
        return Err(unknown(keyword, plugins.blocks()));
    }
    if context.json {
        return context.ui.answer_json(&found);
    }
    let texts: Vec<String> = found.iter().map(Explanation::to_string).collect();
    context.ui.answer(&texts.join("\n"))
}

fn unknown(keyword: &str, blocks: &[ExtensionBlock]) -> CommandError {
    let error = CommandError::usage(format!("the language has no keyword `{keyword}`"));
    let known = reference::explain_all(blocks);
    match nearest(keyword, known.iter().map(|one| one.keyword.as_str())) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint("`mln-image explain --all` has every keyword"),
    }
}
