//! `image mkdir`: directories made in an image.

use super::super::super::error::CommandError;
use super::super::Context;
use super::change::{AttributeArgs, change, exists, one_image, place, present, set_attributes};
use super::copy::make_way;
use super::target::{PartitionArgs, Target, failed};
use crate::bake;
use crate::base::FileKind;
use crate::ext::{Follow, Fs, NewNode};

/// Make directories in an image
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The directories, all in one image
    #[arg(value_name = "IMAGE:/PATH", required = true)]
    targets: Vec<Target>,
    /// Make missing parents too, and take a directory that is there already for made
    #[arg(short, long)]
    parents: bool,
    #[command(flatten)]
    attributes: AttributeArgs,
    #[command(flatten)]
    partition: PartitionArgs,
}

/// Makes them, all or none.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    change(
        one_image(&arguments.targets)?,
        &arguments.partition,
        context,
        |fs| {
            arguments
                .targets
                .iter()
                .try_for_each(|target| make(fs, target, arguments))
        },
    )
}

fn make(fs: &mut Fs, target: &Target, arguments: &Args) -> Result<(), CommandError> {
    let failed = |error| failed(&target.image, error);
    let wanted = arguments.attributes.attributes(None);
    if arguments.parents {
        if let Some(parent) = target.path.parent() {
            make_way(fs, &parent, &target.path)?;
        }
        let led = fs.lookup(&target.path, Follow::All).map_err(failed)?;
        let led = led.map(|led| fs.inode(led)).transpose().map_err(failed)?;
        if let Some(directory) = led.filter(|led| led.kind == FileKind::Directory) {
            return set_attributes(fs, &directory, wanted).map_err(failed);
        }
    }
    if target.path.is_root() || present(fs, target)?.is_some() {
        return Err(exists(target));
    }
    let (directory, name) = place(fs, target)?;
    let new = NewNode {
        mode: wanted.mode.unwrap_or(0o755),
        uid: wanted.uid.unwrap_or(0),
        gid: wanted.gid.unwrap_or(0),
    };
    fs.mkdir(directory, &name, new).map_err(failed)?;
    Ok(bake::label_new(fs, &target.path)?)
}
