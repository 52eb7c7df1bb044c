//! What the commands that edit an image share.

use std::path::Path;

use super::super::super::error::CommandError;
use super::super::Context;
use super::owner::OwnerArg;
use super::target::{self, PartitionArgs, Target, failed};
use crate::bake;
use crate::base::atomic::Durability;
use crate::base::{FileKind, GuestPath, Timestamp};
use crate::edit::Attributes;
use crate::ext::{ExtError, Follow, Fs, Inode, InodeNo};

/// Lets `edit` change the image at `path`, now or when `SOURCE_DATE_EPOCH` says: all that it does, or nothing.
pub(crate) fn change<T>(
    path: &Path,
    partition: &PartitionArgs,
    context: &Context<'_>,
    edit: impl FnOnce(&mut Fs) -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    let edited = bake::change_image(path, partition.choice(), now(context)?, Durability::Sync, edit)?;
    target::note_recovery(path, edited.recovery, context);
    Ok(edited.value)
}

/// The time of an edit.
pub(crate) fn now(context: &Context<'_>) -> Result<Timestamp, CommandError> {
    let wanted = context.environment.source_date_epoch()?;
    Ok(wanted.unwrap_or_else(Timestamp::now))
}

/// Mode and owner that the command line asks for.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct AttributeArgs {
    /// Give it this mode, in octal
    #[arg(long, value_name = "MODE", value_parser = mode)]
    mode: Option<u16>,
    /// Give it this owner and group, as numbers
    #[arg(long, value_name = "UID:GID", value_parser = owner)]
    owner: Option<(u32, u32)>,
}

impl AttributeArgs {
    /// The attributes, `default_mode` where no mode was asked for.
    pub(crate) fn attributes(&self, default_mode: Option<u16>) -> Attributes {
        Attributes {
            mode: self.mode.or(default_mode),
            uid: self.owner.map(|(uid, _)| uid),
            gid: self.owner.map(|(_, gid)| gid),
        }
    }
}

/// Reads a mode in octal.
pub(crate) fn mode(text: &str) -> Result<u16, String> {
    u16::from_str_radix(text, 8)
        .ok()
        .filter(|mode| *mode <= 0o7777)
        .ok_or_else(|| "a mode is an octal number from 0 to 7777".to_owned())
}

fn owner(text: &str) -> Result<(u32, u32), String> {
    let numbers = text
        .split_once(':')
        .and_then(|(uid, gid)| Some((uid.parse().ok()?, gid.parse().ok()?)));
    numbers.ok_or_else(|| "an owner has the form UID:GID, both numbers".to_owned())
}

/// Gives `inode` the attributes that are asked for.
pub(crate) fn set_attributes(fs: &mut Fs, inode: &Inode, wanted: Attributes) -> Result<(), ExtError> {
    if let Some(mode) = wanted.mode.filter(|mode| *mode != inode.mode) {
        fs.set_mode(inode.number, mode)?;
    }
    let (uid, gid) = (wanted.uid.unwrap_or(inode.uid), wanted.gid.unwrap_or(inode.gid));
    if (uid, gid) != (inode.uid, inode.gid) {
        fs.set_owner(inode.number, uid, gid)?;
    }
    Ok(())
}

/// The image that all of `targets` are in.
pub(crate) fn one_image(targets: &[Target]) -> Result<&Path, CommandError> {
    let first = targets.first().map_or(Path::new(""), |target| &target.image);
    match targets.iter().find(|target| target.image != first) {
        Some(other) => Err(CommandError::usage(format!(
            "`{}` and `{}` are two images",
            first.display(),
            other.image.display()
        ))
        .hint("one command edits one image")),
        None => Ok(first),
    }
}

/// The directory that `target` lies in, links on the way followed, and its name there.
pub(crate) fn place(fs: &Fs, target: &Target) -> Result<(InodeNo, Vec<u8>), CommandError> {
    let parent = Target {
        path: target.path.parent().unwrap_or_else(GuestPath::root),
        ..target.clone()
    };
    let Some(name) = target.path.file_name() else {
        return Err(CommandError::work("the root directory has no name of its own"));
    };
    let directory = target::find(fs, &parent, Follow::All)?;
    if directory.kind != FileKind::Directory {
        let text = format!(
            "`{}` in `{}` is not a directory",
            parent.path,
            parent.image.display()
        );
        return Err(CommandError::work(text));
    }
    Ok((directory.number, name.to_vec()))
}

/// What is at `target`, a link itself rather than what it leads to.
pub(crate) fn present(fs: &Fs, target: &Target) -> Result<Option<Inode>, CommandError> {
    fs.lookup(&target.path, Follow::NotLast)
        .and_then(|found| found.map(|inode| fs.inode(inode)).transpose())
        .map_err(|error| failed(&target.image, error))
}

/// An error that says that something is at `target` already.
pub(crate) fn exists(target: &Target) -> CommandError {
    CommandError::work(format!(
        "`{}` is there already in `{}`",
        target.path,
        target.image.display()
    ))
}

/// Every inode at `target` and, if it is wanted, below it; links themselves below it.
pub(crate) fn inodes(
    fs: &Fs,
    target: &Target,
    follow: Follow,
    is_recursive: bool,
) -> Result<Vec<Inode>, CommandError> {
    let top = target::find(fs, target, follow)?;
    let mut all = std::collections::BTreeMap::new();
    let mut waiting = vec![top];
    while let Some(inode) = waiting.pop() {
        let is_new = !all.contains_key(&inode.number);
        if is_new && is_recursive && inode.kind == FileKind::Directory {
            let entries = fs
                .read_dir(inode.number)
                .map_err(|error| failed(&target.image, error))?;
            for entry in entries {
                waiting.push(
                    fs.inode(entry.inode)
                        .map_err(|error| failed(&target.image, error))?,
                );
            }
        }
        all.insert(inode.number, inode);
    }
    Ok(all.into_values().collect())
}

/// Owner and group by the image's own names.
pub(crate) fn resolve_owner(fs: &Fs, wanted: &OwnerArg, image: &Path) -> Result<Attributes, CommandError> {
    wanted.resolve(fs).map_err(|error| match error {
        super::owner::OwnerError::Unknown { .. } => CommandError::work(error).hint(format!(
            "names are those of `{}` itself; numbers always work",
            image.display()
        )),
        super::owner::OwnerError::File(source) => failed(image, source),
    })
}
