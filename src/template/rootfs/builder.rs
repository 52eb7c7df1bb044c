//! Nodes become files of a new file system, which grows as it fills.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::archive::Sink;
use super::content::{Content, Kind, Node};
use super::error::RootfsError;
use super::place::{place, shown};
use crate::base::{ByteSize, FileKind, GuestPath, Timestamp};
use crate::block::BlockDevice;
use crate::ext::{ExtError, ExtKind, Follow, FormatOptions, Fs, InodeNo, NewNode, format};

/// The length that a file system begins with.
const FIRST_BYTES: u64 = 64 << 20;
/// The length of a block.
pub(super) const BLOCK_BYTES: u64 = 4096;
const BYTES_PER_INODE: u32 = 8192;
/// 16 MiB, and for file systems of 1 GiB and more 64 MiB.
const JOURNAL_BLOCKS: [u32; 2] = [4096, 16_384];
/// A finished file system that may be of any length has at least this much room, and a tenth of what is used.
const HEADROOM_BYTES: u64 = 32 << 20;
const RESERVED_PERCENT: u8 = 5;

/// The file system to make.
#[derive(Debug, Clone)]
pub(in crate::template) struct Target {
    pub(in crate::template) kind: ExtKind,
    /// Its length; `None` for what fits and some room.
    pub(in crate::template) size: Option<ByteSize>,
    pub(in crate::template) uuid: [u8; 16],
    pub(in crate::template) hash_seed: [u8; 16],
}

/// A file system that is being filled.
#[derive(Debug)]
pub(in crate::template) struct Builder {
    pub(super) fs: Fs,
    /// Its length where that was asked for.
    pub(super) size: Option<ByteSize>,
    /// Directories that were looked up, by their paths.
    known: HashMap<GuestPath, InodeNo>,
    /// The times of directories, which every new entry would change.
    times: BTreeMap<InodeNo, Timestamp>,
    newest: Timestamp,
    /// What came with the present layer.
    pub(super) layer: HashSet<GuestPath>,
    pub(super) buffer: Vec<u8>,
}

impl Builder {
    /// Makes an empty file system on `device`, whose content is gone.
    pub(in crate::template) fn new(
        device: Arc<dyn BlockDevice>,
        target: &Target,
    ) -> Result<Self, RootfsError> {
        let len_bytes = target
            .size
            .map_or(FIRST_BYTES, |size| size.0 / BLOCK_BYTES * BLOCK_BYTES);
        let failed = |error: crate::block::DeviceError| RootfsError::Finish(error.into());
        device.set_len_bytes(0).map_err(failed)?;
        device.set_len_bytes(len_bytes).map_err(failed)?;
        let [small, large] = JOURNAL_BLOCKS;
        let is_large = target.size.is_some_and(|size| size.0 >= 1 << 30);
        let now = Timestamp::default();
        let options = FormatOptions {
            kind: target.kind,
            block_size: 4096,
            inode_len_bytes: 256,
            bytes_per_inode: BYTES_PER_INODE,
            uuid: target.uuid,
            hash_seed: target.hash_seed,
            label: String::new(),
            now,
            reserved_percent: RESERVED_PERCENT,
            journal_blocks: if is_large { large } else { small },
        };
        format(&device, &options)?;
        Ok(Self {
            fs: Fs::open_for_edit(device, now).map_err(RootfsError::Finish)?,
            size: target.size,
            known: HashMap::new(),
            times: BTreeMap::new(),
            newest: now,
            layer: HashSet::new(),
            buffer: Vec::new(),
        })
    }

    /// Writes what is in memory, gives the file system its final length, and proves it.
    pub(in crate::template) fn finish(mut self) -> Result<Fs, RootfsError> {
        let used = self.fs.usage();
        let used_bytes = used
            .blocks
            .saturating_sub(used.free_blocks)
            .saturating_mul(BLOCK_BYTES);
        if self.size.is_none() {
            self.make_room((used_bytes / 10).max(HEADROOM_BYTES), &GuestPath::root())?;
        }
        self.settle_directories().map_err(RootfsError::Finish)?;
        self.fs.settle(self.newest).map_err(RootfsError::Finish)?;
        self.fs.commit().map_err(RootfsError::Finish)?;
        let findings = self.fs.check().map_err(RootfsError::Finish)?;
        match findings.first() {
            None => Ok(self.fs),
            Some(finding) => Err(RootfsError::Unsound(finding.to_string())),
        }
    }

    /// Gives directories the times that they had in the tree.
    fn settle_directories(&mut self) -> Result<(), ExtError> {
        let lost_found = self.fs.find_entry(InodeNo::ROOT, b"lost+found")?;
        for own in lost_found.into_iter().chain([InodeNo::ROOT]) {
            self.times.entry(own).or_insert(self.newest);
        }
        for (inode, time) in std::mem::take(&mut self.times) {
            // One that was removed may have left its number to something else.
            match self.fs.inode(inode) {
                Ok(found) if found.kind == FileKind::Directory => self.fs.set_all_times(inode, time)?,
                Ok(_) | Err(ExtError::NotInUse { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Puts `node` at its place; what is there already goes, but for a directory under a directory.
    fn put(
        &mut self,
        path: &GuestPath,
        node: &Node,
        content: Option<Content<'_>>,
    ) -> Result<(), RootfsError> {
        self.newest = self.newest.max(node.mtime);
        self.make_room(0, path)?;
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return match node.kind {
                Kind::Directory => self.settle(path, InodeNo::ROOT, node, false),
                _ => Err(not_a_directory(path, path)),
            };
        };
        let parent = self.directory(&parent, path, node.mtime)?;
        let present = self.fs.find_entry(parent, name).map_err(failed(path))?;
        if let (Kind::Directory, Some(inode)) = (&node.kind, present)
            && self.kind(inode, path)? == FileKind::Directory
        {
            return self.settle(path, inode, node, false);
        }
        if let Kind::HardLink(target) = &node.kind {
            return self.put_hard_link(path, target, (parent, name), present);
        }
        if present.is_some() {
            self.remove_entry(path, parent, name)?;
        }
        let new = NewNode {
            mode: node.mode,
            uid: node.uid,
            gid: node.gid,
        };
        let fs = &mut self.fs;
        let inode = match &node.kind {
            Kind::Directory => fs.mkdir(parent, name, new),
            Kind::File => fs.create_file(parent, name, new),
            Kind::Symlink(target) => fs.symlink(parent, name, target, new),
            Kind::Special(special) => fs.mknod(parent, name, *special, new),
            Kind::HardLink(_) => return Ok(()),
        };
        let inode = inode.map_err(failed(path))?;
        if let Some(content) = content {
            self.write(path, inode, content)?;
        }
        self.settle(path, inode, node, true)
    }

    fn put_hard_link(
        &mut self,
        path: &GuestPath,
        target: &[u8],
        (parent, name): (InodeNo, &[u8]),
        present: Option<InodeNo>,
    ) -> Result<(), RootfsError> {
        let nothing = || RootfsError::LinkToNothing {
            path: path.to_string(),
            target: shown(target),
        };
        let found = self
            .fs
            .lookup(&place(target)?, Follow::NotLast)
            .map_err(failed(path))?;
        let inode = found.ok_or_else(nothing)?;
        if present == Some(inode) {
            return Ok(());
        }
        if present.is_some() {
            self.remove_entry(path, parent, name)?;
        }
        // What was removed may have been the target, or on the way to it.
        let found = self
            .fs
            .lookup(&place(target)?, Follow::NotLast)
            .map_err(failed(path))?;
        if found != Some(inode) {
            return Err(nothing());
        }
        let time = self.fs.inode(inode).map_err(failed(path))?.mtime;
        self.fs.link(inode, parent, name).map_err(failed(path))?;
        self.fs.set_all_times(inode, time).map_err(failed(path))
    }

    /// Gives `inode` the attributes of `node`; those of a new one are right but for time and extended attributes.
    fn settle(
        &mut self,
        path: &GuestPath,
        inode: InodeNo,
        node: &Node,
        is_new: bool,
    ) -> Result<(), RootfsError> {
        let fs = &mut self.fs;
        if !is_new {
            fs.set_mode(inode, node.mode).map_err(failed(path))?;
            fs.set_owner(inode, node.uid, node.gid).map_err(failed(path))?;
            for old in fs.xattrs(inode).map_err(failed(path))? {
                fs.remove_xattr(inode, &old.name).map_err(failed(path))?;
            }
        }
        for (name, value) in &node.xattrs {
            fs.set_xattr(inode, name, value).map_err(failed(path))?;
        }
        if node.kind == Kind::Directory {
            self.known.insert(path.clone(), inode);
            self.times.insert(inode, node.mtime);
            return Ok(());
        }
        fs.set_all_times(inode, node.mtime).map_err(failed(path))
    }

    /// The directory at `path`, made where it is missing; links on the way are followed inside the tree.
    fn directory(
        &mut self,
        path: &GuestPath,
        below: &GuestPath,
        time: Timestamp,
    ) -> Result<InodeNo, RootfsError> {
        if let Some(found) = self.known.get(path) {
            return Ok(*found);
        }
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Ok(InodeNo::ROOT);
        };
        let parent = self.directory(&parent, below, time)?;
        let inode = match self.fs.find_entry(parent, name).map_err(failed(below))? {
            None => {
                self.make_room(0, below)?;
                let new = NewNode {
                    mode: 0o755,
                    uid: 0,
                    gid: 0,
                };
                let inode = self.fs.mkdir(parent, name, new).map_err(failed(path))?;
                self.times.insert(inode, time);
                inode
            }
            Some(inode) => self
                .led_to(inode, path)?
                .ok_or_else(|| not_a_directory(below, path))?,
        };
        self.known.insert(path.clone(), inode);
        Ok(inode)
    }

    /// The directory that `inode` at `path` is or, as a link, leads to.
    fn led_to(&self, inode: InodeNo, path: &GuestPath) -> Result<Option<InodeNo>, RootfsError> {
        let inode = match self.kind(inode, path)? {
            FileKind::Symlink => match self.fs.lookup(path, Follow::All).map_err(failed(path))? {
                Some(inode) => inode,
                None => return Ok(None),
            },
            _ => inode,
        };
        Ok((self.kind(inode, path)? == FileKind::Directory).then_some(inode))
    }

    /// The directory at `path`, if there is one.
    pub(super) fn existing_directory(&self, path: &GuestPath) -> Result<Option<InodeNo>, RootfsError> {
        match self.fs.lookup(path, Follow::All).map_err(failed(path))? {
            Some(inode) if self.kind(inode, path)? == FileKind::Directory => Ok(Some(inode)),
            _ => Ok(None),
        }
    }

    pub(super) fn remove_entry(
        &mut self,
        path: &GuestPath,
        directory: InodeNo,
        name: &[u8],
    ) -> Result<(), RootfsError> {
        // Any path may have led there.
        self.known.clear();
        match self.fs.remove_tree(directory, name) {
            Ok(()) | Err(ExtError::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed(path)(error)),
        }
    }

    fn kind(&self, inode: InodeNo, path: &GuestPath) -> Result<FileKind, RootfsError> {
        Ok(self.fs.inode(inode).map_err(failed(path))?.kind)
    }
}

impl Sink for Builder {
    fn node(&mut self, node: Node, content: Option<Content<'_>>) -> Result<(), RootfsError> {
        let path = place(&node.path)?;
        self.put(&path, &node, content)?;
        self.layer.insert(path);
        Ok(())
    }
}

/// Names the entry of a failed step.
pub(super) fn failed(path: &GuestPath) -> impl FnOnce(ExtError) -> RootfsError {
    let path = path.to_string();
    move |source| RootfsError::Entry { path, source }
}

fn not_a_directory(path: &GuestPath, parent: &GuestPath) -> RootfsError {
    RootfsError::NotADirectory {
        path: path.to_string(),
        parent: parent.to_string(),
    }
}
