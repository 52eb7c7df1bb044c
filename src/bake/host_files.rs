//! The sources of files to copy into guests, found in the files directory.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::base::{FileKind, PathError};
use crate::edit::Content;
use crate::guest::{HostFiles, HostFilesError, HostNode, HostNodeKind};

/// A directory that relative sources start from; absolute sources stand for themselves.
#[derive(Debug)]
pub struct FilesDirectory<'a>(pub &'a Path);

impl HostFiles for FilesDirectory<'_> {
    fn walk(&self, source: &str) -> Result<Vec<HostNode>, HostFilesError> {
        let root = self.0.join(source);
        WalkDir::new(&root)
            .follow_root_links(true)
            .sort_by_file_name()
            .into_iter()
            .map(|entry| {
                let entry = entry.map_err(|error| walk_error(&root, error))?;
                host_node(&root, &entry)
            })
            .collect()
    }
}

fn host_node(root: &Path, entry: &DirEntry) -> Result<HostNode, HostFilesError> {
    let path = entry.path();
    let below = path.strip_prefix(root).unwrap_or(Path::new(""));
    // The source itself is what its links lead to; everything below it is what it is.
    let metadata = if entry.depth() == 0 {
        fs::metadata(path)
    } else {
        fs::symlink_metadata(path)
    };
    let metadata = metadata.map_err(PathError::on("read", path))?;
    let mode = metadata.permissions().mode();
    let mode = u16::try_from(mode & 0o177_777).unwrap_or_default();
    let kind = match FileKind::from_mode(mode) {
        Some(FileKind::Regular) => HostNodeKind::File(Content::HostFile {
            path: path.to_path_buf(),
            len_bytes: metadata.len(),
        }),
        Some(FileKind::Directory) => HostNodeKind::Directory,
        Some(FileKind::Symlink) => {
            let target = fs::read_link(path).map_err(PathError::on("read the link", path))?;
            HostNodeKind::Symlink(target.as_os_str().as_bytes().to_vec())
        }
        kind => {
            return Err(HostFilesError::Kind {
                path: path.to_path_buf(),
                kind: kind.unwrap_or(FileKind::CharDevice),
            });
        }
    };
    Ok(HostNode {
        path: below.as_os_str().as_bytes().to_vec(),
        mode: mode & 0o7777,
        kind,
    })
}

/// The error of a walk, with the file at fault.
fn walk_error(root: &Path, error: walkdir::Error) -> PathError {
    let path: PathBuf = error.path().unwrap_or(root).to_path_buf();
    // A walk that follows no links cannot end in a loop, the only fault that is not the system's.
    let reason = error
        .into_io_error()
        .unwrap_or_else(|| io::ErrorKind::Other.into());
    PathError::on("read", path)(reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::atomic::{self, Durability};

    fn shown(node: &HostNode) -> String {
        let kind = match &node.kind {
            HostNodeKind::File(Content::HostFile { len_bytes, .. }) => format!("{len_bytes} bytes"),
            HostNodeKind::File(Content::Bytes(_) | Content::Joined(_)) => "bytes".to_owned(),
            HostNodeKind::Directory => "directory".to_owned(),
            HostNodeKind::Symlink(target) => format!("-> {}", String::from_utf8_lossy(target)),
        };
        format!(
            "{:04o} {:?} {kind}",
            node.mode,
            String::from_utf8_lossy(&node.path)
        )
    }

    #[test]
    fn a_tree_comes_in_order_and_links_stay_links() {
        let files = tempfile::tempdir().unwrap();
        let tree = files.path().join("tree");
        fs::create_dir_all(tree.join("b")).unwrap();
        for (name, mode) in [("b/two", 0o600), ("a", 0o4755)] {
            atomic::write(&tree.join(name), b"12345", Durability::NoSync).unwrap();
            fs::set_permissions(tree.join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        for directory in ["", "b"] {
            fs::set_permissions(tree.join(directory), fs::Permissions::from_mode(0o750)).unwrap();
        }
        std::os::unix::fs::symlink("/etc/passwd", tree.join("link")).unwrap();
        std::os::unix::fs::symlink("tree", files.path().join("alias")).unwrap();
        for source in ["tree", "alias", tree.to_str().unwrap()] {
            let nodes = FilesDirectory(files.path()).walk(source).unwrap();
            let shown: Vec<String> = nodes.iter().map(shown).collect();
            assert_eq!(
                shown,
                [
                    "0750 \"\" directory",
                    "4755 \"a\" 5 bytes",
                    "0750 \"b\" directory",
                    "0600 \"b/two\" 5 bytes",
                    "0777 \"link\" -> /etc/passwd",
                ]
            );
        }
    }

    #[test]
    fn what_is_not_there_or_cannot_be_copied_is_named() {
        let files = tempfile::tempdir().unwrap();
        let missing = FilesDirectory(files.path()).walk("missing").unwrap_err();
        let path = files.path().join("missing");
        assert_eq!(missing.to_string(), format!("cannot read `{}`", path.display()));
        let null = FilesDirectory(files.path()).walk("/dev/null").unwrap_err();
        assert_eq!(
            null.to_string(),
            "`/dev/null` is neither a file, a directory nor a symbolic link"
        );
    }
}
