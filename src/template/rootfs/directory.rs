//! A directory of this machine as a stream of nodes, sorted by name, no link followed.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use rustix::fs::{SeekFrom, lgetxattr, llistxattr, major, minor, seek};
use walkdir::{DirEntry, WalkDir};

use super::acl;
use super::archive::Sink as _;
use super::builder::Builder;
use super::content::{Attributes, Content, Kind, Node};
use super::error::RootfsError;
use crate::base::{PathError, Timestamp};
use crate::ext::SpecialFile;

/// The longest list of attributes' names, and the longest value, that the kernel gives.
const XATTR_MAX: usize = 65_536;

/// Gives `builder` everything in `top`.
pub(super) fn fill(builder: &mut Builder, top: &Path) -> Result<(), RootfsError> {
    let mut links: HashMap<(u64, u64), Vec<u8>> = HashMap::new();
    for entry in WalkDir::new(top).sort_by_file_name() {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(top).to_path_buf();
            PathError::on("read", path)(error.into())
        })?;
        let path = entry.path();
        let metadata = fs::symlink_metadata(path).map_err(PathError::on("read", path))?;
        let relative = path
            .strip_prefix(top)
            .unwrap_or(path)
            .as_os_str()
            .as_bytes()
            .to_vec();
        let identity = (metadata.dev(), metadata.ino());
        let first = links.get(&identity).filter(|_| !metadata.is_dir());
        let kind = match first {
            Some(first) => Kind::HardLink(first.clone()),
            None => kind(&entry, &metadata)?,
        };
        if metadata.nlink() > 1 && !metadata.is_dir() && first.is_none() {
            links.insert(identity, relative.clone());
        }
        put(
            builder,
            path,
            node(relative, kind, path, &metadata)?,
            metadata.len(),
        )?;
    }
    Ok(())
}

fn put(builder: &mut Builder, path: &Path, node: Node, len_bytes: u64) -> Result<(), RootfsError> {
    if node.kind != Kind::File {
        return builder.node(node, None);
    }
    let mut file = File::open(path).map_err(PathError::on("open", path))?;
    let pieces = pieces(&file, len_bytes).map_err(PathError::on("read", path))?;
    let mut data = Pieces {
        file: &mut file,
        pieces: pieces.clone().into_iter(),
        left: 0,
    };
    let content = Content {
        data: &mut data,
        pieces,
        len_bytes,
        start_bytes: 0,
    };
    builder.node(node, Some(content))
}

/// Where a file has data.
fn pieces(file: &File, len_bytes: u64) -> io::Result<Vec<(u64, u64)>> {
    let mut found = Vec::new();
    let mut place = 0;
    while place < len_bytes {
        let start = match seek(file, SeekFrom::Data(place)) {
            Ok(start) => start.min(len_bytes),
            Err(rustix::io::Errno::NXIO) => break,
            Err(errno) => return Err(errno.into()),
        };
        let end = seek(file, SeekFrom::Hole(start))?.min(len_bytes);
        if start >= end {
            break;
        }
        found.push((start, end - start));
        place = end;
    }
    Ok(found)
}

/// The data of a file, piece after piece.
struct Pieces<'a> {
    file: &'a mut File,
    pieces: std::vec::IntoIter<(u64, u64)>,
    left: u64,
}

impl io::Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            let Some((start, len)) = self.pieces.next() else {
                return Ok(0);
            };
            io::Seek::seek(self.file, io::SeekFrom::Start(start))?;
            self.left = len;
        }
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.file.read(&mut buffer[..wanted])?;
        self.left -= u64::try_from(read).unwrap_or_default();
        Ok(read)
    }
}

fn kind(entry: &DirEntry, metadata: &Metadata) -> Result<Kind, RootfsError> {
    let path = entry.path();
    let file_type = metadata.file_type();
    let device = (major(metadata.rdev()), minor(metadata.rdev()));
    Ok(if file_type.is_dir() {
        Kind::Directory
    } else if file_type.is_symlink() {
        let target = fs::read_link(path).map_err(PathError::on("read the link", path))?;
        Kind::Symlink(target.as_os_str().as_bytes().to_vec())
    } else if file_type.is_char_device() {
        Kind::Special(SpecialFile::CharDevice(device.0, device.1))
    } else if file_type.is_block_device() {
        Kind::Special(SpecialFile::BlockDevice(device.0, device.1))
    } else if file_type.is_fifo() {
        Kind::Special(SpecialFile::Fifo)
    } else if file_type.is_socket() {
        Kind::Special(SpecialFile::Socket)
    } else {
        Kind::File
    })
}

fn node(relative: Vec<u8>, kind: Kind, path: &Path, metadata: &Metadata) -> Result<Node, RootfsError> {
    let xattrs = match kind {
        Kind::HardLink(_) => Vec::new(),
        _ => xattrs(path).map_err(|errno| PathError::on("read the attributes of", path)(errno.into()))?,
    };
    Ok(Node {
        path: relative,
        kind,
        mode: u16::try_from(metadata.mode() & 0o7777).unwrap_or_default(),
        uid: metadata.uid(),
        gid: metadata.gid(),
        mtime: Timestamp {
            seconds: metadata.mtime(),
            nanoseconds: u32::try_from(metadata.mtime_nsec()).unwrap_or_default(),
        },
        xattrs,
    })
}

fn xattrs(path: &Path) -> Result<Attributes, rustix::io::Errno> {
    let mut names = vec![0; XATTR_MAX];
    let len = match llistxattr(path, &mut names[..]) {
        Ok(len) => len,
        Err(rustix::io::Errno::NOTSUP) => return Ok(Vec::new()),
        Err(errno) => return Err(errno),
    };
    let mut found = Vec::new();
    let mut value = vec![0; if len > 0 { XATTR_MAX } else { 0 }];
    for name in names[..len]
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
    {
        match lgetxattr(path, name, &mut value[..]) {
            Ok(len) => found.push((name.to_vec(), acl::on_disk(name, value[..len].to_vec()))),
            Err(rustix::io::Errno::NODATA) => {}
            Err(errno) => return Err(errno),
        }
    }
    found.sort();
    Ok(found)
}
