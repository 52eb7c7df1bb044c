//! Images to resize, made by mke2fs from a tree with every kind of thing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mln_image::base::Timestamp;
use mln_image::block::{BlockDevice, FileDevice};
use mln_image::ext::{self, ExtError, Fs, InodeNo, NewNode, ResizeReport};
use tempfile::TempDir;
use walkdir::WalkDir;

use crate::support::{Mounted, e2fsck_clean, sha256, tool};

pub(super) const MIB: u64 = 1 << 20;

/// The layouts, by name, as options of mke2fs.
pub(super) fn layouts() -> impl Iterator<Item = (&'static str, &'static str)> {
    [
        ("ext2", "-t ext2"),
        ("ext3", "-t ext3"),
        ("ext4", "-t ext4"),
        ("^resize_inode", "-t ext4 -O ^resize_inode"),
        ("^flex_bg", "-t ext4 -O ^flex_bg"),
        ("^flex_bg,^resize_inode", "-t ext4 -O ^flex_bg,^resize_inode"),
        ("^64bit", "-t ext4 -O ^64bit"),
        ("sparse_super2", "-t ext4 -O sparse_super2,^resize_inode"),
        ("uninit_bg", "-t ext4 -O ^metadata_csum,uninit_bg"),
        ("orphan_file", "-t ext4 -O orphan_file,metadata_csum_seed"),
        ("128-byte inodes", "-t ext4 -I 128"),
        ("ext3, 128-byte inodes", "-t ext3 -I 128"),
        ("^sparse_super", "-t ext3 -O ^sparse_super,^resize_inode"),
        ("meta_bg", "-t ext4 -O meta_bg,^resize_inode"),
        ("inline_data", "-t ext4 -O inline_data"),
        ("ea_inode, large_dir", "-t ext4 -O ea_inode,large_dir"),
        ("small groups", "-t ext4 -g 2048"),
        (
            "small groups, ^flex_bg",
            "-t ext4 -g 2048 -O ^flex_bg,^resize_inode",
        ),
    ]
    .into_iter()
}

/// An image in a directory of its own.
pub(super) struct Image {
    directory: TempDir,
}

impl Image {
    /// An image of `len_bytes` that mke2fs makes with `options`.
    pub(super) fn new(options: &str, len_bytes: u64) -> Self {
        let image = Self::empty();
        let source = image.directory.path().join("source");
        make_tree(&source);
        image.make(options, len_bytes, &source);
        image
    }

    /// The same without files.
    pub(super) fn bare(options: &str, len_bytes: u64) -> Self {
        let image = Self::empty();
        let source = image.directory.path().join("source");
        fs::create_dir(&source).unwrap();
        image.make(options, len_bytes, &source);
        image
    }

    /// An image in which a sparse file of `extents` extents lies behind room that is free.
    pub(super) fn with_extents(options: &str, extents: u64) -> Self {
        let image = Self::empty();
        let source = image.directory.path().join("source");
        fs::create_dir(&source).unwrap();
        let block_bytes = if options.ends_with("4096") { 4096 } else { 1024 };
        let data_bytes = extents * block_bytes;
        let front = File::create(source.join("a front")).unwrap();
        front
            .write_all_at(&pattern(usize::try_from(data_bytes * 5 / 4).unwrap(), 1), 0)
            .unwrap();
        let sparse = File::create(source.join("sparse")).unwrap();
        for extent in 0..extents {
            let seed = u32::try_from(extent).unwrap();
            let bytes = pattern(usize::try_from(block_bytes).unwrap(), seed);
            sparse.write_all_at(&bytes, extent * block_bytes * 2).unwrap();
        }
        image.make(options, data_bytes * 3 + 20 * MIB, &source);
        let mut fs = image.open();
        fs.unlink(InodeNo::ROOT, b"a front").unwrap();
        fs.commit().unwrap();
        image.judge("a sparse file");
        image
    }

    fn empty() -> Self {
        let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        Self {
            directory: directory.unwrap(),
        }
    }

    fn make(&self, options: &str, len_bytes: u64, source: &Path) {
        File::create(self.path()).unwrap().set_len(len_bytes).unwrap();
        let output = tool("mke2fs", "e2fsprogs")
            .args(["-q", "-F", "-U", "6d6c6e00-0000-4000-8000-696d61676500"])
            .args(["-E", "hash_seed=6d6c6e00-0000-4000-8000-736565640000", "-d"])
            .arg(source)
            .args(options.split_whitespace())
            .arg(self.path())
            .output()
            .unwrap();
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{options}: {complaints}");
    }

    /// Another image with the same bytes.
    pub(super) fn copy(&self) -> Self {
        let copy = Self::empty();
        fs::copy(self.path(), copy.path()).unwrap();
        copy
    }

    pub(super) fn path(&self) -> PathBuf {
        self.directory.path().join("image")
    }

    pub(super) fn try_open(&self) -> Result<Fs, ExtError> {
        let device: Arc<dyn BlockDevice> = Arc::new(FileDevice::open_writable(&self.path()).unwrap());
        Fs::open_for_edit(device, Timestamp::from_seconds(1_800_000_000))
    }

    pub(super) fn open(&self) -> Fs {
        self.try_open().unwrap()
    }

    /// Resizes in place.
    pub(super) fn resize(&self, blocks: u64) -> Result<ResizeReport, ExtError> {
        let mut fs = self.open();
        let report = fs.resize(blocks)?;
        fs.commit()?;
        Ok(report)
    }

    /// e2fsck and the engine's own check, neither of which may find anything.
    #[track_caller]
    pub(super) fn judge(&self, what: &str) {
        e2fsck_clean(&self.path());
        let device = Arc::new(FileDevice::open(&self.path()).unwrap());
        let findings = ext::check(device).unwrap();
        assert!(findings.is_empty(), "{what}: {findings:?}");
    }

    /// What the kernel reads: of each path the mode, the owner, and the content's digest or the link's target.
    pub(super) fn tree(&self) -> BTreeMap<PathBuf, (u32, u32, Vec<u8>)> {
        let mounted = Mounted::read_only(&self.path(), "ext4");
        let content = |path: &Path, kind: fs::FileType| {
            if kind.is_file() {
                sha256(path).to_string().into_bytes()
            } else if kind.is_symlink() {
                fs::read_link(path).unwrap().into_os_string().into_vec()
            } else {
                Vec::new()
            }
        };
        WalkDir::new(mounted.path())
            .into_iter()
            .map(|entry| {
                let entry = entry.unwrap();
                let metadata = entry.metadata().unwrap();
                let found = content(entry.path(), metadata.file_type());
                let path = entry.path().strip_prefix(mounted.path()).unwrap();
                (path.to_path_buf(), (metadata.mode(), metadata.uid(), found))
            })
            .collect()
    }

    /// Takes away every second small file, so that free space is in pieces.
    pub(super) fn fragment(&self) {
        let mut fs = self.open();
        for name in ["many", "sizes"] {
            let directory = fs.find_entry(InodeNo::ROOT, name.as_bytes()).unwrap().unwrap();
            for entry in fs.read_dir(directory).unwrap().iter().step_by(2) {
                fs.unlink(directory, &entry.name).unwrap();
            }
        }
        fs.commit().unwrap();
    }

    /// Has debugfs make directories and files with inodes in all groups.
    pub(super) fn scatter_directories(&self) {
        let mut fs = self.open();
        let node = |mode| NewNode { mode, uid: 0, gid: 0 };
        // Inodes fill the groups from the first on, so that many go again, from the front.
        let crowd = fs.mkdir(InodeNo::ROOT, b"crowd", node(0o755)).unwrap();
        let mut name = String::new();
        for number in 0..13_000 {
            name.clear();
            write!(name, "{number}").unwrap();
            fs.create_file(crowd, name.as_bytes(), node(0o644)).unwrap();
        }
        let outer = fs.mkdir(InodeNo::ROOT, b"outer", node(0o755)).unwrap();
        let mut parent = outer;
        for number in 0..100 {
            parent = fs
                .mkdir(parent, format!("{number}").as_bytes(), node(0o755))
                .unwrap();
            let file = fs.create_file(parent, b"file", node(0o644)).unwrap();
            fs.replace_content(file, &pattern(5000, number)).unwrap();
            fs.link(file, outer, format!("link {number}").as_bytes()).unwrap();
        }
        for number in 300..600 {
            let file = fs
                .create_file(outer, format!("file {number}").as_bytes(), node(0o644))
                .unwrap();
            fs.replace_content(file, b"small").unwrap();
        }
        fs.remove_tree(InodeNo::ROOT, b"crowd").unwrap();
        fs.commit().unwrap();
        self.judge("directories in all groups");
    }

    /// Makes e2fsck note the blocks in `list` as bad.
    pub(super) fn add_bad_blocks(&self, list: &Path) {
        let output = tool("e2fsck", "e2fsprogs")
            .args(["-fy", "-l"])
            .arg(list)
            .arg(self.path())
            .output()
            .unwrap();
        assert!(output.status.code() < Some(4), "{output:?}");
    }
}

/// Bytes that differ from place to place.
fn pattern(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    let step = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_le_bytes()[3]
    };
    (0..len).map(step).collect()
}

/// Files of all sizes, a directory of many entries, links and a sparse file.
fn make_tree(root: &Path) {
    for name in ["many", "sizes", "deep/er/still"] {
        fs::create_dir_all(root.join(name)).unwrap();
    }
    let put = |name: &str, bytes: &[u8]| {
        File::create(root.join(name))
            .unwrap()
            .write_all_at(bytes, 0)
            .unwrap();
    };
    for number in 0..250_u32 {
        put(&format!("many/file{number}"), format!("{number}").as_bytes());
    }
    for number in 0..90_u32 {
        let len = usize::try_from(number * number * 7).unwrap();
        put(&format!("sizes/file{number}"), &pattern(len, number));
    }
    put("large", &pattern(1_500_000, 900));
    put("deep/er/still/file", &pattern(3000, 901));
    fs::hard_link(root.join("large"), root.join("deep/again")).unwrap();
    symlink("large", root.join("short link")).unwrap();
    symlink("x".repeat(200), root.join("long link")).unwrap();
    let sparse = File::create(root.join("sparse")).unwrap();
    for number in 0..400 {
        sparse
            .write_all_at(&pattern(4096, number), u64::from(number) * 12_288)
            .unwrap();
    }
    sparse.set_len(60_000_000).unwrap();
}
