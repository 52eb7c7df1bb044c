//! The blobs of an OCI image layout, in a directory or in an archive, each held against the digest in its name.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::archive::{Archive, Sink};
use super::content::{Content, Kind, Node};
use super::error::RootfsError;
use super::place::{place, shown};
use crate::base::PathError;
use crate::base::digest::Sha256Digest;

/// The longest document of a layout.
const DOCUMENT_MAX: u64 = 4 << 20;

/// Where the files of a layout lie.
#[derive(Debug)]
pub(super) enum Blobs {
    /// In a directory.
    Directory(PathBuf),
    /// In a tar archive: where each file's data begins, and how long it is.
    Archive(File, HashMap<String, (u64, u64)>),
}

impl Blobs {
    pub(super) fn directory(path: &Path) -> Self {
        Self::Directory(path.to_path_buf())
    }

    /// Takes the archive in `file`.
    pub(super) fn archive(file: File) -> Result<Self, RootfsError> {
        let mut input = Counting {
            file: &file,
            place: 0,
        };
        let mut places = Places::default();
        Archive::new(&mut input).read_all(&mut places)?;
        let places = places.0;
        Ok(Self::Archive(file, places))
    }

    /// The whole document called `name`.
    pub(super) fn document(&self, name: &str) -> Result<Vec<u8>, RootfsError> {
        let mut bytes = Vec::new();
        let read = self.open(name)?.take(DOCUMENT_MAX).read_to_end(&mut bytes);
        read.map_err(RootfsError::Read)?;
        Ok(bytes)
    }

    /// The blob with `digest`, to be read to its end and then proved.
    pub(super) fn blob(&self, digest: &str) -> Result<Proved<'_>, RootfsError> {
        let hex = digest.strip_prefix("sha256:").unwrap_or_default();
        let is_plain = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_plain {
            return Err(RootfsError::Layout(format!("the digest `{digest}`")));
        }
        Ok(Proved {
            inner: self.open(&format!("blobs/sha256/{hex}"))?,
            sha256: Sha256::new(),
            expected: digest.to_owned(),
        })
    }

    fn open(&self, name: &str) -> Result<Box<dyn Read + '_>, RootfsError> {
        match self {
            Self::Directory(directory) => {
                let path = directory.join(name);
                if !path.is_file() {
                    return Err(RootfsError::NoBlob(name.to_owned()));
                }
                Ok(Box::new(File::open(&path).map_err(PathError::on("open", &path))?))
            }
            Self::Archive(file, places) => {
                let (start, len) = places
                    .get(name)
                    .ok_or_else(|| RootfsError::NoBlob(name.to_owned()))?;
                let from = Counting { file, place: *start };
                Ok(Box::new(from.take(*len)))
            }
        }
    }
}

/// A file read from a place of its own.
struct Counting<'a> {
    file: &'a File,
    place: u64,
}

impl Read for Counting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.file.read_at(buffer, self.place)?;
        self.place += u64::try_from(len).unwrap_or_default();
        Ok(len)
    }
}

/// Notes where the files of an archive lie.
#[derive(Default)]
struct Places(HashMap<String, (u64, u64)>);

impl Sink for Places {
    fn node(&mut self, node: Node, content: Option<Content<'_>>) -> Result<(), RootfsError> {
        if let (Kind::File, Some(content)) = (&node.kind, content) {
            let path = place(&node.path)?;
            let name = shown(path.as_bytes().get(1..).unwrap_or_default());
            self.0.insert(name, (content.start_bytes, content.len_bytes));
        }
        Ok(())
    }
}

/// A blob on its way.
pub(super) struct Proved<'a> {
    inner: Box<dyn Read + 'a>,
    sha256: Sha256,
    expected: String,
}

impl Read for Proved<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(buffer)?;
        self.sha256.update(&buffer[..len]);
        Ok(len)
    }
}

impl Proved<'_> {
    /// Reads what is left, and holds all of it against the digest.
    pub(super) fn prove(mut self) -> Result<(), RootfsError> {
        io::copy(&mut self, &mut io::sink()).map_err(RootfsError::Read)?;
        let found = Sha256Digest::from(self.sha256);
        if format!("sha256:{found}").eq_ignore_ascii_case(&self.expected) {
            return Ok(());
        }
        Err(RootfsError::Digest {
            expected: self.expected,
            found,
        })
    }
}
