//! The EFI system partition: a FAT file system in which files are read, written and removed.
//!
//! The crate `fatfs` does the work. Two things of it are mended here: it begins a new directory with long names for `.` and
//! `..`, which no reader takes, and it trusts what the file system says of itself. Every time is the first that FAT can
//! express, so that the same files give the same bytes. Format: UEFI specification 2.10, section 13.3
//! (<https://uefi.org/specs/UEFI/2.10/13_Protocols_Media_Access.html#file-system-format>) and Microsoft's FAT32 File
//! System Specification, version 1.03.

mod error;
mod shape;
mod stream;

use std::io::{self, Read};

use fatfs::{FileSystem, FsOptions};

use self::shape::Shape;
use self::stream::{Stream, Watch};
use crate::base::GuestPath;
use crate::block::BlockDevice;

pub use error::EspError;

/// How deep directories may lie in each other.
const DEPTH_MAX: usize = 64;

/// The length of a slot of a directory in bytes.
const SLOT_BYTES: usize = 32;

/// Where a slot has the two halves of the number of its first cluster.
const CLUSTER_HIGH_AT: usize = 20;
const CLUSTER_LOW_AT: usize = 26;

type Directory<'b, 'a> = fatfs::Dir<'b, Stream<'a>>;

/// An EFI system partition's file system.
pub struct Esp<'a> {
    device: &'a dyn BlockDevice,
    fs: FileSystem<Stream<'a>>,
    watch: Watch,
    shape: Shape,
}

/// What a path of the file system is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EspNode {
    /// A directory.
    Directory,
    /// A file with its length in bytes.
    File(u64),
}

impl std::fmt::Debug for Esp<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Esp")
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}

impl<'a> Esp<'a> {
    /// Opens the file system that fills `device`.
    pub fn open(device: &'a dyn BlockDevice) -> Result<Self, EspError> {
        let shape = Shape::read(device)?;
        let watch = Watch::new(device.len_bytes());
        let fs = FileSystem::new(Stream::new(device, watch.clone()), FsOptions::new());
        Ok(Self {
            device,
            fs: fs.map_err(|source| EspError::Open { source })?,
            watch,
            shape,
        })
    }

    /// What Linux calls its UUID: `1234-ABCD`.
    pub fn uuid(&self) -> String {
        let id = self.shape.volume_id;
        format!("{:04X}-{:04X}", id >> 16, id & 0xFFFF)
    }

    /// What is at `path`.
    pub fn node(&self, path: &GuestPath) -> Result<Option<EspNode>, EspError> {
        let names = names(path)?;
        self.run(path, || self.look(&names))
    }

    /// The names in the directory at `path`, sorted.
    pub fn list(&self, path: &GuestPath) -> Result<Vec<String>, EspError> {
        let names = names(path)?;
        let mut found = self.run(path, || {
            let directory = self.directory(&names)?;
            let entries = directory.iter().map(|entry| Ok(entry?.file_name()));
            let names: io::Result<Vec<String>> = entries.collect();
            names
        })?;
        found.retain(|name| name != "." && name != "..");
        found.sort();
        Ok(found)
    }

    /// The content of the file at `path`, which may have `limit_bytes`.
    pub fn read(&self, path: &GuestPath, limit_bytes: u64) -> Result<Vec<u8>, EspError> {
        let names = names(path)?;
        self.run(path, || {
            let file = self.fs.root_dir().open_file(&names.join("/"))?;
            let mut content = Vec::new();
            file.take(limit_bytes.saturating_add(1))
                .read_to_end(&mut content)?;
            if u64::try_from(content.len()).is_ok_and(|len| len > limit_bytes) {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            Ok(content)
        })
    }

    /// Makes `path` a file of what `content` yields; directories that are missing on the way are made.
    pub fn put_file(&self, path: &GuestPath, content: &mut dyn Read) -> Result<(), EspError> {
        let names = names(path)?;
        let (name, way) = split(path, &names)?;
        let parent = self.make_way(path, way)?;
        if self.node(path)? == Some(EspNode::Directory) {
            return Err(EspError::InTheWay {
                path: path.clone(),
                what: "directory",
            });
        }
        self.run(path, || {
            let mut file = parent.create_file(name)?;
            file.truncate()?;
            let mut piece = vec![0; 1 << 16];
            loop {
                let len = content.read(&mut piece)?;
                let Some(part) = piece.get(..len).filter(|part| !part.is_empty()) else {
                    break;
                };
                self.watch.go_on();
                io::Write::write_all(&mut file, part)?;
            }
            io::Write::flush(&mut file)
        })
    }

    /// Makes `path` a directory, and those that are missing on the way.
    pub fn put_directory(&self, path: &GuestPath) -> Result<(), EspError> {
        let names = names(path)?;
        self.make_way(path, &names).map(drop)
    }

    /// Removes `path`, a directory with all that is in it.
    pub fn remove(&self, path: &GuestPath) -> Result<(), EspError> {
        let names = names(path)?;
        let (name, way) = split(path, &names)?;
        if self.node(path)?.is_none() {
            return Ok(());
        }
        self.run(path, || remove(&self.directory(way)?, name, DEPTH_MAX))
    }

    /// Puts down what is left to be written.
    pub fn close(self) -> Result<(), EspError> {
        self.watch.go_on();
        self.fs.unmount().map_err(|source| EspError::Open { source })
    }

    fn look(&self, names: &[String]) -> io::Result<Option<EspNode>> {
        let mut directory = self.fs.root_dir();
        let mut found = EspNode::Directory;
        for name in names {
            if found != EspNode::Directory {
                return Ok(None);
            }
            let Some(entry) = find(&directory, name)? else {
                return Ok(None);
            };
            if entry.is_dir() {
                directory = entry.to_dir();
            } else {
                found = EspNode::File(entry.len());
            }
        }
        Ok(Some(found))
    }

    fn directory(&self, names: &[String]) -> io::Result<Directory<'_, 'a>> {
        match names {
            [] => Ok(self.fs.root_dir()),
            names => self.fs.root_dir().open_dir(&names.join("/")),
        }
    }

    /// The directory that `names` lead to, made if it is not there, for the sake of `path`.
    fn make_way(&self, path: &GuestPath, names: &[String]) -> Result<Directory<'_, 'a>, EspError> {
        for len in 1..=names.len() {
            let (Some(way), Some([parents @ .., name])) = (names.get(..len), names.get(..len)) else {
                continue;
            };
            match self.run(path, || self.look(way))? {
                Some(EspNode::Directory) => {}
                Some(EspNode::File(_)) => {
                    return Err(EspError::InTheWay {
                        path: path.clone(),
                        what: "file",
                    });
                }
                None => self.run(path, || self.make_directory(parents, name))?,
            }
        }
        self.run(path, || self.directory(names))
    }

    /// Makes a directory and gives it the two first slots that every reader expects: `fatfs` gives each of them a long
    /// name, and lets `..` name the root's cluster, where FAT wants none.
    fn make_directory(&self, parents: &[String], name: &str) -> io::Result<()> {
        let parent = self.directory(parents)?;
        self.watch.begin();
        let made = parent.create_dir(name).map(drop);
        let (dot, dot_dot) = self.watch.end();
        made?;
        let slot = u64::try_from(SLOT_BYTES).map_err(io::Error::other)?;
        let start = dot.and_then(|place| place.checked_sub(slot));
        let next = dot.and_then(|place| place.checked_add(slot.saturating_mul(2)));
        let Some(start) = start.filter(|_| dot_dot.is_some() && dot_dot == next) else {
            return Err(io::Error::other("the new directory has not begun as expected"));
        };
        let mut slots = [[0; SLOT_BYTES]; 4];
        self.device
            .read_at(start, slots.as_flattened_mut())
            .map_err(io::Error::other)?;
        let [_, dot, _, mut dot_dot] = slots;
        if parents.is_empty() {
            for at in [CLUSTER_HIGH_AT, CLUSTER_LOW_AT] {
                if let Some(half) = dot_dot.get_mut(at..at.saturating_add(2)) {
                    half.fill(0);
                }
            }
        }
        let slots = [dot, dot_dot, [0; SLOT_BYTES], [0; SLOT_BYTES]];
        self.device
            .write_at(start, slots.as_flattened())
            .map_err(io::Error::other)
    }

    /// Does one thing for the sake of `path`, in as many steps as a sound file system takes at most.
    fn run<T>(&self, path: &GuestPath, step: impl FnOnce() -> io::Result<T>) -> Result<T, EspError> {
        self.watch.go_on();
        step().map_err(|source| EspError::Path {
            path: path.clone(),
            source,
        })
    }
}

/// The entry of `directory` with that name, whose case does not matter.
fn find<'b, 'a>(
    directory: &Directory<'b, 'a>,
    name: &str,
) -> io::Result<Option<fatfs::DirEntry<'b, Stream<'a>>>> {
    let wanted = name.to_uppercase();
    for entry in directory.iter() {
        let entry = entry?;
        if entry.file_name().to_uppercase() == wanted || entry.short_file_name().eq_ignore_ascii_case(name) {
            return Ok(Some(entry));
        }
    }
    Ok(None)
}

/// Removes what is called `name`, with all that is in it.
fn remove(directory: &Directory<'_, '_>, name: &str, depth: usize) -> io::Result<()> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(io::Error::other("directories lie too deep in each other"));
    };
    let Some(entry) = find(directory, name)? else {
        return Ok(());
    };
    if entry.is_dir() {
        let inner = entry.to_dir();
        let names: io::Result<Vec<String>> = inner.iter().map(|entry| Ok(entry?.file_name())).collect();
        for name in names?.iter().filter(|name| *name != "." && *name != "..") {
            remove(&inner, name, depth)?;
        }
    }
    directory.remove(name)
}

/// The components of `path`, as FAT can have them.
fn names(path: &GuestPath) -> Result<Vec<String>, EspError> {
    path.components()
        .map(|name| String::from_utf8(name.to_vec()))
        .collect::<Result<Vec<String>, _>>()
        .map_err(|_| EspError::NotUnicode { path: path.clone() })
}

/// The last of the components of `path`, and those before it.
fn split<'n>(path: &GuestPath, names: &'n [String]) -> Result<(&'n str, &'n [String]), EspError> {
    let (name, way) = names.split_last().ok_or_else(|| EspError::InTheWay {
        path: path.clone(),
        what: "directory",
    })?;
    Ok((name, way))
}
