//! Everything that can be known about the files of a mounted image, as the kernel's system calls tell it; and the same
//! as the engine tells it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use mln_image::base::digest::Sha256Digest;
use mln_image::base::{FileKind, Timestamp};
use mln_image::ext::{Fs, InodeNo};

/// The files of an image by path; the root is empty.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Snapshot(pub(crate) BTreeMap<Vec<u8>, Facts>);

/// What is known about one file.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) kind: FileKind,
    pub(crate) mode: u16,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) links_count: u64,
    /// Seconds and nanoseconds.
    pub(crate) mtime: (i64, u32),
    pub(crate) ctime: (i64, u32),
    /// The length of a file or a link; directories are as long as they like.
    pub(crate) len_bytes: u64,
    /// A file's digest, a link's text or a device's numbers.
    pub(crate) content: String,
    /// Access control lists have another form in the system calls than on disk, so of them only the name is kept.
    pub(crate) xattrs: BTreeMap<String, String>,
}

impl fmt::Debug for Facts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            mode,
            uid,
            gid,
            links_count,
            mtime,
            ctime,
            len_bytes,
            content,
            xattrs,
        } = self;
        write!(
            formatter,
            "{}{mode:04o} {uid}:{gid} x{links_count} m{mtime:?} c{ctime:?} {len_bytes} {content} {xattrs:?}",
            kind.letter()
        )
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter)?;
        for (path, facts) in &self.0 {
            writeln!(formatter, "/{} {facts:?}", path.escape_ascii())?;
        }
        Ok(())
    }
}

/// How a value is shown: short ones as they are, long ones by their digest.
pub(crate) fn shown(bytes: &[u8]) -> String {
    if bytes.len() <= 40 {
        bytes.escape_ascii().to_string()
    } else {
        format!("{} bytes {:?}", bytes.len(), Sha256Digest::of(bytes))
    }
}

fn shown_xattr(name: &[u8], value: &[u8]) -> (String, String) {
    let name = String::from_utf8_lossy(name).into_owned();
    let value = if name.starts_with("system.posix_acl") {
        String::new()
    } else {
        shown(value)
    };
    (name, value)
}

impl Snapshot {
    /// What the kernel tells about the file system that is mounted at `root`.
    #[track_caller]
    pub(crate) fn by_kernel(root: &Path) -> Self {
        let mut snapshot = Self::default();
        let mut waiting = vec![(root.to_path_buf(), Vec::new())];
        while let Some((place, path)) = waiting.pop() {
            let facts = kernel_facts(&place);
            if facts.kind == FileKind::Directory {
                for entry in fs::read_dir(&place).unwrap() {
                    let name = entry.unwrap().file_name();
                    waiting.push((place.join(&name), below(&path, name.as_bytes())));
                }
            }
            snapshot.0.insert(path, facts);
        }
        snapshot
    }

    /// What the engine tells.
    #[track_caller]
    pub(crate) fn by_engine(fs: &Fs) -> Self {
        let mut snapshot = Self::default();
        let mut waiting = vec![(InodeNo::ROOT, Vec::new())];
        while let Some((inode, path)) = waiting.pop() {
            let facts = engine_facts(fs, inode);
            if facts.kind == FileKind::Directory {
                for entry in fs.read_dir(inode).unwrap() {
                    waiting.push((entry.inode, below(&path, &entry.name)));
                }
            }
            snapshot.0.insert(path, facts);
        }
        snapshot
    }

    /// Panics with the first differences unless both are equal.
    #[track_caller]
    pub(crate) fn assert_is(&self, expected: &Self, what: &str) {
        let differences = self.differences(expected);
        assert!(differences.is_empty(), "{what}: {}", differences.join("\n"));
    }

    /// Up to eight differences, in words.
    pub(crate) fn differences(&self, expected: &Self) -> Vec<String> {
        let paths = self
            .0
            .keys()
            .chain(expected.0.keys().filter(|path| !self.0.contains_key(*path)));
        paths
            .filter(|path| self.0.get(*path) != expected.0.get(*path))
            .take(8)
            .map(|path| {
                let (found, wanted) = (self.0.get(path), expected.0.get(path));
                format!(
                    "/{}:\n  found    {found:?}\n  expected {wanted:?}",
                    path.escape_ascii()
                )
            })
            .collect()
    }
}

fn below(path: &[u8], name: &[u8]) -> Vec<u8> {
    let mut joined = path.to_vec();
    if !joined.is_empty() {
        joined.push(b'/');
    }
    joined.extend_from_slice(name);
    joined
}

fn kernel_facts(place: &Path) -> Facts {
    let metadata = fs::symlink_metadata(place).unwrap();
    let kind = FileKind::from_mode(u16::try_from(metadata.mode()).unwrap()).unwrap();
    let content = match kind {
        FileKind::Regular => {
            shown(&fs::read(place).unwrap_or_else(|error| panic!("{}: {error}", place.display())))
        }
        FileKind::Symlink => fs::read_link(place).unwrap().to_string_lossy().into_owned(),
        FileKind::CharDevice | FileKind::BlockDevice => {
            let device = metadata.rdev();
            format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device))
        }
        _ => String::new(),
    };
    let nanoseconds = |number: i64| u32::try_from(number).unwrap();
    Facts {
        kind,
        mode: u16::try_from(metadata.mode() & 0o7777).unwrap(),
        uid: metadata.uid(),
        gid: metadata.gid(),
        links_count: metadata.nlink(),
        mtime: (metadata.mtime(), nanoseconds(metadata.mtime_nsec())),
        ctime: (metadata.ctime(), nanoseconds(metadata.ctime_nsec())),
        len_bytes: if kind == FileKind::Directory {
            0
        } else {
            metadata.len()
        },
        content,
        xattrs: kernel_xattrs(place),
    }
}

fn kernel_xattrs(place: &Path) -> BTreeMap<String, String> {
    let mut names = vec![0_u8; 0x1_0000];
    let len = rustix::fs::llistxattr(place, &mut names).unwrap();
    let names = names[..len]
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty());
    names
        .map(|name| {
            let mut value = vec![0_u8; 0x1_0000];
            let len = rustix::fs::lgetxattr(place, name, &mut value[..]).unwrap();
            shown_xattr(name, &value[..len])
        })
        .collect()
}

fn engine_facts(fs: &Fs, inode: InodeNo) -> Facts {
    let known = fs.inode(inode).unwrap();
    let content = match known.kind {
        FileKind::Regular => shown(&fs.read_file(inode, 1 << 32).unwrap()),
        FileKind::Symlink => String::from_utf8_lossy(&fs.read_link(inode).unwrap()).into_owned(),
        _ => known
            .device
            .map_or_else(String::new, |(major, minor)| format!("{major}:{minor}")),
    };
    let time = |time: Timestamp| (time.seconds, time.nanoseconds);
    Facts {
        kind: known.kind,
        mode: known.mode,
        uid: known.uid,
        gid: known.gid,
        links_count: known.links_count.into(),
        mtime: time(known.mtime),
        ctime: time(known.ctime),
        len_bytes: if known.kind == FileKind::Directory {
            0
        } else {
            known.size_in_bytes
        },
        content,
        xattrs: fs
            .xattrs(inode)
            .unwrap()
            .iter()
            .map(|xattr| shown_xattr(&xattr.name, &xattr.value))
            .collect(),
    }
}
