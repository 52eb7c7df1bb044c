//! `image cp`: files and trees copied into an image, out of it, or from one image to another.

use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::super::super::error::CommandError;
use super::super::Context;
use super::change::{AttributeArgs, change};
use super::copy::{HostSink, HostSource, ImageSink, ImageSource, Sink, Source, Wishes, make_way};
use super::target::{PartitionArgs, Target, failed, find, open};
use crate::bake;
use crate::base::{FileKind, GuestPath, PathError};
use crate::ext::{Follow, Fs, NewNode};

/// How much of a stream is taken at once.
const PIECE_BYTES: u64 = 4 << 20;

/// Copy files into an image, out of it, or between images
///
/// A place in an image is written `IMAGE:/PATH`, one of this machine as it is. `-` is standard input or output. What is
/// copied into a directory keeps its name.
///
/// A single file keeps its mode; what is there already keeps its own mode and owner. With -r or -p everything is kept:
/// owners, modes, times, extended attributes, access control lists, capabilities, hard links, holes, links and special
/// files. What an ordinary user cannot keep outside of an image is said.
#[derive(Debug, clap::Args)]
#[command(override_usage = "mln-image image cp [OPTIONS] HOSTPATH IMAGE:/PATH\n       \
                            mln-image image cp [OPTIONS] IMAGE:/PATH HOSTPATH\n       \
                            mln-image image cp [OPTIONS] IMAGE:/PATH OTHER:/PATH")]
pub(crate) struct Args {
    /// What to copy
    #[arg(value_name = "FROM")]
    from: String,
    /// Where to; into it, if that is a directory
    #[arg(value_name = "TO")]
    to: String,
    /// Copy a directory with everything in it, and keep what -p keeps
    #[arg(short, long, visible_short_alias = 'a')]
    recursive: bool,
    /// Keep owner, mode, times, extended attributes and holes
    #[arg(short, long)]
    preserve: bool,
    #[command(flatten)]
    attributes: AttributeArgs,
    #[command(flatten)]
    partition: PartitionArgs,
}

impl Args {
    fn keeps(&self) -> bool {
        self.recursive || self.preserve
    }

    fn wishes(&self) -> Wishes {
        Wishes {
            preserve: self.keeps(),
            attributes: self.attributes.attributes(None),
        }
    }

    /// Refuses a directory that is not to be copied whole.
    fn check(&self, kind: FileKind) -> Result<(), CommandError> {
        if kind == FileKind::Directory && !self.recursive {
            let text = format!("`{}` is a directory", self.from);
            return Err(CommandError::work(text).hint("give -r to copy it with everything in it"));
        }
        Ok(())
    }
}

/// Copies in the direction that the arguments show.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let place = |text: &str| Target::explicit(text).map_err(CommandError::usage);
    match (place(&arguments.from)?, place(&arguments.to)?) {
        (None, Some(to)) if arguments.from == "-" => from_input(arguments, &to, context),
        (None, Some(to)) => into_image(arguments, &to, context),
        (Some(from), None) => out_of_image(arguments, &from, context),
        (Some(from), Some(to)) => between_images(arguments, &from, &to, context),
        (None, None) => Err(CommandError::usage("one of the two places has to be in an image")
            .hint("a place in an image is written IMAGE:/PATH, one of this machine as it is")),
    }
}

fn into_image(arguments: &Args, to: &Target, context: &Context<'_>) -> Result<(), CommandError> {
    let from = Path::new(&arguments.from);
    let mut source = HostSource::new(from, arguments.keeps());
    arguments.check(source.top()?.kind())?;
    change(&to.image, &arguments.partition, context, |fs| {
        let top = destination(fs, from.file_name().map(OsStr::as_bytes), to)?;
        put(&mut source, fs, &top, arguments)
    })
}

fn out_of_image(arguments: &Args, from: &Target, context: &Context<'_>) -> Result<(), CommandError> {
    let fs = open(&from.image, &arguments.partition)?;
    let inode = find(&fs, from, Follow::All)?;
    arguments.check(inode.kind)?;
    if arguments.to == "-" {
        return super::cat::write_content(&fs, from, &inode, context);
    }
    let to = Path::new(&arguments.to);
    let top = match from.path.file_name() {
        Some(name) if to.is_dir() => to.join(OsStr::from_bytes(name)),
        _ => PathBuf::from(to),
    };
    let mut source = ImageSource::new(&fs, &from.image, inode, arguments.keeps());
    let is_root = context.environment.is_root;
    let mut sink = HostSink::new(top, arguments.keeps(), is_root, context.ui);
    transfer(&mut source, &mut sink)
}

fn between_images(
    arguments: &Args,
    from: &Target,
    to: &Target,
    context: &Context<'_>,
) -> Result<(), CommandError> {
    let is_same = same_file(&from.image, &to.image);
    // The image that is being edited is locked by ourselves; what is read is its state before the edit.
    let source = if is_same {
        None
    } else {
        Some(open(&from.image, &arguments.partition)?)
    };
    change(&to.image, &arguments.partition, context, |fs| {
        let source = match source {
            Some(source) => source,
            None => bake::open_image_being_edited(&from.image, arguments.partition.choice())?.fs,
        };
        let inode = find(&source, from, Follow::All)?;
        arguments.check(inode.kind)?;
        let top = destination(fs, from.path.file_name(), to)?;
        if is_same && inode.kind == FileKind::Directory && top.starts_with(&from.path) {
            let text = format!("`{from}` cannot be copied into itself");
            return Err(CommandError::work(text));
        }
        let mut source = ImageSource::new(&source, &from.image, inode, arguments.keeps());
        put(&mut source, fs, &top, arguments)
    })
}

/// Makes everything of `source` at `top` of the image.
fn put(source: &mut dyn Source, fs: &mut Fs, top: &GuestPath, arguments: &Args) -> Result<(), CommandError> {
    transfer(source, &mut ImageSink::new(fs, top.clone(), arguments.wishes()))?;
    Ok(bake::label_new(fs, top)?)
}

/// Shows everything of `source` to `sink`.
fn transfer(source: &mut dyn Source, sink: &mut dyn Sink) -> Result<(), CommandError> {
    source.walk(&mut |node, content| sink.put(node, content))?;
    sink.finish()
}

/// Standard input as the content of a file.
fn from_input(arguments: &Args, to: &Target, context: &Context<'_>) -> Result<(), CommandError> {
    change(&to.image, &arguments.partition, context, |fs| {
        let failed = |error| failed(&to.image, error);
        let path = destination(fs, None, to)?;
        let directory = make_way(fs, &path.parent().unwrap_or_else(GuestPath::root), &path)?;
        let name = path.file_name().unwrap_or_default();
        let wanted = arguments.attributes.attributes(None);
        let present = fs.find_entry(directory, name).map_err(failed)?;
        let present = present.map(|inode| fs.inode(inode)).transpose().map_err(failed)?;
        let file = match present {
            Some(inode) if inode.kind == FileKind::Regular => {
                fs.truncate(inode.number, 0).map_err(failed)?;
                super::change::set_attributes(fs, &inode, wanted).map_err(failed)?;
                inode.number
            }
            present => {
                if present.is_some() {
                    fs.unlink(directory, name).map_err(failed)?;
                }
                let new = NewNode {
                    mode: wanted.mode.unwrap_or(0o644),
                    uid: wanted.uid.unwrap_or(0),
                    gid: wanted.gid.unwrap_or(0),
                };
                fs.create_file(directory, name, new).map_err(failed)?
            }
        };
        let mut input = io::stdin().lock();
        let mut piece = Vec::new();
        loop {
            piece.clear();
            let read = input.by_ref().take(PIECE_BYTES).read_to_end(&mut piece);
            read.map_err(PathError::on("read", "standard input"))?;
            if piece.is_empty() {
                return Ok(bake::label_new(fs, &path)?);
            }
            fs.append(file, &piece).map_err(failed)?;
        }
    })
}

/// Where the copy itself goes: `to`, or a name in it if it is a directory.
fn destination(fs: &Fs, name: Option<&[u8]>, to: &Target) -> Result<GuestPath, CommandError> {
    let present = fs
        .lookup(&to.path, Follow::All)
        .and_then(|found| found.map(|inode| fs.inode(inode)).transpose())
        .map_err(|error| failed(&to.image, error))?;
    let is_directory = present.is_some_and(|inode| inode.kind == FileKind::Directory);
    if !is_directory && !to.has_trailing_slash {
        return Ok(to.path.clone());
    }
    match name {
        Some(name) => to.path.join(name).map_err(CommandError::work),
        // The whole of another image goes into a directory as it is.
        None if is_directory && to.path.is_root() => Ok(to.path.clone()),
        None => {
            let text = format!("`{}` in `{}` is a directory", to.path, to.image.display());
            Err(CommandError::work(text).hint("name the file in it that shall be made"))
        }
    }
}

fn same_file(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let identity = |path: &Path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.dev(), metadata.ino()))
    };
    identity(one).is_some() && identity(one) == identity(other)
}
