//! A tree of files becomes an ext file system, in this process: from a tar archive, from the layers of a container image
//! or from a directory.
//!
//! ```text
//!   file or standard input --open--> tar (.gz, .zst taken off) --archive--> Node after Node --\
//!   OCI layout or archive --layout--> layers, lowest first -------/ (whiteouts)                >--Builder--> device
//!   directory --directory---------------------------------------------------------------------/
//! ```
//!
//! Nothing is unpacked to the host: names, links and devices of the tree never touch its file system. Content goes to the
//! device as it comes, so that memory holds metadata only; the file system grows as it fills. Runs of zeros become holes.
//! Times, identifiers and sizes depend on the input and the template's name alone: the same input gives the same bytes.

mod acl;
mod archive;
mod blob;
mod builder;
mod content;
mod directory;
mod error;
mod layout;
mod open;
mod pax;
mod place;
mod sparse;
mod whiteout;
mod writing;

use std::path::{Path, PathBuf};

pub(super) use builder::{Builder, Target};
pub use error::RootfsError;
pub(super) use open::{is_archive, magic_of};

/// Where a tree of files comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreeSource {
    /// An archive at this path.
    File(PathBuf),
    /// An archive from standard input.
    StandardInput,
    /// A directory: an OCI image layout if it has the marks of one, else the tree itself.
    Directory(PathBuf),
}

impl TreeSource {
    /// What `path` is, if it is no image of a file system: `-`, a directory, or a file that begins like an archive.
    pub fn detect(path: &Path) -> Result<Option<Self>, crate::base::PathError> {
        if path == Path::new("-") {
            return Ok(Some(Self::StandardInput));
        }
        if path.is_dir() {
            return Ok(Some(Self::Directory(path.to_path_buf())));
        }
        Ok(is_archive(&magic_of(path)?).then(|| Self::File(path.to_path_buf())))
    }

    /// Its path; `-` for standard input.
    pub(super) fn shown(&self) -> PathBuf {
        match self {
            Self::File(path) | Self::Directory(path) => path.clone(),
            Self::StandardInput => PathBuf::from("-"),
        }
    }
}

/// Fills `builder` from `source`; `platform` chooses among the images of an OCI index.
pub(super) fn fill(builder: &mut Builder, source: &TreeSource, platform: &str) -> Result<(), RootfsError> {
    match source {
        TreeSource::Directory(path) if layout::is_layout(path) => {
            layout::fill(builder, &blob::Blobs::directory(path), platform)
        }
        TreeSource::Directory(path) => directory::fill(builder, path),
        TreeSource::File(path) => open::fill_file(builder, path, platform),
        TreeSource::StandardInput => open::fill_stream(builder, Box::new(std::io::stdin().lock()), platform),
    }
}
