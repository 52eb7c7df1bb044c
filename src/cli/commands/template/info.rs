//! `template info`: everything that is known of one template.

use serde_json::{Value, json};

use super::super::super::error::CommandError;
use super::super::Context;
use crate::template::{Entry, Lineage, PulledFrom, Source, Store};

/// Show what is known of a template, and the file system in it
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The template, such as debian-12.ext3 for the newest one or debian-12-V1.0.ext3
    #[arg(value_name = "NAME")]
    name: String,
    /// Read the whole file and compare its digest with the recorded one
    #[arg(long)]
    verify: bool,
}

/// Prints one `name: value` a line.
pub(crate) fn run(arguments: &Args, store: &Store, context: &Context<'_>) -> Result<(), CommandError> {
    let template = store.find(&arguments.name)?;
    let file_system = template.file_system()?;
    let digest = if arguments.verify {
        template.verify_digest()?
    } else {
        template.digest()?
    };
    let mut facts = vec![
        ("file", json!(template.path().display().to_string())),
        ("length", json!(template.len_bytes())),
        ("sha256", json!(digest)),
        ("type", json!(file_system.file_type)),
        ("root partition", json!(file_system.partition)),
        ("uuid", json!(file_system.uuid)),
        ("label", json!(file_system.label)),
        ("block size", json!(file_system.block_size)),
        ("blocks", json!(file_system.blocks)),
        ("free blocks", json!(file_system.free_blocks)),
        ("inodes", json!(file_system.inodes)),
        ("free inodes", json!(file_system.free_inodes)),
        ("features", json!(file_system.features.join(" "))),
    ];
    facts.retain(|(_, value)| !value.is_null());
    facts.extend(template.entry().map(record).into_iter().flatten());
    if context.json {
        let object = facts
            .into_iter()
            .map(|(name, value)| (name.replace(' ', "_"), value));
        return context.ui.answer_json(&object.collect::<serde_json::Map<_, _>>());
    }
    let lines: Vec<String> = facts
        .iter()
        .map(|(name, value)| match value.as_str() {
            Some(text) => format!("{name}: {text}\n"),
            None => format!("{name}: {value}\n"),
        })
        .collect();
    context.ui.answer(&lines.concat())
}

/// What was recorded of the file.
fn record(entry: &Entry) -> [(&'static str, Value); 3] {
    let source = match &entry.source {
        Source::Imported(path) => format!("imported from {}", path.display()),
        Source::Built(definition) => format!("built from {definition}"),
        Source::Baked(lineage) => baked(lineage),
        Source::Pulled(from) => pulled(from),
    };
    [
        ("source", json!(source)),
        ("added", json!(entry.added_seconds)),
        ("message", json!(entry.message)),
    ]
}

/// What a golden image was made from.
fn baked(lineage: &Lineage) -> String {
    format!(
        "baked as host {} of project {} (sha256 {}) from {} (sha256 {})",
        lineage.host, lineage.project, lineage.project_sha256, lineage.parent, lineage.parent_sha256
    )
}

/// Where a template lay, who signed it, and what was known of it there.
fn pulled(from: &PulledFrom) -> String {
    let signed = match &from.signer {
        Some(key) => format!("signed by {key}"),
        None => "no signature was demanded".to_owned(),
    };
    let place = format!(
        "pulled from {} (sha256:{}), {signed}",
        from.reference, from.manifest_sha256
    );
    let built = from.definition.as_ref().map(|name| format!("built from {name}"));
    let baked = from.lineage.as_ref().map(baked);
    let facts: Vec<String> = [Some(place), built, baked].into_iter().flatten().collect();
    facts.join("; ")
}
