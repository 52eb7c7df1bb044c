//! A file or tree of this machine, to be copied from.

use std::fs::{self, File, Metadata};
use std::io::{Read, Seek as _, SeekFrom};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{lgetxattr, llistxattr, major, minor};
use rustix::io::Errno;

use super::super::super::super::error::CommandError;
use super::acl;
use super::node::{Content, Node, Source};
use crate::base::{FileKind, FileMeta, PathError, Timestamp};
use crate::ext::Xattr;

/// The longest list of names, and the longest value, that Linux has.
const XATTR_BYTES: usize = 1 << 16;

/// A tree of this machine.
#[derive(Debug)]
pub(in super::super) struct HostSource {
    top: PathBuf,
    keeps_xattrs: bool,
    buffer: Vec<u8>,
}

impl HostSource {
    /// What lies at `top`, its own links followed, with extended attributes if they are wanted.
    pub(in super::super) fn new(top: &Path, keeps_xattrs: bool) -> Self {
        Self {
            top: top.to_path_buf(),
            keeps_xattrs,
            buffer: vec![0; XATTR_BYTES],
        }
    }

    fn node(&mut self, path: &Path, metadata: &Metadata) -> Result<Node, CommandError> {
        let mode = u16::try_from(metadata.mode() & 0o177_777).unwrap_or_default();
        let kind = FileKind::from_mode(mode).ok_or_else(|| {
            CommandError::work(format!(
                "`{}` is of a kind that ext does not have",
                path.display()
            ))
        })?;
        let link = match kind {
            FileKind::Symlink => {
                let target = fs::read_link(path).map_err(PathError::on("read the link", path))?;
                target.as_os_str().as_bytes().to_vec()
            }
            _ => Vec::new(),
        };
        let below = path.strip_prefix(&self.top).unwrap_or(Path::new(""));
        Ok(Node {
            path: below.as_os_str().as_bytes().to_vec(),
            kind,
            meta: FileMeta {
                mode: mode & 0o7777,
                uid: metadata.uid(),
                gid: metadata.gid(),
                mtime: time(metadata.mtime(), metadata.mtime_nsec()),
            },
            atime: time(metadata.atime(), metadata.atime_nsec()),
            link,
            device: matches!(kind, FileKind::CharDevice | FileKind::BlockDevice)
                .then(|| (major(metadata.rdev()), minor(metadata.rdev()))),
            len_bytes: metadata.len(),
            twin: (metadata.nlink() > 1 && kind != FileKind::Directory)
                .then(|| (metadata.dev(), metadata.ino())),
            xattrs: if self.keeps_xattrs {
                self.xattrs(path)?
            } else {
                Vec::new()
            },
        })
    }

    /// The extended attributes of `path`, itself a link perhaps.
    fn xattrs(&mut self, path: &Path) -> Result<Vec<Xattr>, CommandError> {
        let failed = || PathError::on("read the attributes of", path);
        let len = match llistxattr(path, &mut self.buffer[..]) {
            Ok(len) => len,
            Err(Errno::OPNOTSUPP) => 0,
            Err(errno) => return Err(failed()(errno.into()).into()),
        };
        let names: Vec<Vec<u8>> = self.buffer[..len]
            .split(|byte| *byte == 0)
            .filter(|name| !name.is_empty())
            .map(<[u8]>::to_vec)
            .collect();
        let mut found = Vec::new();
        for name in names {
            let len = match lgetxattr(path, name.as_slice(), &mut self.buffer[..]) {
                Ok(len) => len,
                // It went away, or is one that only the kernel's own file systems know.
                Err(Errno::NODATA | Errno::OPNOTSUPP) => continue,
                Err(errno) => return Err(failed()(errno.into()).into()),
            };
            let value = &self.buffer[..len];
            let value = if acl::is_acl(&name) {
                acl::to_disk(value)
            } else {
                Some(value.to_vec())
            };
            found.extend(value.map(|value| Xattr { name, value }));
        }
        Ok(found)
    }
}

impl Source for HostSource {
    fn top(&mut self) -> Result<Node, CommandError> {
        let top = self.top.clone();
        let metadata = fs::metadata(&top).map_err(PathError::on("read", &top))?;
        self.node(&top, &metadata)
    }

    fn walk(
        &mut self,
        visit: &mut dyn FnMut(&Node, &mut dyn Content) -> Result<(), CommandError>,
    ) -> Result<(), CommandError> {
        let walk = walkdir::WalkDir::new(&self.top)
            .follow_root_links(true)
            .sort_by_file_name();
        for entry in walk {
            let entry = entry.map_err(CommandError::work)?;
            let path = entry.path();
            // The top itself is what its links lead to; everything below it is what it is.
            let metadata = if entry.depth() == 0 {
                fs::metadata(path)
            } else {
                fs::symlink_metadata(path)
            };
            let metadata = metadata.map_err(PathError::on("read", path))?;
            let node = self.node(path, &metadata)?;
            let mut content = HostContent {
                path,
                len_bytes: metadata.len(),
                is_sparse: metadata.blocks().saturating_mul(512) < metadata.len(),
            };
            visit(&node, &mut content)?;
        }
        Ok(())
    }
}

fn time(seconds: i64, nanoseconds: i64) -> Timestamp {
    Timestamp {
        seconds,
        nanoseconds: u32::try_from(nanoseconds).unwrap_or_default(),
    }
}

struct HostContent<'a> {
    path: &'a Path,
    len_bytes: u64,
    is_sparse: bool,
}

impl HostContent<'_> {
    fn open(&self) -> Result<File, PathError> {
        File::open(self.path).map_err(PathError::on("open", self.path))
    }
}

impl Content for HostContent<'_> {
    fn ranges(&mut self) -> Result<Vec<Range<u64>>, CommandError> {
        if !self.is_sparse {
            return Ok(std::iter::once(0..self.len_bytes)
                .filter(|range| !range.is_empty())
                .collect());
        }
        let failed = |errno: Errno| PathError::on("read", self.path)(errno.into());
        let file = self.open()?;
        let mut ranges = Vec::new();
        let mut place = 0;
        while place < self.len_bytes {
            let start = match rustix::fs::seek(&file, rustix::fs::SeekFrom::Data(place)) {
                Ok(start) => start,
                Err(Errno::NXIO) => break,
                Err(errno) => return Err(failed(errno).into()),
            };
            let end = rustix::fs::seek(&file, rustix::fs::SeekFrom::Hole(start)).map_err(failed)?;
            ranges.push(start..end.min(self.len_bytes));
            place = end.max(start + 1);
        }
        Ok(ranges)
    }

    fn reader(&mut self, range: &Range<u64>) -> Result<Box<dyn Read + '_>, CommandError> {
        let mut file = self.open()?;
        if range.start > 0 {
            file.seek(SeekFrom::Start(range.start))
                .map_err(PathError::on("read", self.path))?;
        }
        Ok(Box::new(file))
    }
}
