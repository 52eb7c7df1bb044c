//! `template import`: takes an image, or a tree of files, into the store.

use std::path::{Path, PathBuf};

use super::super::super::error::CommandError;
use super::super::Context;
use crate::base::{ByteSize, Timestamp};
use crate::template::{
    Entry, ImportOrder, Store, TemplateName, TemplateType, TreeOrder, TreeSource, default_name,
};

/// Take an image, a root file system's archive, a container image or a directory into the templates
///
/// An image holds one ext2, ext3 or ext4 file system, or is a whole disk with one. A tar archive, also compressed by gzip
/// or zstd, an OCI image layout (a directory or an archive) and a plain directory become a file system: owners, modes,
/// times, extended attributes, hard links and devices are kept, and the same input gives the same bytes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The image, archive or directory; `-` for an archive from standard input
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
    /// Make a file system of this type of an archive or directory: ext2, ext3 or ext4 [default: the name's, or ext4]
    #[arg(long = "type", value_name = "TYPE")]
    file_type: Option<TemplateType>,
    /// Make it this long, such as 2G [default: what fits, and some room]
    #[arg(long, value_name = "SIZE")]
    size: Option<ByteSize>,
    /// Take the image for this platform, where a container image is for several
    #[arg(long, value_name = "OS/ARCH", default_value = "linux/amd64")]
    platform: String,
    /// Words for the list of templates
    #[arg(long, value_name = "TEXT", default_value = "")]
    message: String,
}

/// Imports, and prints the new file's name.
pub(crate) fn run(arguments: &Args, store: &Store, context: &Context<'_>) -> Result<(), CommandError> {
    let entry = match TreeSource::detect(&arguments.file)? {
        Some(source) => import_tree(arguments, source, store, context)?,
        None => import_image(arguments, store, context)?,
    };
    if context.json {
        return context.ui.answer_json(&entry);
    }
    context.ui.answer(&format!("{}\n", entry.file))
}

fn import_image(arguments: &Args, store: &Store, context: &Context<'_>) -> Result<Entry, CommandError> {
    if arguments.file_type.is_some() || arguments.size.is_some() {
        return Err(CommandError::usage(format!(
            "`{}` is an image: its type and size are what they are",
            arguments.file.display()
        )));
    }
    let name = match &arguments.name {
        Some(name) => name.clone(),
        None => default_name(&arguments.file, arguments.partition.as_deref())?,
    };
    let order = ImportOrder {
        file: arguments.file.clone(),
        name,
        message: arguments.message.clone(),
        partition: arguments.partition.clone(),
        lineage: None,
        time: Timestamp::now(),
    };
    Ok(store.import(&order, || context.ui.note(super::BUSY))?)
}

fn import_tree(
    arguments: &Args,
    source: TreeSource,
    store: &Store,
    context: &Context<'_>,
) -> Result<Entry, CommandError> {
    if let Some(partition) = &arguments.partition {
        return Err(CommandError::usage(format!(
            "`{}` is no whole disk, so that it has no partition `{partition}`",
            arguments.file.display()
        )));
    }
    let order = TreeOrder {
        source,
        name: tree_name(arguments)?,
        size: arguments.size,
        platform: arguments.platform.clone(),
        message: arguments.message.clone(),
        time: Timestamp::now(),
    };
    Ok(store.import_tree(&order, || context.ui.note(super::BUSY))?)
}

/// The name that was given, or that of the file without what tells an archive.
fn tree_name(arguments: &Args) -> Result<TemplateName, CommandError> {
    if let Some(name) = &arguments.name {
        return match arguments.file_type {
            Some(wanted) if wanted != name.file_type() => Err(CommandError::usage(format!(
                "`{name}` shall be {wanted}, but its name ends in another type"
            ))),
            _ => Ok(name.clone()),
        };
    }
    if arguments.file == Path::new("-") {
        return Err(
            CommandError::usage("standard input has no name").hint("give one with --name, such as lab.ext4")
        );
    }
    let whole =
        std::path::absolute(&arguments.file).map_err(crate::base::PathError::on("find", &arguments.file))?;
    let file = whole.file_name().unwrap_or_default().to_string_lossy();
    let stem = file.split(".tar").next().unwrap_or_default();
    let stem = [".tgz", ".tzst", ".oci"]
        .iter()
        .fold(stem, |stem, end| stem.trim_end_matches(end));
    let file_type = arguments.file_type.unwrap_or(TemplateType::Ext4);
    Ok(TemplateName::new(stem, file_type).map_err(crate::template::TemplateError::from)?)
}
