//! `image chmod`: permission bits of files of an image.

use super::super::super::error::CommandError;
use super::super::Context;
use super::change::{change, inodes, one_image};
use super::mode::ModeArg;
use super::target::{PartitionArgs, Target, failed};
use crate::base::FileKind;
use crate::ext::Follow;

/// Change the permission bits of files of an image
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The mode: octal, or changes such as `u+x`, `go-w`, `a=rX`
    #[arg(value_name = "MODE", allow_hyphen_values = true)]
    mode: ModeArg,
    /// The files, all in one image; links are followed
    #[arg(value_name = "IMAGE:/PATH", required = true)]
    targets: Vec<Target>,
    /// Change directories with everything in them; links in them stay as they are
    #[arg(short = 'R', long)]
    recursive: bool,
    #[command(flatten)]
    partition: PartitionArgs,
}

/// Changes all or none.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let image = one_image(&arguments.targets)?;
    change(image, &arguments.partition, context, |fs| {
        for target in &arguments.targets {
            for inode in inodes(fs, target, Follow::All, arguments.recursive)? {
                let mode = arguments.mode.of(inode.mode, inode.kind == FileKind::Directory);
                if inode.kind != FileKind::Symlink && mode != inode.mode {
                    fs.set_mode(inode.number, mode)
                        .map_err(|error| failed(image, error))?;
                }
            }
        }
        Ok(())
    })
}
