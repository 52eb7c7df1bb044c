//! `image cat`: the content of a file.

use super::super::super::error::CommandError;
use super::super::Context;
use super::target::{PartitionArgs, Target, failed, find, open};
use crate::base::FileKind;
use crate::ext::{Follow, Fs, Inode};

/// How many bytes are read at once.
const PIECE_BYTES: usize = 4 << 20;

/// Write a file of an image to standard output
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file, links followed
    #[arg(value_name = "IMAGE:/PATH")]
    file: Target,
    #[command(flatten)]
    partition: PartitionArgs,
}

/// Writes the file's bytes.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let target = &arguments.file;
    let fs = open(&target.image, &arguments.partition)?;
    let inode = find(&fs, target, Follow::All)?;
    if inode.kind != FileKind::Regular {
        let other = format!(
            "`{}` in `{}` is not a regular file",
            target.path,
            target.image.display()
        );
        return Err(CommandError::work(other));
    }
    write_content(&fs, target, &inode, context)
}

/// Writes the content of the regular file `inode`, which is `target`, to standard output.
pub(crate) fn write_content(
    fs: &Fs,
    target: &Target,
    inode: &Inode,
    context: &Context<'_>,
) -> Result<(), CommandError> {
    let mut buffer = vec![0; PIECE_BYTES];
    let unread = |error| failed(&target.image, error);
    let mut reader = fs.reader(inode.number, 0).map_err(unread)?;
    loop {
        let len = reader.fill(&mut buffer).map_err(unread)?;
        if len == 0 {
            return Ok(());
        }
        context.ui.answer_bytes(&buffer[..len])?;
    }
}
