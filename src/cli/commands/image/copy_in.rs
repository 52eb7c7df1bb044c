//! Files of this machine into an image.

use std::io::{self, Read as _};
use std::path::Path;

use super::super::super::error::CommandError;
use super::super::Context;
use super::change::{AttributeArgs, change, directory, origin};
use super::target::{PartitionArgs, Target, failed, open};
use crate::bake::FilesDirectory;
use crate::base::{FileKind, GuestPath, PathError};
use crate::edit::{Change, Content, Edit, EditList};
use crate::ext::{Follow, Fs};
use crate::guest::{HostFiles as _, HostNode, HostNodeKind};

/// Copies `from` to `to`.
pub(crate) fn run(
    from: &str,
    to: &Target,
    is_recursive: bool,
    attributes: AttributeArgs,
    partition: &PartitionArgs,
    context: &Context<'_>,
) -> Result<(), CommandError> {
    let fs = open(&to.image, partition)?;
    let top = destination(&fs, from, to)?;
    let nodes = if from == "-" {
        vec![standard_input()?]
    } else {
        FilesDirectory(Path::new(""))
            .walk(from)
            .map_err(CommandError::work)?
    };
    let is_tree = nodes
        .first()
        .is_some_and(|node| matches!(node.kind, HostNodeKind::Directory));
    if is_tree && !is_recursive {
        let text = format!("`{from}` is a directory");
        return Err(CommandError::work(text).hint("give -r to copy it with everything in it"));
    }
    let mut edits = EditList::new();
    for node in nodes {
        let path = top.join(&node.path).map_err(CommandError::work)?;
        let is_there = fs
            .lookup(&path, Follow::NotLast)
            .map_err(|error| failed(&to.image, error))?
            .is_some();
        // What is there keeps its mode, unless another is asked for.
        let attributes = attributes.attributes(Some(node.mode).filter(|_| !is_there));
        edits.push(match node.kind {
            HostNodeKind::Directory => directory(path, attributes),
            HostNodeKind::Symlink(target) => Edit::symlink(path, target, origin()),
            HostNodeKind::File(content) => Edit {
                path,
                change: Change::File { content, attributes },
                origins: vec![origin()],
            },
        });
    }
    drop(fs);
    change(&to.image, partition, &edits, context)
}

/// Where the copy itself goes: `to`, or a name in it if it is a directory.
fn destination(fs: &Fs, from: &str, to: &Target) -> Result<GuestPath, CommandError> {
    let present = fs
        .lookup(&to.path, Follow::All)
        .and_then(|found| found.map(|inode| fs.inode(inode)).transpose())
        .map_err(|error| failed(&to.image, error))?;
    let is_directory = present.is_some_and(|inode| inode.kind == FileKind::Directory);
    if !is_directory && !to.has_trailing_slash {
        return Ok(to.path.clone());
    }
    let name = Path::new(from).file_name().filter(|_| from != "-");
    let Some(name) = name else {
        let text = format!("`{}` in `{}` is a directory", to.path, to.image.display());
        return Err(CommandError::work(text).hint("name the file in it that shall be made"));
    };
    to.path.join(name.as_encoded_bytes()).map_err(CommandError::work)
}

/// Standard input as a file to copy.
fn standard_input() -> Result<HostNode, CommandError> {
    let mut bytes = Vec::new();
    io::stdin()
        .lock()
        .read_to_end(&mut bytes)
        .map_err(PathError::on("read", "standard input"))?;
    Ok(HostNode {
        path: Vec::new(),
        mode: 0o644,
        kind: HostNodeKind::File(Content::Bytes(bytes.into())),
    })
}
