//! Long files and full directories: beyond 2 and 4 GiB, deep extent trees, triple indirect blocks, 300,000 names. The
//! kernel reads what the engine wrote and goes on with it; e2fsck finds nothing. The images are files with holes.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mln_image::base::Timestamp;
use mln_image::block::FileDevice;
use mln_image::ext::{self, Fs, InodeNo, NewNode};
use tempfile::TempDir;

use crate::support::{BlockSize, ExtKind, Mkfs, Mounted, debugfs, e2fsck_clean};

const GIB: u64 = 1 << 30;
const NODE: NewNode = NewNode {
    mode: 0o755,
    uid: 0,
    gid: 0,
};

/// An image of `len_bytes` with room for few files.
fn image(place: &TempDir, kind: ExtKind, block_size: u32, len_bytes: u64) -> PathBuf {
    let image = place.path().join(format!("{}-{block_size}", kind.name()));
    let mkfs = Mkfs::new(kind, BlockSize(block_size), len_bytes);
    mkfs.options("-N 4096 -J size=4").make(&image, None);
    image
}

fn open(image: &Path) -> Fs {
    let device = Arc::new(FileDevice::open_writable(image).unwrap());
    Fs::open_for_edit(device, Timestamp::from_seconds(1_750_000_000)).unwrap()
}

#[track_caller]
fn judge(image: &Path) {
    e2fsck_clean(image);
    let device = Arc::new(FileDevice::open(image).unwrap());
    let findings = ext::check(device).unwrap();
    assert!(findings.is_empty(), "{findings:?}");
}

/// Bytes that tell from which place they are.
fn piece(offset_bytes: u64) -> Vec<u8> {
    format!("<{offset_bytes}>").repeat(300).into_bytes()
}

#[track_caller]
fn check_pieces(file: &File, offsets: &[u64]) {
    for offset in offsets {
        let expected = piece(*offset);
        let mut found = vec![0; expected.len()];
        file.read_exact_at(&mut found, *offset).unwrap();
        assert!(found == expected, "at {offset}");
    }
}

#[test]
fn files_beyond_2_and_4_gib_are_read_and_continued_by_the_kernel() {
    // With 4 KiB blocks the third order of indirect blocks begins a little behind 4 GiB, with 1 KiB at 64 MiB.
    let before = [
        0,
        2 * GIB - 1000,
        4 * GIB - 1000,
        4 * GIB + (5 << 20),
        6 * GIB + 12_345,
    ];
    let by_kernel = [GIB + 7, 5 * GIB + 7, 7 * GIB + 7];
    let place = TempDir::new().unwrap();
    for (kind, block_size) in [
        (ExtKind::Ext2, 4096),
        (ExtKind::Ext3, 1024),
        (ExtKind::Ext3, 4096),
        (ExtKind::Ext4, 1024),
        (ExtKind::Ext4, 4096),
    ] {
        let image = image(&place, kind, block_size, 512 << 20);
        let mut fs = open(&image);
        let file = fs.create_file(InodeNo::ROOT, b"file", NODE).unwrap();
        for offset in before {
            fs.write_at(file, offset, &piece(offset)).unwrap();
        }
        fs.commit().unwrap();
        drop(fs);
        judge(&image);
        let mounted = Mounted::new(&image, kind.name());
        let path = mounted.path().join("file");
        let file = File::options().read(true).write(true).open(path).unwrap();
        check_pieces(&file, &before);
        assert!(
            file.metadata().unwrap().blocks() < 1000,
            "{}: no holes",
            kind.name()
        );
        for offset in by_kernel {
            file.write_all_at(&piece(offset), offset).unwrap();
        }
        drop(file);
        drop(mounted);
        judge(&image);
        let mut fs = open(&image);
        let file = fs.find_entry(InodeNo::ROOT, b"file").unwrap().unwrap();
        for offset in before.iter().chain(&by_kernel) {
            let mut found = vec![0; piece(*offset).len()];
            fs.read_at(file, *offset, &mut found).unwrap();
            assert!(found == piece(*offset), "{} at {offset}", kind.name());
        }
        // What remains is short again: the upper half of the length and the deep blocks go.
        fs.truncate(file, 2 * GIB).unwrap();
        fs.commit().unwrap();
        drop(fs);
        judge(&image);
        let mounted = Mounted::read_only(&image, kind.name());
        let file = File::open(mounted.path().join("file")).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 2 * GIB);
        check_pieces(&file, &[0, GIB + 7]);
        drop(file);
        drop(mounted);
        fs::remove_file(&image).unwrap();
    }
}

#[test]
fn extent_trees_of_two_levels_are_written_and_the_kernel_goes_on_with_them() {
    let place = TempDir::new().unwrap();
    let image = image(&place, ExtKind::Ext4, 1024, 64 << 20);
    let mut fs = open(&image);
    let file = fs.create_file(InodeNo::ROOT, b"file", NODE).unwrap();
    // A leaf holds 84 extents and the inode four leaves.
    let offsets: Vec<u64> = (0..600).map(|number| number * 8192).collect();
    for offset in &offsets {
        fs.write_at(file, *offset, &piece(*offset)[..900]).unwrap();
    }
    fs.commit().unwrap();
    drop(fs);
    judge(&image);
    let extents = debugfs(&image, "dump_extents /file");
    assert!(extents.contains(" 2/ 2 "), "{extents}");
    let mounted = Mounted::new(&image, "ext4");
    let path = mounted.path().join("file");
    let file = File::options().read(true).write(true).open(&path).unwrap();
    for offset in &offsets {
        let mut found = vec![0; 900];
        file.read_exact_at(&mut found, *offset).unwrap();
        assert!(found == piece(*offset)[..900], "at {offset}");
        file.write_all_at(b"kernel", offset + 4096).unwrap();
    }
    assert_eq!(fs::metadata(&path).unwrap().len(), 599 * 8192 + 4102);
    drop(file);
    drop(mounted);
    judge(&image);
}

#[test]
fn a_directory_of_300_000_names_is_found_by_the_kernel() {
    const NAMES: u32 = 300_000;
    const FILES: u32 = 10;
    let name = |number: u32| format!("name {number}");
    let place = TempDir::new().unwrap();
    let image = image(&place, ExtKind::Ext4, 4096, 64 << 20);
    let mut fs = open(&image);
    let crowd = fs.mkdir(InodeNo::ROOT, b"crowd", NODE).unwrap();
    // A file has at most 65,000 names.
    let files: Vec<InodeNo> = (0..FILES)
        .map(|number| fs.create_file(crowd, name(number).as_bytes(), NODE).unwrap())
        .collect();
    for number in FILES..NAMES {
        let file = files[usize::try_from(number % FILES).unwrap()];
        fs.link(file, crowd, name(number).as_bytes()).unwrap();
    }
    fs.commit().unwrap();
    drop(fs);
    judge(&image);
    let mounted = Mounted::new(&image, "ext4");
    let crowd = mounted.path().join("crowd");
    let inode = |number| fs::symlink_metadata(crowd.join(name(number))).unwrap().ino();
    for number in (0..NAMES).step_by(997) {
        assert_eq!(inode(number), inode(number % FILES), "{number}");
    }
    assert_eq!(fs::read_dir(&crowd).unwrap().count(), 300_000);
    for number in (FILES..NAMES).step_by(3) {
        fs::remove_file(crowd.join(name(number))).unwrap();
    }
    drop(mounted);
    judge(&image);
    let fs = open(&image);
    let crowd = fs.find_entry(InodeNo::ROOT, b"crowd").unwrap().unwrap();
    assert_eq!(fs.read_dir(crowd).unwrap().len(), 200_003);
    assert!(fs.find_entry(crowd, name(11).as_bytes()).unwrap().is_some());
    assert!(fs.find_entry(crowd, name(10).as_bytes()).unwrap().is_none());
}
