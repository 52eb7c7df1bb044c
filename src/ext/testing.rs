//! Images made by mke2fs for the tests of this module, and the judges that look at them afterwards. A missing tool is
//! a failure.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use super::fs::Fs;
use crate::base::Timestamp;
use crate::block::FileDevice;

/// The kinds of file system that must work, as options of mke2fs.
pub(crate) const KINDS: &[&str] = &[
    "-t ext2 -b 1024 -I 128",
    "-t ext2 -b 4096",
    "-t ext3 -b 1024 -I 128",
    "-t ext3 -b 2048",
    "-t ext3 -b 4096 -I 256",
    "-t ext4 -b 4096",
    "-t ext4 -b 1024",
    "-t ext4 -b 2048 -O metadata_csum_seed,orphan_file",
    "-t ext4 -b 4096 -O ^metadata_csum,uninit_bg,^64bit",
    "-t ext4 -b 1024 -I 128 -O ^64bit,^extent",
    "-t ext4 -b 1024 -g 1024 -O ^flex_bg,^resize_inode",
    "-t ext4 -b 1024 -O sparse_super2,^resize_inode,^has_journal",
];

/// The time that edits of the tests set.
pub(crate) const NOW: Timestamp = Timestamp {
    seconds: 1_700_000_000,
    nanoseconds: 123_456_789,
};

/// An image in a directory of its own, with the tree that it was made from.
#[derive(Debug)]
pub(crate) struct TestImage {
    directory: tempfile::TempDir,
}

impl TestImage {
    /// An image of `size` (as mke2fs takes it) that holds the sample tree.
    pub(crate) fn new(options: &str, size: &str) -> Self {
        let image = Self {
            directory: memory_directory(),
        };
        make_tree(&image.tree());
        let output = Command::new("mke2fs")
            .args(["-q", "-F", "-E", "root_owner=0:0", "-d"])
            .arg(image.tree())
            .args(options.split_whitespace())
            .arg(image.path())
            .arg(size)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "mke2fs {options}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        image
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("image")
    }

    /// The tree that the image was made from.
    pub(crate) fn tree(&self) -> PathBuf {
        self.directory.path().join("tree")
    }

    pub(crate) fn open(&self) -> Fs {
        Fs::open(Arc::new(FileDevice::open(&self.path()).unwrap())).unwrap()
    }

    /// The file system, to edit in place.
    pub(crate) fn edit(&self) -> Fs {
        Fs::open_for_edit(Arc::new(FileDevice::open_writable(&self.path()).unwrap()), NOW).unwrap()
    }

    /// Asks e2fsck, which must find nothing.
    #[track_caller]
    pub(crate) fn check(&self, what: &str) {
        let output = Command::new("e2fsck")
            .arg("-fn")
            .arg(self.path())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.code() == Some(0), "{what}: {text}");
    }

    /// Changes the image through debugfs.
    pub(crate) fn debugfs_write(&self, request: &str) {
        let output = Command::new("debugfs")
            .args(["-w", "-R", request])
            .arg(self.path())
            .output()
            .unwrap();
        assert!(output.status.success());
    }

    /// Lets e2fsck build hash trees for all directories.
    pub(crate) fn index_directories(&self) {
        let output = Command::new("e2fsck")
            .arg("-fyD")
            .arg(self.path())
            .output()
            .unwrap();
        assert!(
            output.status.code() < Some(4),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
}

/// A directory that is held in memory where there is such a place: the tools sync what they write.
fn memory_directory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

/// Bytes that differ from place to place.
pub(crate) fn pattern(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    let step = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_le_bytes()[3]
    };
    (0..len).map(step).collect()
}

/// Lays down files of all sizes, a directory of many entries, links and a sparse file.
fn make_tree(root: &Path) {
    fs::create_dir_all(root.join("etc/network")).unwrap();
    fs::create_dir(root.join("many")).unwrap();
    fs::create_dir(root.join("empty")).unwrap();
    let put = |name: &str, content: &[u8]| {
        File::create(root.join(name))
            .unwrap()
            .write_all_at(content, 0)
            .unwrap();
    };
    put("etc/hostname", b"sample\n");
    put("etc/nothing", b"");
    put("etc/network/interfaces", b"auto lo\n");
    put("middle", &pattern(30_000, 1));
    put("large", &pattern(700_000, 2));
    for number in 0..300 {
        put(
            &format!("many/file-with-a-rather-long-name-{number}"),
            format!("{number}").as_bytes(),
        );
    }
    symlink("hostname", root.join("etc/link")).unwrap();
    symlink("/etc/network", root.join("net")).unwrap();
    symlink("../../../../etc/hostname", root.join("etc/network/up")).unwrap();
    symlink("a".repeat(200), root.join("long-link")).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    fs::hard_link(root.join("middle"), root.join("etc/hard")).unwrap();
    let sparse = File::create(root.join("sparse")).unwrap();
    for number in 0..600 {
        sparse
            .write_all_at(&pattern(4096, number), u64::from(number) * 8192)
            .unwrap();
    }
    sparse.write_all_at(b"far", 90_000_000).unwrap();
    sparse.set_len(90_000_100).unwrap();
}
