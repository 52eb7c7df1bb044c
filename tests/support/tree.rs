//! The files of an image as the `ext4-view` crate reads them, comparable with another image's or a model's.
//!
//! That reader takes a hole in indirect blocks for block 0, so longer files that have no extents are read by debugfs.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use ext4_view::{Ext4, FileType, Metadata};
use mln_image::base::FileKind;
use mln_image::base::digest::Sha256Digest;
use tempfile::TempDir;

use super::tool;

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
        let longest = longest_without_indirect_blocks(image);
        let mut long = Vec::new();
        let root = ext.symlink_metadata("/").unwrap();
        tree.0.insert(b"/".to_vec(), node(&root));
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
                let mut node = node(&metadata);
                match node.kind {
                    FileKind::Regular if metadata.len() > longest => long.push(path.clone()),
                    FileKind::Regular => {
                        let bytes = ext.read(path.as_slice());
                        node.content = Content::of(
                            &bytes.unwrap_or_else(|error| panic!("{}: {error}", printable(&path))),
                        );
                    }
                    FileKind::Symlink => {
                        let target = ext.read_link(path.as_slice()).unwrap();
                        node.content = Content::Target(target.to_str().unwrap().to_owned());
                    }
                    _ => {}
                }
                assert!(
                    tree.0.insert(path.clone(), node).is_none(),
                    "{} twice in its directory",
                    printable(&path)
                );
            }
        }
        for (path, bytes) in long.iter().zip(dumped(image, &long)) {
            tree.0.get_mut(path).unwrap().content = Content::of(&bytes);
        }
        tree
    }
}

/// The length up to which a file has no indirect blocks; without end where files have extents.
fn longest_without_indirect_blocks(image: &Path) -> u64 {
    let mut superblock = [0; 1024];
    File::open(image)
        .unwrap()
        .read_exact_at(&mut superblock, 1024)
        .unwrap();
    let has_extents = superblock[0x60] & 0x40 != 0;
    if has_extents {
        u64::MAX
    } else {
        12 * (1024 << superblock[0x18])
    }
}

/// The content of the files `paths` as debugfs reads them.
fn dumped(image: &Path, paths: &[Vec<u8>]) -> Vec<Vec<u8>> {
    if paths.is_empty() {
        return Vec::new();
    }
    let directory = TempDir::new().unwrap();
    let outputs: Vec<_> = (0..paths.len())
        .map(|number| directory.path().join(number.to_string()))
        .collect();
    let mut script = tempfile::NamedTempFile::new().unwrap();
    for (path, output) in paths.iter().zip(&outputs) {
        script.write_all(b"dump \"").unwrap();
        script.write_all(path).unwrap();
        writeln!(script, "\" {}", output.display()).unwrap();
    }
    let answer = tool("debugfs", "e2fsprogs")
        .arg("-f")
        .arg(script.path())
        .arg(image)
        .output()
        .unwrap();
    let complaints = String::from_utf8_lossy(&answer.stderr);
    // The first line names the program's version.
    assert!(
        answer.status.success() && complaints.lines().count() == 1,
        "{complaints}"
    );
    outputs
        .iter()
        .map(|output| std::fs::read(output).unwrap())
        .collect()
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

/// The node without its content.
fn node(metadata: &Metadata) -> Node {
    Node {
        kind: kind(metadata.file_type()),
        mode: metadata.mode() & 0o7777,
        uid: metadata.uid(),
        gid: metadata.gid(),
        mtime: (metadata.modified().seconds(), metadata.modified().nanoseconds()),
        content: Content::Nothing,
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
