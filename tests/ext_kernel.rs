//! The kernel works on what the engine wrote, and the engine on what the kernel did with it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use mln_image::base::{GuestPath, Timestamp};
use mln_image::block::FileDevice;
use mln_image::ext::{self, Follow, Fs, InodeNo, NewNode};
use tempfile::TempDir;

use crate::support::{BlockSize, ExtKind, Mkfs, Mounted, debugfs, e2fsck_clean};

/// Enough for a hash tree of two levels at 1 KiB blocks.
const NAMES: usize = 3500;
const DIRECTORY: NewNode = NewNode {
    mode: 0o755,
    uid: 0,
    gid: 0,
};
const FILE: NewNode = NewNode {
    mode: 0o640,
    uid: 100_000,
    gid: 100_001,
};

/// Names with bytes beyond ASCII too, which hash functions take for signed or for unsigned.
fn name(number: usize) -> String {
    format!("num\u{e9}ro {number} \u{2192} {}", "x".repeat(number % 20))
}

fn open(image: &Path) -> Fs {
    let device = Arc::new(FileDevice::open_writable(image).unwrap());
    Fs::open_for_edit(device, Timestamp::from_seconds(1_750_000_000)).unwrap()
}

#[test]
fn kernel_finds_and_changes_the_names_of_a_large_directory() {
    let directory = TempDir::new().unwrap();
    let image = directory.path().join("image");
    for kind in ExtKind::ALL {
        for block_size in [BlockSize(1024), BlockSize(4096)] {
            Mkfs::new(kind, block_size, 32 << 20).make(&image, None);
            let mut fs = open(&image);
            let crowd = fs.mkdir(InodeNo::ROOT, b"crowd", DIRECTORY).unwrap();
            for number in 0..NAMES {
                fs.create_file(crowd, name(number).as_bytes(), FILE).unwrap();
            }
            fs.commit().unwrap();
            drop(fs);
            e2fsck_clean(&image);
            if block_size.0 == 1024 {
                let dump = debugfs(&image, "htree_dump /crowd");
                assert!(dump.contains("Indirect levels: 1"), "{}", &dump[..400]);
            }
            let mounted = Mounted::new(&image, kind.name());
            let crowd = mounted.path().join("crowd");
            for number in 0..NAMES {
                let place = crowd.join(name(number));
                assert!(
                    fs::symlink_metadata(&place).is_ok(),
                    "the kernel does not find {place:?}"
                );
                if number % 3 == 0 {
                    fs::remove_file(place).unwrap();
                }
            }
            for number in NAMES..NAMES + 500 {
                File::create(crowd.join(name(number))).unwrap();
            }
            drop(mounted);
            let mut fs = open(&image);
            let crowd = fs
                .lookup(&GuestPath::literal("/crowd"), Follow::All)
                .unwrap()
                .unwrap();
            let wanted: BTreeSet<String> = (0..NAMES + 500)
                .filter(|number| *number >= NAMES || number % 3 != 0)
                .map(name)
                .collect();
            let entries = fs.read_dir(crowd).unwrap();
            let found = entries
                .iter()
                .map(|entry| String::from_utf8(entry.name.clone()).unwrap());
            assert_eq!(found.collect::<BTreeSet<_>>(), wanted);
            for name in wanted.iter().step_by(2) {
                fs.unlink(crowd, name.as_bytes()).unwrap();
            }
            fs.commit().unwrap();
            e2fsck_clean(&image);
            assert_eq!(
                ext::check(Arc::new(FileDevice::open(&image).unwrap())).unwrap(),
                []
            );
        }
    }
}

#[test]
fn kernel_reads_and_continues_the_files_that_the_engine_wrote() {
    let directory = TempDir::new().unwrap();
    let image = directory.path().join("image");
    // Pieces with holes between them, so many that they need indirect blocks, or more extents than an inode holds.
    let piece = |number: u64| vec![u8::try_from(number % 250).unwrap() + 1; 3000];
    for kind in ExtKind::ALL {
        for block_size in BlockSize::ALL {
            Mkfs::new(kind, block_size, 48 << 20).make(&image, None);
            let mut fs = open(&image);
            let file = fs.create_file(InodeNo::ROOT, b"pieces", FILE).unwrap();
            for number in 0..400 {
                fs.write_at(file, number * 20_000, &piece(number)).unwrap();
            }
            fs.commit().unwrap();
            drop(fs);
            e2fsck_clean(&image);
            let mounted = Mounted::new(&image, kind.name());
            let path = mounted.path().join("pieces");
            let bytes = fs::read(&path).unwrap();
            let file = File::options().write(true).open(&path).unwrap();
            for number in 0..400_u64 {
                let start = usize::try_from(number * 20_000).unwrap();
                assert_eq!(bytes[start..start + 3000], piece(number));
                assert!(bytes[start + 3000..].iter().take(17_000).all(|byte| *byte == 0));
                file.write_all_at(&piece(number + 7), number * 20_000 + 9_000)
                    .unwrap();
            }
            drop(file);
            let expected = fs::read(&path).unwrap();
            drop(mounted);
            let mut fs = open(&image);
            let file = fs
                .lookup(&GuestPath::literal("/pieces"), Follow::All)
                .unwrap()
                .unwrap();
            assert_eq!(fs.read_file(file, 1 << 30).unwrap(), expected);
            fs.truncate(file, 3_333_333).unwrap();
            fs.commit().unwrap();
            e2fsck_clean(&image);
            assert_eq!(
                ext::check(Arc::new(FileDevice::open(&image).unwrap())).unwrap(),
                []
            );
        }
    }
}
