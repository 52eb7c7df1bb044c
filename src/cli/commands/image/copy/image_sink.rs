//! A place in an image, to be copied to.

use std::collections::HashMap;
use std::io::Read as _;

use super::super::super::super::error::CommandError;
use super::node::{Content, Node, Sink, split};
use crate::bake::HostError;
use crate::base::{FileKind, GuestPath};
use crate::edit::Attributes;
use crate::ext::{ExtError, Follow, Fs, Inode, InodeNo, NewNode, SpecialFile, Xattr};

/// The mode of a directory that is made on the way to another.
const DIRECTORY_MODE: u16 = 0o755;

/// What a copy shall have of the original, and what of the command line's wishes.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Wishes {
    /// Whether owner, times and extended attributes come along.
    pub(in super::super) preserve: bool,
    /// What the command line asks for, which goes before everything.
    pub(in super::super) attributes: Attributes,
}

/// A place in an image.
pub(in super::super) struct ImageSink<'a> {
    fs: &'a mut Fs,
    /// Where the top goes.
    top: GuestPath,
    wishes: Wishes,
    directories: HashMap<Vec<u8>, InodeNo>,
    twins: HashMap<(u64, u64), InodeNo>,
    /// Directories whose times are set at the end.
    late: Vec<(InodeNo, Node)>,
}

impl<'a> ImageSink<'a> {
    /// Copies go to `top`, whose directory has to be there.
    pub(in super::super) fn new(fs: &'a mut Fs, top: GuestPath, wishes: Wishes) -> Self {
        Self {
            fs,
            top,
            wishes,
            directories: HashMap::new(),
            twins: HashMap::new(),
            late: Vec::new(),
        }
    }

    /// The guest's path of `node`, for messages.
    fn path_of(&self, node: &Node) -> GuestPath {
        self.top.join(&node.path).unwrap_or_else(|_| self.top.clone())
    }

    fn failed(&self, node: &Node) -> impl FnOnce(ExtError) -> CommandError + use<> {
        let path = self.path_of(node);
        move |source| CommandError::work(HostError::Edit { path, source })
    }

    fn in_the_way(&self, node: &Node, kind: FileKind) -> CommandError {
        let path = self.path_of(node);
        CommandError::work(HostError::InTheWay {
            place: path.clone(),
            path,
            kind,
        })
    }

    /// The directory that `node` goes into, and its name there.
    fn place(&mut self, node: &Node) -> Result<(InodeNo, Vec<u8>), CommandError> {
        if let Some((directory, name)) = split(&node.path) {
            let found = self.directories.get(directory).copied();
            let found = found.ok_or_else(|| CommandError::work("a file came before its directory"))?;
            return Ok((found, name.to_vec()));
        }
        let parent = self.top.parent().unwrap_or_else(GuestPath::root);
        let directory = make_way(self.fs, &parent, &self.top)?;
        Ok((directory, self.top.file_name().unwrap_or(b"/").to_vec()))
    }

    /// What is at the node's place now, a link itself rather than what it leads to.
    fn present(&self, directory: InodeNo, name: &[u8], node: &Node) -> Result<Option<Inode>, CommandError> {
        if name == b"/" {
            return self.fs.inode(InodeNo::ROOT).map(Some).map_err(self.failed(node));
        }
        self.fs
            .find_entry(directory, name)
            .and_then(|found| found.map(|inode| self.fs.inode(inode)).transpose())
            .map_err(self.failed(node))
    }

    fn put_directory(
        &mut self,
        node: &Node,
        place: (InodeNo, &[u8]),
        present: Option<Inode>,
    ) -> Result<(), CommandError> {
        let number = match present {
            Some(inode) if inode.kind == FileKind::Directory => inode.number,
            // A link to a directory stays: distributions move directories so.
            Some(inode) if inode.kind == FileKind::Symlink => {
                let path = self.path_of(node);
                let led = self.fs.lookup(&path, Follow::All).map_err(self.failed(node))?;
                let led = led.map(|led| self.fs.inode(led)).transpose();
                match led.map_err(self.failed(node))? {
                    Some(led) if led.kind == FileKind::Directory => led.number,
                    _ => return Err(self.in_the_way(node, FileKind::Symlink)),
                }
            }
            Some(inode) => return Err(self.in_the_way(node, inode.kind)),
            None => {
                let new = self.new_node(node);
                let made = self.fs.mkdir(place.0, place.1, new).map_err(self.failed(node))?;
                self.directories.insert(node.path.clone(), made);
                self.late.push((made, node.clone()));
                return Ok(());
            }
        };
        self.directories.insert(node.path.clone(), number);
        if self.wishes.preserve {
            self.late.push((number, node.clone()));
        } else {
            self.set_wishes(number, node)?;
        }
        Ok(())
    }

    fn put_file(
        &mut self,
        node: &Node,
        place: (InodeNo, &[u8]),
        present: Option<Inode>,
        content: &mut dyn Content,
    ) -> Result<InodeNo, CommandError> {
        let (number, is_new) = match present {
            Some(inode) if inode.kind == FileKind::Regular => (inode.number, false),
            _ => {
                self.clear(node, place, present)?;
                let new = self.new_node(node);
                let made = self.fs.create_file(place.0, place.1, new);
                (made.map_err(self.failed(node))?, true)
            }
        };
        self.fill(node, number, content)?;
        if self.wishes.preserve {
            self.set_kept(number, node, is_new)?;
        } else if !is_new {
            self.set_wishes(number, node)?;
        }
        Ok(number)
    }

    /// Makes `content` that of the file `number`, holes as holes.
    fn fill(&mut self, node: &Node, number: InodeNo, content: &mut dyn Content) -> Result<(), CommandError> {
        let ranges = content.ranges()?;
        let len_bytes = node.len_bytes;
        if let [range] = ranges.as_slice()
            && *range == (0..len_bytes)
        {
            let mut reader = content.reader(range)?;
            let filled = self.fs.replace_content_from(number, &mut *reader, len_bytes);
            return filled.map_err(self.failed(node));
        }
        self.fs.truncate(number, 0).map_err(self.failed(node))?;
        self.fs.truncate(number, len_bytes).map_err(self.failed(node))?;
        for range in ranges {
            let len = range.end.min(len_bytes).saturating_sub(range.start);
            let mut reader = content.reader(&range)?.take(len);
            self.fs
                .write_from(number, range.start, len, &mut reader)
                .map_err(self.failed(node))?;
        }
        Ok(())
    }

    fn put_other(
        &mut self,
        node: &Node,
        place: (InodeNo, &[u8]),
        present: Option<Inode>,
    ) -> Result<InodeNo, CommandError> {
        self.clear(node, place, present)?;
        let new = self.new_node(node);
        let (major, minor) = node.device.unwrap_or_default();
        let special = match node.kind {
            FileKind::CharDevice => SpecialFile::CharDevice(major, minor),
            FileKind::BlockDevice => SpecialFile::BlockDevice(major, minor),
            FileKind::Socket => SpecialFile::Socket,
            _ => SpecialFile::Fifo,
        };
        let made = match node.kind {
            FileKind::Symlink => self.fs.symlink(place.0, place.1, &node.link, new),
            _ => self.fs.mknod(place.0, place.1, special, new),
        };
        let number = made.map_err(self.failed(node))?;
        if self.wishes.preserve {
            self.set_kept(number, node, true)?;
        }
        Ok(number)
    }

    /// Removes what is in the place of a new file; a directory there is in its way.
    fn clear(
        &mut self,
        node: &Node,
        place: (InodeNo, &[u8]),
        present: Option<Inode>,
    ) -> Result<(), CommandError> {
        match present {
            None => Ok(()),
            Some(inode) if inode.kind == FileKind::Directory => Err(self.in_the_way(node, inode.kind)),
            Some(_) => self.fs.unlink(place.0, place.1).map_err(self.failed(node)),
        }
    }

    /// Mode and owner of a new file.
    fn new_node(&self, node: &Node) -> NewNode {
        let kept = |id: u32| if self.wishes.preserve { id } else { 0 };
        let wanted = self.wishes.attributes;
        NewNode {
            mode: wanted.mode.unwrap_or(node.meta.mode),
            uid: wanted.uid.unwrap_or(kept(node.meta.uid)),
            gid: wanted.gid.unwrap_or(kept(node.meta.gid)),
        }
    }

    /// Gives a file that was there what the command line asks for.
    fn set_wishes(&mut self, number: InodeNo, node: &Node) -> Result<(), CommandError> {
        let Attributes { mode, uid, gid } = self.wishes.attributes;
        let old = self.fs.inode(number).map_err(self.failed(node))?;
        if let Some(mode) = mode {
            self.fs.set_mode(number, mode).map_err(self.failed(node))?;
        }
        if uid.is_some() || gid.is_some() {
            let (uid, gid) = (uid.unwrap_or(old.uid), gid.unwrap_or(old.gid));
            self.fs.set_owner(number, uid, gid).map_err(self.failed(node))?;
        }
        Ok(())
    }

    /// Gives a file everything that the original has, and the command line's wishes.
    fn set_kept(&mut self, number: InodeNo, node: &Node, is_new: bool) -> Result<(), CommandError> {
        let NewNode { mode, uid, gid } = self.new_node(node);
        if !is_new {
            self.fs.set_owner(number, uid, gid).map_err(self.failed(node))?;
            if node.kind != FileKind::Symlink {
                self.fs.set_mode(number, mode).map_err(self.failed(node))?;
            }
        }
        if !node.xattrs.is_empty() || !is_new {
            self.set_xattrs(number, node)?;
        }
        self.fs
            .set_times(number, node.atime, node.meta.mtime)
            .map_err(self.failed(node))
    }

    fn set_xattrs(&mut self, number: InodeNo, node: &Node) -> Result<(), CommandError> {
        let old = self.fs.xattrs(number).map_err(self.failed(node))?;
        for Xattr { name, .. } in old {
            if node.xattrs.iter().all(|new| new.name != name) {
                self.fs.remove_xattr(number, &name).map_err(self.failed(node))?;
            }
        }
        for Xattr { name, value } in &node.xattrs {
            self.fs
                .set_xattr(number, name, value)
                .map_err(self.failed(node))?;
        }
        Ok(())
    }
}

impl Sink for ImageSink<'_> {
    fn put(&mut self, node: &Node, content: &mut dyn Content) -> Result<(), CommandError> {
        let (directory, name) = self.place(node)?;
        let place = (directory, name.as_slice());
        let present = self.present(directory, &name, node)?;
        if node.kind == FileKind::Directory {
            return self.put_directory(node, place, present);
        }
        let twin = node
            .twin
            .and_then(|twin| self.twins.get(&twin))
            .copied()
            .filter(|_| self.wishes.preserve);
        if let Some(twin) = twin {
            if present.as_ref().is_some_and(|present| present.number == twin) {
                return Ok(());
            }
            self.clear(node, place, present)?;
            return self.fs.link(twin, place.0, place.1).map_err(self.failed(node));
        }
        let made = match node.kind {
            FileKind::Regular => self.put_file(node, place, present, content)?,
            _ => self.put_other(node, place, present)?,
        };
        if let Some(twin) = node.twin {
            self.twins.insert(twin, made);
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), CommandError> {
        if self.wishes.preserve {
            for (number, node) in std::mem::take(&mut self.late) {
                self.set_kept(number, &node, false)?;
            }
        }
        Ok(())
    }
}

/// The directory at `path`, made with those above it where they are missing; `wanted` is what it is for.
pub(in super::super) fn make_way(
    fs: &mut Fs,
    path: &GuestPath,
    wanted: &GuestPath,
) -> Result<InodeNo, CommandError> {
    let failed = |source| {
        CommandError::work(HostError::Edit {
            path: wanted.clone(),
            source,
        })
    };
    let found = fs.lookup(path, Follow::All).map_err(failed)?;
    if let Some(found) = found {
        let kind = fs.inode(found).map_err(failed)?.kind;
        if kind == FileKind::Directory {
            return Ok(found);
        }
        return Err(CommandError::work(HostError::InTheWay {
            path: wanted.clone(),
            place: path.clone(),
            kind,
        }));
    }
    let parent = path.parent().unwrap_or_else(GuestPath::root);
    let directory = make_way(fs, &parent, wanted)?;
    let new = NewNode {
        mode: DIRECTORY_MODE,
        uid: 0,
        gid: 0,
    };
    fs.mkdir(directory, path.file_name().unwrap_or_default(), new)
        .map_err(failed)
}
