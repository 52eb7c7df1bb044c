//! A file or tree of an image, to be copied from.

use std::collections::HashSet;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

use super::super::super::super::error::CommandError;
use super::super::target::{failed, printable};
use super::node::{Content, Node, Source, joined};
use crate::base::{FileKind, FileMeta};
use crate::ext::{Fs, Inode, InodeNo};

/// A tree of an image.
#[derive(Debug)]
pub(in super::super) struct ImageSource<'a> {
    fs: &'a Fs,
    image: &'a Path,
    top: Inode,
    keeps_xattrs: bool,
}

impl<'a> ImageSource<'a> {
    /// What `top` of the file system of `image` is, with extended attributes if they are wanted.
    pub(in super::super) fn new(fs: &'a Fs, image: &'a Path, top: Inode, keeps_xattrs: bool) -> Self {
        Self {
            fs,
            image,
            top,
            keeps_xattrs,
        }
    }

    fn node(&self, inode: &Inode, path: Vec<u8>) -> Result<Node, CommandError> {
        let failed = |error| failed(self.image, error);
        let link = match inode.kind {
            FileKind::Symlink => self.fs.read_link(inode.number).map_err(failed)?,
            _ => Vec::new(),
        };
        let xattrs = if self.keeps_xattrs {
            self.fs.xattrs(inode.number).map_err(failed)?
        } else {
            Vec::new()
        };
        Ok(Node {
            path,
            kind: inode.kind,
            meta: FileMeta {
                mode: inode.mode,
                uid: inode.uid,
                gid: inode.gid,
                mtime: inode.mtime,
            },
            atime: inode.atime,
            link,
            device: inode.device,
            len_bytes: inode.size_in_bytes,
            twin: (inode.links_count > 1 && inode.kind != FileKind::Directory)
                .then(|| (0, inode.number.get().into())),
            xattrs,
        })
    }
}

impl Source for ImageSource<'_> {
    fn top(&mut self) -> Result<Node, CommandError> {
        self.node(&self.top, Vec::new())
    }

    fn walk(
        &mut self,
        visit: &mut dyn FnMut(&Node, &mut dyn Content) -> Result<(), CommandError>,
    ) -> Result<(), CommandError> {
        let mut seen = HashSet::new();
        let mut waiting = vec![(self.top.clone(), Vec::new())];
        while let Some((inode, path)) = waiting.pop() {
            let node = self.node(&inode, path)?;
            visit(
                &node,
                &mut ImageContent {
                    fs: self.fs,
                    image: self.image,
                    inode: inode.number,
                },
            )?;
            if inode.kind != FileKind::Directory {
                continue;
            }
            // A damaged image could lead round in a circle.
            if !seen.insert(inode.number) {
                let text = format!("a directory of `{}` is in two places", self.image.display());
                return Err(CommandError::work(text));
            }
            let mut entries = self
                .fs
                .read_dir(inode.number)
                .map_err(|error| failed(self.image, error))?;
            entries.sort_by(|left, right| right.name.cmp(&left.name));
            for entry in entries {
                let child = self
                    .fs
                    .inode(entry.inode)
                    .map_err(|error| failed(self.image, error))?;
                waiting.push((child, joined(&node.path, plain_name(&entry.name)?)));
            }
        }
        Ok(())
    }
}

/// A name that stays in its directory.
fn plain_name(name: &[u8]) -> Result<&[u8], CommandError> {
    if name.is_empty() || name.contains(&b'/') || name == b".." || name == b"." {
        return Err(CommandError::work(format!(
            "`{}` is no file name",
            printable(name)
        )));
    }
    Ok(name)
}

struct ImageContent<'a> {
    fs: &'a Fs,
    image: &'a Path,
    inode: InodeNo,
}

impl Content for ImageContent<'_> {
    fn ranges(&mut self) -> Result<Vec<Range<u64>>, CommandError> {
        self.fs
            .data_ranges(self.inode)
            .map_err(|error| failed(self.image, error))
    }

    fn reader(&mut self, range: &Range<u64>) -> Result<Box<dyn Read + '_>, CommandError> {
        let reader = self.fs.reader(self.inode, range.start);
        Ok(Box::new(reader.map_err(|error| failed(self.image, error))?))
    }
}
