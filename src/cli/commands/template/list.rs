//! `template list`: what is in the store.

use super::super::super::error::CommandError;
use super::super::Context;
use crate::base::ByteSize;
use crate::template::{Listed, Source, State, Store};

/// List the templates that there are
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Prints a line for each file: its name, size, and what is known of it.
pub(crate) fn run(Args {}: &Args, store: &Store, context: &Context<'_>) -> Result<(), CommandError> {
    let listed = store.list()?;
    if context.json {
        return context.ui.answer_json(&listed);
    }
    let names: Vec<String> = listed.iter().map(|one| one.file.to_string()).collect();
    let width = names.iter().map(String::len).max().unwrap_or(0);
    let lines: Vec<String> = listed
        .iter()
        .zip(names)
        .map(|(one, name)| {
            let line = format!(
                "{name:width$}  {:>8}  {}",
                ByteSize(one.len_bytes).to_string(),
                remark(one)
            );
            format!("{}\n", line.trim_end())
        })
        .collect();
    context.ui.answer(&lines.concat())
}

/// What is worth knowing of a file, in a few words.
fn remark(listed: &Listed) -> String {
    let message = listed.entry.as_ref().map_or("", |entry| entry.message.as_str());
    let from = listed.entry.as_ref().and_then(|entry| match &entry.source {
        Source::Pulled(from) => Some(from.reference.as_str()),
        _ => None,
    });
    match listed.state {
        State::Recorded => match from {
            Some(from) => format!("{message} (from {from})").trim_start().to_owned(),
            None => message.to_owned(),
        },
        State::Unrecorded => "(put here by hand)".to_owned(),
        State::Changed => format!("(changed since it was recorded) {message}"),
        State::Missing => "(the file has gone; `template remove` forgets it)".to_owned(),
    }
}
