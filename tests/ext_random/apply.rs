//! Does each operation twice: to the engine and to the model.

use std::sync::Arc;

use mln_image::base::{FileKind, GuestPath, Timestamp};
use mln_image::block::Overlay;
use mln_image::ext::{ExtError, Follow, Fs, InodeNo, NewNode, SpecialFile};
use proptest::prelude::*;

use super::model::{Id, Model, Refused, Time, join};
use super::operation::{Name, Operation, Pick, content};
use crate::support::layouts::Layout;

/// What both sides say to a step.
type Outcome = Result<(), TestCaseError>;

/// The engine and the model, side by side.
pub(super) struct Subject {
    overlay: Arc<Overlay>,
    fs: Fs,
    model: Model,
    now: Time,
    can_grow: bool,
}

/// A file that was picked: its path, its parent and its name, and what it is.
struct Picked {
    path: Vec<u8>,
    id: Id,
    parent: (Vec<u8>, Id),
    name: Vec<u8>,
}

impl Subject {
    pub(super) fn new(overlay: Arc<Overlay>, model: Model, layout: &Layout) -> Self {
        let now = (1_750_000_000, 123_456_789);
        Self {
            fs: open(&overlay, now),
            overlay,
            model,
            now,
            can_grow: layout.can_grow(),
        }
    }

    pub(super) fn model(&self) -> &Model {
        &self.model
    }

    /// Commits and lets go of the engine.
    pub(super) fn finish(mut self) -> (Overlay, Model) {
        self.fs.commit().unwrap();
        drop(self.fs);
        (Arc::try_unwrap(self.overlay).unwrap(), self.model)
    }

    pub(super) fn apply(&mut self, step: usize, operation: &Operation) -> Outcome {
        match operation {
            Operation::Create {
                parent,
                name,
                len,
                mode,
            } => self.create(*parent, &name.bytes(), *mode, &content(step, *len)),
            Operation::Write { file, offset, len } => self.write(*file, Some(*offset), &content(step, *len)),
            Operation::Append { file, len } => self.write(*file, None, &content(step, *len)),
            Operation::Truncate { file, len } => self.truncate(*file, *len),
            Operation::Mkdir { parent, name, mode } => self.mkdir(*parent, *name, *mode),
            Operation::Crowd { parent, count } => self.crowd(*parent, step, *count),
            Operation::Thin { parent, stride } => self.thin(*parent, *stride),
            Operation::Symlink { parent, name, len } => self.symlink(*parent, *name, *len),
            Operation::Link { file, parent, name } => self.link(*file, *parent, *name),
            Operation::Rename { from, parent, name } => self.rename(*from, *parent, *name),
            Operation::Unlink { from } => self.unlink(*from),
            Operation::Rmdir { directory } => self.rmdir(*directory),
            Operation::Chmod { path, mode } => self.chmod(*path, *mode),
            Operation::Chown { path, uid, gid } => self.chown(*path, *uid, *gid),
            Operation::Utimes { path, mtime } => self.utimes(*path, *mtime),
            Operation::Mknod { parent, name, kind } => self.mknod(*parent, *name, *kind),
            Operation::Xattr { path, name, len } => {
                self.xattr(*path, *name, len.map(|len| content(step, len)))
            }
            Operation::Grow { .. } if !self.can_grow => Ok(()),
            Operation::Grow { more_bytes } => {
                let len_bytes = self.fs.superblock().len_bytes() + more_bytes;
                let blocks = len_bytes / u64::from(self.fs.block_size().bytes());
                agree(self.fs.resize(blocks).map(drop), Ok(()))
            }
            Operation::Shrink { percent } => {
                let minimum = self.fs.minimum_blocks().unwrap();
                let more = self.fs.usage().blocks.saturating_sub(minimum);
                let blocks = minimum + more * u64::from(*percent) / 100;
                agree(self.fs.resize(blocks).map(drop), Ok(()))
            }
            Operation::Reopen => {
                self.fs.commit().unwrap();
                self.now = (self.now.0 + 3600, (self.now.1 + 77) % 1_000_000_000);
                self.fs = open(&self.overlay, self.now);
                Ok(())
            }
        }
    }

    fn create(&mut self, parent: Pick, name: &[u8], mode: u16, bytes: &[u8]) -> Outcome {
        let (path, parent) = self.directory(parent);
        let directory = self.inode(&path);
        let made = self.fs.create_file(directory, name, node(mode));
        let modelled = self.model.create(parent, name, mode, self.now);
        if let (Ok(inode), Ok(id), false) = (&made, modelled, bytes.is_empty()) {
            self.fs.write_at(*inode, 0, bytes).unwrap();
            self.model.write(id, 0, bytes, self.now);
        }
        agree(made.map(drop), modelled.map(drop))
    }

    /// Writes at `offset`, or at the file's end.
    fn write(&mut self, file: Pick, offset: Option<usize>, bytes: &[u8]) -> Outcome {
        let Some(file) = self.file(file) else {
            return Ok(());
        };
        let inode = self.inode(&file.path);
        let result = match offset {
            Some(offset) => self.fs.write_at(inode, offset as u64, bytes),
            None => self.fs.append(inode, bytes),
        };
        let offset = offset.unwrap_or(self.model.bytes(file.id).len());
        self.model.write(file.id, offset, bytes, self.now);
        agree(result, Ok(()))
    }

    fn truncate(&mut self, file: Pick, len: usize) -> Outcome {
        let Some(file) = self.file(file) else {
            return Ok(());
        };
        let result = self.fs.truncate(self.inode(&file.path), len as u64);
        self.model.truncate(file.id, len, self.now);
        agree(result, Ok(()))
    }

    fn mkdir(&mut self, parent: Pick, name: Name, mode: u16) -> Outcome {
        let (path, parent) = self.directory(parent);
        let directory = self.inode(&path);
        let made = self.fs.mkdir(directory, &name.bytes(), node(mode));
        agree(
            made.map(drop),
            self.model.mkdir(parent, &name.bytes(), mode, self.now).map(drop),
        )
    }

    fn crowd(&mut self, parent: Pick, step: usize, count: usize) -> Outcome {
        let (path, parent) = self.directory(parent);
        let directory = self.inode(&path);
        // The smallest image has some 6000 inodes, and a sequence may have many crowds.
        for number in 0..count.min(4_500_usize.saturating_sub(self.model.len())) {
            let name = format!("one of {count} files made in step {step}: {number}");
            let made = self.fs.create_file(directory, name.as_bytes(), node(0o600));
            let modelled = self.model.create(parent, name.as_bytes(), 0o600, self.now);
            agree(made.map(drop), modelled.map(drop))?;
        }
        Ok(())
    }

    fn thin(&mut self, parent: Pick, stride: usize) -> Outcome {
        let (path, parent) = self.directory(parent);
        let directory = self.inode(&path);
        for name in self.model.names(parent).into_iter().step_by(stride) {
            let result = self.fs.unlink(directory, &name);
            agree(result, self.model.unlink(parent, &name, self.now))?;
        }
        Ok(())
    }

    fn symlink(&mut self, parent: Pick, name: Name, len: usize) -> Outcome {
        let (path, parent) = self.directory(parent);
        let directory = self.inode(&path);
        let target = "../target/".chars().cycle().take(len).collect::<String>();
        let made = self
            .fs
            .symlink(directory, &name.bytes(), target.as_bytes(), node(0));
        agree(
            made.map(drop),
            self.model
                .symlink(parent, &name.bytes(), target, self.now)
                .map(drop),
        )
    }

    fn link(&mut self, file: Pick, parent: Pick, name: Name) -> Outcome {
        let Some(file) = self.anything(file) else {
            return Ok(());
        };
        let (path, parent) = self.directory(parent);
        let (inode, directory) = (self.inode(&file.path), self.inode(&path));
        let result = self.fs.link(inode, directory, &name.bytes());
        agree(result, self.model.link(file.id, parent, &name.bytes(), self.now))
    }

    fn rename(&mut self, from: Pick, parent: Pick, name: Name) -> Outcome {
        let Some(from) = self.anything(from) else {
            return Ok(());
        };
        let (path, parent) = self.directory(parent);
        let old = (self.inode(&from.parent.0), from.name.as_slice());
        let name = name.bytes();
        let result = self.fs.rename(old, (self.inode(&path), &name));
        let old = (from.parent.1, from.name.as_slice());
        agree(result, self.model.rename(old, (parent, &name), self.now))
    }

    fn unlink(&mut self, from: Pick) -> Outcome {
        let Some(from) = self.anything(from) else {
            return Ok(());
        };
        let directory = self.inode(&from.parent.0);
        let result = self.fs.unlink(directory, &from.name);
        agree(result, self.model.unlink(from.parent.1, &from.name, self.now))
    }

    fn rmdir(&mut self, directory: Pick) -> Outcome {
        let Some(from) = self.anything(directory) else {
            return Ok(());
        };
        let directory = self.inode(&from.parent.0);
        let result = self.fs.rmdir(directory, &from.name);
        agree(result, self.model.rmdir(from.parent.1, &from.name, self.now))
    }

    fn chmod(&mut self, path: Pick, mode: u16) -> Outcome {
        let Some(file) = self.anything(path) else {
            return Ok(());
        };
        self.model.chmod(file.id, mode, self.now);
        agree(self.fs.set_mode(self.inode(&file.path), mode), Ok(()))
    }

    fn chown(&mut self, path: Pick, uid: u32, gid: u32) -> Outcome {
        let Some(file) = self.anything(path) else {
            return Ok(());
        };
        self.model.chown(file.id, uid, gid, self.now);
        agree(self.fs.set_owner(self.inode(&file.path), uid, gid), Ok(()))
    }

    fn utimes(&mut self, path: Pick, mtime: Time) -> Outcome {
        let Some(file) = self.anything(path) else {
            return Ok(());
        };
        self.model.set_mtime(file.id, mtime, self.now);
        let time = timestamp(mtime);
        agree(self.fs.set_times(self.inode(&file.path), time, time), Ok(()))
    }

    fn mknod(&mut self, parent: Pick, name: Name, kind: u8) -> Outcome {
        let (path, parent) = self.directory(parent);
        let directory = self.inode(&path);
        let (special, kind, numbers) = match kind {
            0 => (SpecialFile::CharDevice(1, 3), FileKind::CharDevice, "1:3"),
            1 => (
                SpecialFile::BlockDevice(259, 70_000),
                FileKind::BlockDevice,
                "259:70000",
            ),
            2 => (SpecialFile::Fifo, FileKind::Fifo, ""),
            _ => (SpecialFile::Socket, FileKind::Socket, ""),
        };
        let made = self.fs.mknod(directory, &name.bytes(), special, node(0o640));
        let modelled = self
            .model
            .mknod(parent, &name.bytes(), kind, numbers.to_owned(), self.now);
        agree(made.map(drop), modelled.map(drop))
    }

    /// Sets or removes an attribute of a file or directory; whether there is room for it only the engine knows.
    fn xattr(&mut self, path: Pick, name: u8, value: Option<Vec<u8>>) -> Outcome {
        let names = [
            "user.one",
            "user.second name",
            "trusted.three",
            "security.four",
            "user.5",
        ];
        let name = names[usize::from(name)];
        let Some(file) = self.anything(path) else {
            return Ok(());
        };
        if !matches!(self.model.kind(file.id), FileKind::Regular | FileKind::Directory) {
            return Ok(());
        }
        let inode = self.inode(&file.path);
        let result = match &value {
            Some(value) => self.fs.set_xattr(inode, name.as_bytes(), value),
            None => self.fs.remove_xattr(inode, name.as_bytes()),
        };
        if matches!(result, Err(ExtError::NoXattrRoom { .. })) && value.is_some() {
            return Ok(());
        }
        agree(result, Ok(()))?;
        self.model.set_xattr(file.id, name, value, self.now);
        Ok(())
    }

    fn directory(&self, pick: Pick) -> (Vec<u8>, Id) {
        pick.of(&self.model.paths_of(FileKind::Directory)).unwrap()
    }

    fn file(&self, pick: Pick) -> Option<Picked> {
        pick.of(&self.model.paths_of(FileKind::Regular))
            .map(|file| self.picked(file))
    }

    /// A file of any kind but the root and `lost+found`.
    fn anything(&self, pick: Pick) -> Option<Picked> {
        let mut paths = self.model.paths();
        paths.retain(|(path, _)| path != b"/" && path != b"/lost+found");
        pick.of(&paths).map(|file| self.picked(file))
    }

    fn picked(&self, (path, id): (Vec<u8>, Id)) -> Picked {
        let slash = path.iter().rposition(|byte| *byte == b'/').unwrap();
        let (parent, name) = (&path[..slash.max(1)], path[slash + 1..].to_vec());
        let directories = self.model.paths_of(FileKind::Directory);
        let parent = directories
            .into_iter()
            .find(|(place, _)| place == parent)
            .unwrap();
        assert_eq!(join(&parent.0, &name), path);
        Picked {
            path,
            id,
            parent,
            name,
        }
    }

    /// The engine's inode at `path`.
    fn inode(&self, path: &[u8]) -> InodeNo {
        let path = GuestPath::new(path).unwrap();
        self.fs.lookup(&path, Follow::NotLast).unwrap().unwrap()
    }
}

/// Both sides do it, or both refuse; the engine never takes what it wrote itself for damaged.
fn agree(engine: Result<(), ExtError>, model: Result<(), Refused>) -> Outcome {
    match (engine, model) {
        (Ok(()), Ok(())) => Ok(()),
        (Err(error), Err(Refused)) if !matches!(error, ExtError::Corrupt { .. } | ExtError::Device(_)) => {
            Ok(())
        }
        (engine, model) => Err(TestCaseError::fail(format!(
            "the engine says {engine:?}, the model {model:?}"
        ))),
    }
}

fn open(overlay: &Arc<Overlay>, now: Time) -> Fs {
    Fs::open_for_edit(Arc::clone(overlay) as _, timestamp(now)).unwrap()
}

fn node(mode: u16) -> NewNode {
    NewNode { mode, uid: 0, gid: 0 }
}

fn timestamp((seconds, nanoseconds): Time) -> Timestamp {
    Timestamp { seconds, nanoseconds }
}
