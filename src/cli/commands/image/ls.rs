//! `image ls`: the files of an image, as stable lines: mode, owner, length, path.

use std::collections::HashSet;
use std::fmt::Write as _;

use serde_json::json;

use super::super::super::error::CommandError;
use super::super::Context;
use super::target::{PartitionArgs, Target, failed, find, open, printable};
use crate::base::{FileKind, GuestPath};
use crate::ext::{Follow, Fs, Inode};

/// List files of an image: mode, owner, length and path
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file or directory, links followed; the root directory where only the image is named
    #[arg(value_name = "IMAGE:/PATH")]
    place: Target,
    /// Go down into directories
    #[arg(short = 'R', long)]
    recursive: bool,
    #[command(flatten)]
    partition: PartitionArgs,
}

/// One file of the list.
struct Line {
    path: GuestPath,
    inode: Inode,
    link: Option<Vec<u8>>,
}

/// Prints one line for each file, sorted by path.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let target = &arguments.place;
    let fs = open(&target.image, &arguments.partition)?;
    let root = find(&fs, target, Follow::All)?;
    if context.json {
        let mut lines = Vec::new();
        list(&fs, target, root, arguments.recursive, &mut |line| {
            lines.push(as_json(&line));
            Ok(())
        })?;
        return context.ui.answer_json(&lines);
    }
    let mut text = String::new();
    list(&fs, target, root, arguments.recursive, &mut |line| {
        push_line(&mut text, &line);
        if text.len() > 1 << 16 {
            context.ui.answer(&text)?;
            text.clear();
        }
        Ok(())
    })?;
    context.ui.answer(&text)
}

/// Shows `visit` what is at `target`, or in it if it is a directory.
fn list(
    fs: &Fs,
    target: &Target,
    root: Inode,
    is_recursive: bool,
    visit: &mut dyn FnMut(Line) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    let is_listed = |inode: &Inode| inode.kind == FileKind::Directory;
    let top = root.number;
    let is_directory = is_listed(&root);
    let mut seen = HashSet::new();
    let mut waiting = vec![(target.path.clone(), root)];
    while let Some((path, inode)) = waiting.pop() {
        let is_top = inode.number == top && is_directory;
        if is_listed(&inode) && (is_top || is_recursive) {
            // A damaged image could lead round in a circle.
            if !seen.insert(inode.number) {
                let twice = format!(
                    "`{}`: directory `{path}` is in two places",
                    target.image.display()
                );
                return Err(CommandError::work(twice));
            }
            let mut children = children(fs, target, &path, &inode)?;
            children.sort_by(|(left, _), (right, _)| right.cmp(left));
            waiting.append(&mut children);
        }
        if !is_top {
            visit(line(fs, target, path, inode)?)?;
        }
    }
    Ok(())
}

/// What is in the directory at `path`.
fn children(
    fs: &Fs,
    target: &Target,
    path: &GuestPath,
    directory: &Inode,
) -> Result<Vec<(GuestPath, Inode)>, CommandError> {
    let entries = fs
        .read_dir(directory.number)
        .map_err(|error| failed(&target.image, error))?;
    entries
        .into_iter()
        .map(|entry| {
            let path = path.join(&entry.name).map_err(CommandError::work)?;
            let inode = fs
                .inode(entry.inode)
                .map_err(|error| failed(&target.image, error))?;
            Ok((path, inode))
        })
        .collect()
}

fn line(fs: &Fs, target: &Target, path: GuestPath, inode: Inode) -> Result<Line, CommandError> {
    let link = match inode.kind {
        FileKind::Symlink => Some(
            fs.read_link(inode.number)
                .map_err(|error| failed(&target.image, error))?,
        ),
        _ => None,
    };
    Ok(Line { path, inode, link })
}

fn push_line(text: &mut String, line: &Line) {
    let inode = &line.inode;
    let size = match inode.device {
        Some((major, minor)) => format!("{major},{minor}"),
        None => inode.size_in_bytes.to_string(),
    };
    let link = line.link.as_ref().map(|link| format!(" -> {}", printable(link)));
    let _infallible = writeln!(
        text,
        "{}{:04o} {}:{} {size:>9} {}{}",
        inode.kind.letter(),
        inode.mode,
        inode.uid,
        inode.gid,
        printable(line.path.as_bytes()),
        link.unwrap_or_default()
    );
}

fn as_json(line: &Line) -> serde_json::Value {
    let inode = &line.inode;
    json!({
        "path": line.path,
        "inode": inode.number.get(),
        "kind": inode.kind,
        "mode": format!("{:04o}", inode.mode),
        "uid": inode.uid,
        "gid": inode.gid,
        "links": inode.links_count,
        "len_bytes": inode.size_in_bytes,
        "mtime": inode.mtime,
        "target": line.link.as_ref().map(|link| String::from_utf8_lossy(link)),
        "device": inode.device,
    })
}
