//! The files of an image as the `ext4-view` crate reads them, comparable with another image's or a model's.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use ext4_view::{Ext4, FileType, Metadata};
use mln_image::base::FileKind;
use mln_image::base::digest::Sha256Digest;

/// Everything in an image by its path; the root is `/`.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Tree(pub(crate) BTreeMap<Vec<u8>, Node>);

/// One file of any kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// The kind.
    pub(crate) kind: FileKind,
    /// The twelve permission bits.
    pub(crate) mode: u16,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// When the content last changed: seconds and nanoseconds.
    pub(crate) mtime: (i64, u32),
    pub(crate) content: Content,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// A regular file's bytes.
    Bytes { len_bytes: u64, sha256: Sha256Digest },
    /// A symbolic link's text.
    Target(String),
    /// Directories hold names, which have nodes of their own; devices hold nothing.
    Nothing,
}

impl Content {
    /// The content of a regular file with these bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self::Bytes {
            len_bytes: u64::try_from(bytes.len()).unwrap(),
            sha256: Sha256Digest::of(bytes),
        }
    }
}

impl Tree {
    /// Reads the whole image.
    #[track_caller]
    pub(crate) fn read(image: &Path) -> Self {
        let ext = Ext4::load_from_path(image).unwrap_or_else(|error| panic!("{}: {error}", image.display()));
        let mut tree = Self::default();
        let root = ext.symlink_metadata("/").unwrap();
        tree.0.insert(b"/".to_vec(), node(&ext, b"/", &root));
        let mut directories = vec![b"/".to_vec()];
        while let Some(directory) = directories.pop() {
            for entry in ext.read_dir(directory.as_slice()).unwrap() {
                let entry = entry.unwrap_or_else(|error| panic!("{}: {error}", printable(&directory)));
                let name = entry.file_name();
                if name == "." || name == ".." {
                    continue;
                }
                let mut path = directory.clone();
                if path != b"/" {
                    path.push(b'/');
                }
                path.extend_from_slice(name.as_ref());
                let metadata = entry.metadata().unwrap();
                if metadata.is_dir() {
                    directories.push(path.clone());
                }
                let node = node(&ext, &path, &metadata);
                assert!(
                    tree.0.insert(path.clone(), node).is_none(),
                    "{} twice in its directory",
                    printable(&path)
                );
            }
        }
        tree
    }
}

/// One line for each file, so that a failed comparison can be read.
impl fmt::Debug for Tree {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter)?;
        for (path, node) in &self.0 {
            writeln!(
                formatter,
                "{}{:04o} {}:{} {}.{:09} {} {:?}",
                node.kind.letter(),
                node.mode,
                node.uid,
                node.gid,
                node.mtime.0,
                node.mtime.1,
                printable(path),
                node.content
            )?;
        }
        Ok(())
    }
}

fn printable(path: &[u8]) -> String {
    path.escape_ascii().to_string()
}

fn node(ext: &Ext4, path: &[u8], metadata: &Metadata) -> Node {
    let kind = kind(metadata.file_type());
    let content = match kind {
        FileKind::Regular => Content::of(&ext.read(path).unwrap_or_else(|error| {
            panic!("{}: {error}", printable(path));
        })),
        FileKind::Symlink => Content::Target(ext.read_link(path).unwrap().to_str().unwrap().to_owned()),
        _ => Content::Nothing,
    };
    Node {
        kind,
        mode: metadata.mode() & 0o7777,
        uid: metadata.uid(),
        gid: metadata.gid(),
        mtime: (metadata.modified().seconds(), metadata.modified().nanoseconds()),
        content,
    }
}

fn kind(kind: FileType) -> FileKind {
    match kind {
        FileType::Regular => FileKind::Regular,
        FileType::Directory => FileKind::Directory,
        FileType::Symlink => FileKind::Symlink,
        FileType::CharacterDevice => FileKind::CharDevice,
        FileType::BlockDevice => FileKind::BlockDevice,
        FileType::Fifo => FileKind::Fifo,
        FileType::Socket => FileKind::Socket,
    }
}
