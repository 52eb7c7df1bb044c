//! `template import`: takes an image that exists into the store.

use std::path::PathBuf;

use super::super::super::error::CommandError;
use super::super::Context;
use crate::base::Timestamp;
use crate::template::{ImportOrder, Store, TemplateName, default_name};

/// Copy an image of an ext2, ext3 or ext4 file system, or of a whole disk with one, into the templates
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The image
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What to call it, such as ubuntu-server.ext3; it gets the next version unless the name has one, as in
    /// ubuntu-server-V1.2.ext3 [default: the file's name]
    #[arg(long, value_name = "NAME")]
    name: Option<TemplateName>,
    /// The root partition of a whole disk: its number, label or PARTUUID [default: the one whose type says so, or the only
    /// one with an ext file system]
    #[arg(long, value_name = "PARTITION")]
    partition: Option<String>,
    /// Words for the list of templates
    #[arg(long, value_name = "TEXT", default_value = "")]
    message: String,
}

/// Imports, and prints the new file's name.
pub(crate) fn run(arguments: &Args, store: &Store, context: &Context<'_>) -> Result<(), CommandError> {
    let name = match &arguments.name {
        Some(name) => name.clone(),
        None => default_name(&arguments.file, arguments.partition.as_deref())?,
    };
    let order = ImportOrder {
        file: arguments.file.clone(),
        name,
        message: arguments.message.clone(),
        partition: arguments.partition.clone(),
        time: Timestamp::now(),
    };
    let entry = store.import(&order, || context.ui.note(super::BUSY))?;
    if context.json {
        return context.ui.answer_json(&entry);
    }
    context.ui.answer(&format!("{}\n", entry.file))
}
