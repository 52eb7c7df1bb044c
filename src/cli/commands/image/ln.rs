//! `image ln`: further names of files, and symbolic links.

use super::super::super::error::CommandError;
use super::super::Context;
use super::change::{change, exists, place, present};
use super::target::{PartitionArgs, Target, failed, find};
use crate::bake;
use crate::base::FileKind;
use crate::ext::{Follow, NewNode};

/// Give a file of an image another name, or make a symbolic link
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "mln-image image ln [OPTIONS] IMAGE:/FILE IMAGE:/PATH\n       \
                            mln-image image ln -s [OPTIONS] TEXT IMAGE:/PATH"
)]
pub(crate) struct Args {
    /// The file, or with -s what the link says
    #[arg(value_name = "FILE")]
    file: String,
    /// The new name; in it under its own name, if that is a directory
    #[arg(value_name = "IMAGE:/PATH")]
    target: Target,
    /// Make a symbolic link
    #[arg(short, long)]
    symbolic: bool,
    /// Replace a file that has the name
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    partition: PartitionArgs,
}

/// Makes the link.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let image = &arguments.target.image;
    let file = if arguments.symbolic {
        None
    } else {
        Some(hard_target(arguments)?)
    };
    change(image, &arguments.partition, context, |fs| {
        let failed = |error| failed(image, error);
        let mut target = arguments.target.clone();
        let is_directory = |inode: &crate::ext::Inode| inode.kind == FileKind::Directory;
        if present(fs, &target)?.as_ref().is_some_and(is_directory) {
            let name = match &file {
                Some(file) => file.path.file_name().unwrap_or_default().to_vec(),
                None => last_component(&arguments.file),
            };
            target.path = target.path.join(name).map_err(CommandError::work)?;
        }
        let (directory, name) = place(fs, &target)?;
        match present(fs, &target)? {
            Some(inode) if arguments.force && !is_directory(&inode) => {
                fs.unlink(directory, &name).map_err(failed)?;
            }
            Some(_) => return Err(exists(&target)),
            None => {}
        }
        if let Some(file) = &file {
            let inode = find(fs, file, Follow::NotLast)?;
            return fs.link(inode.number, directory, &name).map_err(failed);
        }
        let text = arguments.file.as_bytes();
        fs.symlink(directory, &name, text, NewNode::default())
            .map_err(failed)?;
        Ok(bake::label_new(fs, &target.path)?)
    })
}

/// The file that gets another name, which has to be in the same image.
fn hard_target(arguments: &Args) -> Result<Target, CommandError> {
    let file = Target::explicit(&arguments.file).map_err(CommandError::usage)?;
    match file {
        Some(file) if file.image == arguments.target.image => Ok(file),
        _ => Err(
            CommandError::usage("a file can have another name in its own image only").hint(format!(
                "write `{}:/...`, or give -s for a symbolic link",
                arguments.target.image.display()
            )),
        ),
    }
}

fn last_component(text: &str) -> Vec<u8> {
    let trimmed = text.trim_end_matches('/');
    trimmed.rsplit('/').next().unwrap_or(trimmed).as_bytes().to_vec()
}
