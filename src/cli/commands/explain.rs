//! `explain`: one keyword of the language, or all of them.

use super::super::error::CommandError;
use super::Context;
use crate::diag::nearest;
use crate::project::reference::{self, Explanation};

/// Explain a keyword of the language
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
    let found = match &arguments.keyword {
        Some(keyword) => reference::explain(keyword),
        None => reference::explain_all(),
    };
    if let (Some(keyword), true) = (&arguments.keyword, found.is_empty()) {
        return Err(unknown(keyword));
    }
    if context.json {
        return context.ui.answer_json(&found);
    }
    let texts: Vec<String> = found.iter().map(Explanation::to_string).collect();
    context.ui.answer(&texts.join("\n"))
}

fn unknown(keyword: &str) -> CommandError {
    let error = CommandError::usage(format!("the language has no keyword `{keyword}`"));
    let known = reference::explain_all();
    match nearest(keyword, known.iter().map(|one| one.keyword.as_str())) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint("`mln-image explain --all` has every keyword"),
    }
}
