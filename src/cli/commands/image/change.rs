//! What the commands that edit an image share.

use std::path::Path;

use super::super::super::error::CommandError;
use super::super::Context;
use super::target::PartitionArgs;
use crate::bake;
use crate::base::atomic::Durability;
use crate::base::{GuestPath, Origin, Timestamp};
use crate::edit::{Attributes, Edit, EditList};

/// Carries out `edits` in the image at `path`, now or when `SOURCE_DATE_EPOCH` says.
pub(crate) fn change(
    path: &Path,
    partition: &PartitionArgs,
    edits: &EditList,
    context: &Context<'_>,
) -> Result<(), CommandError> {
    let now = context
        .environment
        .source_date_epoch()?
        .unwrap_or_else(Timestamp::now);
    bake::edit_image(path, partition.choice(), edits, now, Durability::Sync).map_err(CommandError::work)
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

fn mode(text: &str) -> Result<u16, String> {
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

/// Where edits of the command line come from.
pub(crate) fn origin() -> Origin {
    Origin::implied("the command line")
}

/// An edit that makes a directory.
pub(crate) fn directory(path: GuestPath, attributes: Attributes) -> Edit {
    Edit::directory(path, attributes, origin())
}
