//! A file system grown in memory: e2fsck finds nothing, the files are the same, the numbers are resize2fs's, and the
//! kernel mounts it and fills the new groups.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mln_image::base::Timestamp;
use mln_image::block::{BlockDevice, FileDevice};
use mln_image::ext::{ExtError, Fs, ResizeReport};
use tempfile::TempDir;

use crate::support::{BlockSize, ExtKind, Mkfs, Mounted, Tree, debugfs, e2fsck_clean, tool};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// A directory with a source tree for mke2fs.
struct Fixture {
    directory: TempDir,
}

impl Fixture {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let source = directory.path().join("source");
        fs::create_dir_all(source.join("usr/share")).unwrap();
        for number in 0..120 {
            let file = File::create(source.join(format!("usr/share/file{number}"))).unwrap();
            file.write_all_at(&vec![b'a' + u8::try_from(number % 26).unwrap(); number * 211], 0)
                .unwrap();
        }
        symlink("usr/share", source.join("share")).unwrap();
        Self { directory }
    }

    fn image(&self) -> PathBuf {
        self.directory.path().join("image")
    }

    fn make(&self, mkfs: &Mkfs) {
        mkfs.make(&self.image(), Some(&self.directory.path().join("source")));
    }
}

fn open(image: &Path) -> Fs {
    let device: Arc<dyn BlockDevice> = Arc::new(FileDevice::open_writable(image).unwrap());
    Fs::open_for_edit(device, Timestamp::from_seconds(1_800_000_000)).unwrap()
}

fn grow(image: &Path, len_bytes: u64) -> Result<ResizeReport, ExtError> {
    let mut fs = open(image);
    let report = fs.resize(len_bytes / u64::from(fs.block_size().bytes()))?;
    fs.commit()?;
    Ok(report)
}

/// Grows the image of `mkfs` to each length in turn and has every step judged.
fn judge(mkfs: &Mkfs, lens_bytes: &[u64]) {
    let fixture = Fixture::new();
    fixture.make(mkfs);
    let image = fixture.image();
    let before = Tree::read(&image);
    for len_bytes in lens_bytes {
        let report =
            grow(&image, *len_bytes).unwrap_or_else(|error| panic!("{mkfs:?} to {len_bytes}: {error}"));
        let block_bytes = mkfs.block_bytes();
        assert!(report.new_blocks * block_bytes <= *len_bytes);
        assert_eq!(
            fs::metadata(&image).unwrap().len(),
            len_bytes / block_bytes * block_bytes
        );
        e2fsck_clean(&image);
        assert_eq!(Tree::read(&image), before, "{mkfs:?} to {len_bytes}");
    }
}

#[test]
fn every_kind_and_block_size_grows_clean() {
    for kind in ExtKind::ALL {
        for block_size in BlockSize::ALL {
            judge(&Mkfs::new(kind, block_size, 64 * MIB), &[2 * GIB]);
            judge(&Mkfs::new(kind, block_size, 16 * MIB), &[17 * MIB, 16 * GIB]);
        }
    }
}

#[test]
fn large_images_grow_clean() {
    for kind in ExtKind::ALL {
        judge(&Mkfs::new(kind, BlockSize(4096), 512 * MIB), &[2 * GIB, 3 * GIB]);
    }
}

#[test]
fn other_features_grow_clean() {
    for features in [
        "^metadata_csum,uninit_bg",
        "^flex_bg",
        "^64bit",
        "^sparse_super,^resize_inode",
        "^metadata_csum",
        "^has_journal",
        "metadata_csum_seed,orphan_file",
        "^extent,^64bit",
    ] {
        for block_size in [BlockSize(1024), BlockSize(4096)] {
            let mkfs = Mkfs::new(ExtKind::Ext4, block_size, 40 * MIB).features(features);
            judge(&mkfs, &[50 * MIB, GIB]);
        }
    }
    let mkfs = Mkfs::new(ExtKind::Ext3, BlockSize(1024), 40 * MIB).inode_len_bytes(128);
    judge(&mkfs.features("^sparse_super,^resize_inode"), &[200 * MIB]);
}

#[test]
fn odd_lengths_grow_clean_and_short_last_groups_are_left_off() {
    let mkfs = Mkfs::new(ExtKind::Ext4, BlockSize(1024), 12 * MIB + 1024 * 13);
    // 8193 blocks a group: the first lengths end shortly after a group's begin.
    judge(
        &mkfs,
        &[
            16 * MIB + 1024 * 3,
            16 * MIB + 2048 * 333 + 511,
            77_777_777,
            1_000_000_001,
        ],
    );
    let fixture = Fixture::new();
    fixture.make(&mkfs);
    let report = grow(&fixture.image(), 16 * MIB + 1024 * 41).unwrap();
    assert_eq!(report.new_blocks, 16 * 1024 + 1);
    assert_eq!(report.new_groups, report.old_groups);
    let report = grow(&fixture.image(), 24 * MIB + 1024).unwrap();
    assert_eq!(
        (report.old_blocks, report.new_groups),
        (16 * 1024 + 1, report.old_groups + 1)
    );
}

#[test]
fn numbers_are_those_of_resize2fs() {
    const FIELDS: [&str; 7] = [
        "Inode count",
        "Block count",
        "Reserved block count",
        "Free blocks",
        "Free inodes",
        "Reserved GDT blocks",
        "Filesystem features",
    ];
    let numbers = |image: &Path| {
        let stats = debugfs(image, "stats -h");
        let lines = stats
            .lines()
            .filter(|line| FIELDS.iter().any(|field| line.starts_with(field)));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    for kind in ExtKind::ALL {
        for (block_size, len_bytes) in [(1024, 300 * MIB), (4096, 5 * GIB), (2048, 777_777_777)] {
            let fixture = Fixture::new();
            fixture.make(&Mkfs::new(kind, BlockSize(block_size), 64 * MIB));
            let other = fixture.directory.path().join("other");
            fs::copy(fixture.image(), &other).unwrap();
            grow(&fixture.image(), len_bytes).unwrap();
            File::options()
                .write(true)
                .open(&other)
                .unwrap()
                .set_len(len_bytes)
                .unwrap();
            let output = tool("resize2fs", "e2fsprogs")
                .arg("-f")
                .arg(&other)
                .output()
                .unwrap();
            assert!(output.status.success(), "{output:?}");
            assert_eq!(numbers(&fixture.image()), numbers(&other));
        }
    }
}

#[test]
fn kernel_fills_the_new_groups() {
    for kind in ExtKind::ALL {
        for block_size in [BlockSize(1024), BlockSize(4096)] {
            let fixture = Fixture::new();
            let image = fixture.image();
            fixture.make(&Mkfs::new(kind, block_size, 24 * MIB));
            grow(&image, 400 * MIB).unwrap();
            let mounted = Mounted::new(&image, kind.name());
            assert_eq!(
                fs::read(mounted.path().join("share/file100")).unwrap(),
                vec![b'a' + 22; 21_100]
            );
            for number in 0..3 {
                let file = File::create(mounted.path().join(format!("large{number}"))).unwrap();
                for piece in 0..100 {
                    file.write_all_at(&vec![number + 1; 1 << 20], piece << 20)
                        .unwrap();
                }
            }
            drop(mounted);
            e2fsck_clean(&image);
            // What the kernel left behind grows on.
            grow(&image, 500 * MIB).unwrap();
            e2fsck_clean(&image);
        }
    }
}

#[test]
fn bytes_beyond_the_old_end_are_not_taken_for_tables() {
    let fixture = Fixture::new();
    let image = fixture.image();
    fixture.make(&Mkfs::new(ExtKind::Ext3, BlockSize(1024), 16 * MIB));
    let file = File::options().write(true).open(&image).unwrap();
    file.write_all_at(&vec![0xA5; 16 << 20], 16 * MIB).unwrap();
    grow(&image, 32 * MIB).unwrap();
    e2fsck_clean(&image);
}

#[test]
fn growing_names_the_largest_length_and_what_stands_against_more() {
    let fixture = Fixture::new();
    let image = fixture.image();
    fixture.make(&Mkfs::new(ExtKind::Ext3, BlockSize(1024), 16 * MIB));
    let error = grow(&image, 5 << 40).unwrap_err();
    let largest = fixture_largest(&image);
    assert_eq!(
        error.to_string(),
        format!(
            "the file system cannot grow to 5497558138880 bytes, only to {largest}: all group descriptors have to fit into \
             one group without `meta_bg`"
        )
    );
    e2fsck_clean(&image);
}

/// 32 descriptors a block, in a group of 8192 blocks with an inode table, two bitmaps, a superblock and 50 blocks more.
fn fixture_largest(image: &Path) -> u64 {
    let fs = open(image);
    let geometry = fs.superblock().geometry();
    let room = 8192 - geometry.inode_table_blocks() - 53;
    (room * 32 * 8192 + 1) * 1024
}
