//! `image diff`: in which files two images differ, and in what.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use serde_json::json;

use super::super::super::error::{CommandError, ErrorKind};
use super::super::Context;
use super::target::{PartitionArgs, Target, failed, find, open, printable};
use crate::base::FileKind;
use crate::ext::{Follow, Fs, Inode};

/// How many bytes are compared at once.
const PIECE_BYTES: usize = 1 << 20;

/// Tell in which files two images differ, and in what
///
/// One line for each file: `-` only in the first, `+` only in the second, `~` in both with what differs: kind, mode,
/// owner, content, target, device, xattrs, links, and mtime with --times. Exit code 0 if nothing differs, 1 if something
/// does.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The first image, or a place in it
    #[arg(value_name = "A")]
    one: Target,
    /// The second image, or a place in it
    #[arg(value_name = "B")]
    other: Target,
    /// Look at times of change too
    #[arg(short, long)]
    times: bool,
    #[command(flatten)]
    partition: PartitionArgs,
}

/// How a path differs.
enum Difference {
    OnlyInOne(Inode),
    OnlyInOther(Inode),
    Changed(Vec<&'static str>),
}

/// A tree, by paths below its top.
struct Tree<'a> {
    fs: &'a Fs,
    target: &'a Target,
    files: BTreeMap<Vec<u8>, Inode>,
}

/// Prints what differs.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let (one_fs, other_fs) = (
        open(&arguments.one.image, &arguments.partition)?,
        open(&arguments.other.image, &arguments.partition)?,
    );
    let one = Tree::read(&one_fs, &arguments.one)?;
    let other = Tree::read(&other_fs, &arguments.other)?;
    let differences = compare(&one, &other, arguments.times)?;
    if context.json {
        let list: Vec<_> = differences
            .iter()
            .map(|(path, difference)| as_json(path, difference))
            .collect();
        context.ui.answer_json(&list)?;
    } else {
        let mut text = String::new();
        for (path, difference) in &differences {
            push_line(&mut text, path, difference);
        }
        context.ui.answer(&text)?;
    }
    if differences.is_empty() {
        return Ok(());
    }
    let count = format!("{} files differ", differences.len());
    Err(CommandError::new(ErrorKind::Answered, count))
}

impl<'a> Tree<'a> {
    fn read(fs: &'a Fs, target: &'a Target) -> Result<Self, CommandError> {
        let failed = |error| failed(&target.image, error);
        let mut files = BTreeMap::new();
        let mut seen = HashSet::new();
        let mut waiting = vec![(Vec::new(), find(fs, target, Follow::All)?)];
        while let Some((path, inode)) = waiting.pop() {
            if inode.kind == FileKind::Directory {
                // A damaged image could lead round in a circle.
                if !seen.insert(inode.number) {
                    let text = format!("a directory of `{}` is in two places", target.image.display());
                    return Err(CommandError::work(text));
                }
                for entry in fs.read_dir(inode.number).map_err(failed)? {
                    let child = fs.inode(entry.inode).map_err(failed)?;
                    let below: Vec<u8> = [path.as_slice(), b"/", &entry.name].concat();
                    waiting.push((below, child));
                }
            }
            files.insert(path, inode);
        }
        Ok(Self { fs, target, files })
    }

    /// Does one thing with the file system; an error names the image.
    fn get<T>(&self, step: impl FnOnce(&Fs) -> Result<T, crate::ext::ExtError>) -> Result<T, CommandError> {
        step(self.fs).map_err(|error| failed(&self.target.image, error))
    }
}

/// Every path with what differs, sorted.
fn compare(
    one: &Tree<'_>,
    other: &Tree<'_>,
    with_times: bool,
) -> Result<BTreeMap<Vec<u8>, Difference>, CommandError> {
    let mut differences = BTreeMap::new();
    for (path, left) in &one.files {
        match other.files.get(path) {
            None => {
                differences.insert(path.clone(), Difference::OnlyInOne(left.clone()));
            }
            Some(right) => {
                let mut changed = metadata(one, other, left, right)?;
                if with_times && left.mtime != right.mtime {
                    changed.push("mtime");
                }
                if !changed.is_empty() {
                    differences.insert(path.clone(), Difference::Changed(changed));
                }
            }
        }
    }
    for (path, right) in &other.files {
        if !one.files.contains_key(path) {
            differences.insert(path.clone(), Difference::OnlyInOther(right.clone()));
        }
    }
    Ok(differences)
}

/// What differs between two files of one path, times left out.
fn metadata(
    one: &Tree<'_>,
    other: &Tree<'_>,
    left: &Inode,
    right: &Inode,
) -> Result<Vec<&'static str>, CommandError> {
    let mut changed = Vec::new();
    let mut note = |differs: bool, what| {
        if differs {
            changed.push(what);
        }
    };
    note(left.kind != right.kind, "kind");
    note(left.mode != right.mode, "mode");
    note((left.uid, left.gid) != (right.uid, right.gid), "owner");
    note(left.device != right.device, "device");
    let is_directory = left.kind == FileKind::Directory || right.kind == FileKind::Directory;
    note(!is_directory && left.links_count != right.links_count, "links");
    if left.kind == right.kind {
        match left.kind {
            FileKind::Regular => note(!is_same_content(one, other, left, right)?, "content"),
            FileKind::Symlink => {
                let target = |tree: &Tree<'_>, inode: &Inode| tree.get(|fs| fs.read_link(inode.number));
                note(target(one, left)? != target(other, right)?, "target");
            }
            _ => {}
        }
    }
    let xattrs = |tree: &Tree<'_>, inode: &Inode| tree.get(|fs| fs.xattrs(inode.number));
    note(xattrs(one, left)? != xattrs(other, right)?, "xattrs");
    Ok(changed)
}

fn is_same_content(
    one: &Tree<'_>,
    other: &Tree<'_>,
    left: &Inode,
    right: &Inode,
) -> Result<bool, CommandError> {
    if left.size_in_bytes != right.size_in_bytes {
        return Ok(false);
    }
    let (mut left_bytes, mut right_bytes) = (vec![0; PIECE_BYTES], vec![0; PIECE_BYTES]);
    let mut offset = 0;
    loop {
        let len = one.get(|fs| fs.read_at(left.number, offset, &mut left_bytes))?;
        other.get(|fs| fs.read_at(right.number, offset, &mut right_bytes))?;
        if left_bytes[..len] != right_bytes[..len] {
            return Ok(false);
        }
        if len == 0 {
            return Ok(true);
        }
        offset += u64::try_from(len).expect("a buffer's length fits 64 bits");
    }
}

fn push_line(text: &mut String, path: &[u8], difference: &Difference) {
    let path = shown(path);
    let _infallible = match difference {
        Difference::OnlyInOne(_) => writeln!(text, "- {path}"),
        Difference::OnlyInOther(_) => writeln!(text, "+ {path}"),
        Difference::Changed(what) => writeln!(text, "~ {path}: {}", what.join(", ")),
    };
}

fn as_json(path: &[u8], difference: &Difference) -> serde_json::Value {
    let path = shown(path);
    match difference {
        Difference::OnlyInOne(inode) => json!({"path": path, "in": "first", "kind": inode.kind}),
        Difference::OnlyInOther(inode) => json!({"path": path, "in": "second", "kind": inode.kind}),
        Difference::Changed(what) => json!({"path": path, "in": "both", "differs": what}),
    }
}

/// The path as a terminal can have it; the top is `/`.
fn shown(path: &[u8]) -> String {
    if path.is_empty() {
        "/".to_owned()
    } else {
        printable(path)
    }
}
