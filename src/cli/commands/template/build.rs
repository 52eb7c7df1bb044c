//! `template build`: makes a template from its definition.

use std::path::PathBuf;

use super::super::super::error::CommandError;
use super::super::Context;
use crate::base::{ByteSize, Timestamp};
use crate::template::{BuildHost, BuildOrder, Definition, Store, TemplateType, definitions};

/// Build a template from its definition, as a new version of it
///
/// A Debian system is installed from packages by mmdebstrap, without root, from the mirror that this machine's own apt
/// uses. Files of it are no newer than `SOURCE_DATE_EPOCH`, where that is set.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The definition, such as debian-12; without one, those that there are get listed
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Make these file systems: ext2, ext3, ext4 [default: those that the definition says]
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',')]
    types: Vec<TemplateType>,
    /// Make file systems of this size, such as 512M [default: what the definition says]
    #[arg(long, value_name = "SIZE")]
    size: Option<ByteSize>,
    /// Take packages from this archive alone
    #[arg(long, value_name = "URL")]
    mirror: Option<String>,
    /// Look for definitions in this directory, too
    #[arg(long, value_name = "DIR")]
    definitions: Option<PathBuf>,
}

/// Builds, and prints the new files' names.
pub(crate) fn run(arguments: &Args, store: &Store, context: &Context<'_>) -> Result<(), CommandError> {
    let directory = arguments.definitions.as_deref();
    let Some(name) = &arguments.name else {
        return list_definitions(arguments, context);
    };
    let time = Timestamp::now();
    let order = BuildOrder {
        definition: Definition::find(name, directory)?,
        types: arguments.types.clone(),
        size: arguments.size,
        mirror: arguments.mirror.clone(),
        time,
        content_time: context.environment.source_date_epoch()?.unwrap_or(time),
    };
    let host = BuildHost {
        search_path: context.environment.search_path.clone(),
        apt_directory: PathBuf::from("/etc/apt"),
        is_root: context.environment.is_root,
    };
    let entries = store.build(&order, &host, &*super::reporter(context))?;
    if context.json {
        return context.ui.answer_json(&entries);
    }
    let lines: Vec<String> = entries.iter().map(|entry| format!("{}\n", entry.file)).collect();
    context.ui.answer(&lines.concat())
}

/// Prints every definition with its description.
fn list_definitions(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let found = definitions(arguments.definitions.as_deref())?;
    if context.json {
        let names: Vec<&String> = found.keys().collect();
        return context.ui.answer_json(&names);
    }
    let lines: Vec<String> = found
        .values()
        .map(|definition| format!("{}: {}\n", definition.name, definition.description))
        .collect();
    context.ui.answer(&lines.concat())
}
