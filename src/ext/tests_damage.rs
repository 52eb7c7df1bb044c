//! Images damaged on purpose, and images that must be refused: errors are wanted, panics and endless walks are not.

use std::fs;
use std::sync::Arc;

use super::testing::{NOW, TestImage};
use super::{DirtyState, ExtError, Follow, Fs, InodeNo, NewNode};
use crate::base::{FileKind, GuestPath};
use crate::block::{BlockDevice, FileDevice, MemoryDevice, Overlay};

const NEW: NewNode = NewNode {
    mode: 0o644,
    uid: 0,
    gid: 0,
};

/// A sequence of numbers that looks like chance, the same for the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// Reads whatever can be read below `inode`; directories that hold themselves end with `depth`.
fn walk(fs: &Fs, inode: InodeNo, depth: u32, found: &mut Vec<InodeNo>) {
    for entry in fs.read_dir(inode).unwrap_or_default() {
        if found.len() > 2000 {
            return;
        }
        found.push(entry.inode);
        let _ = fs.inode(entry.inode).is_ok();
        let _ = fs.xattrs(entry.inode).is_ok();
        let _ = fs.read_link(entry.inode).is_ok();
        let _ = fs.read_file(entry.inode, 1 << 21).is_ok();
        if entry.kind == FileKind::Directory && depth > 0 {
            walk(fs, entry.inode, depth - 1, found);
        }
    }
}

/// Edits as much as the damage lets it; the answers do not matter.
fn edit(fs: &mut Fs, inodes: &[InodeNo]) -> Result<(), ExtError> {
    for inode in inodes.iter().take(400) {
        let _ = fs.append(*inode, &[1; 5000]).is_ok();
        let _ = fs.create_file(*inode, b"new", NEW).is_ok();
        let _ = fs.set_xattr(*inode, b"user.new", b"value").is_ok();
        let _ = fs.truncate(*inode, 100).is_ok();
    }
    for name in [&b"etc"[..], b"many", b"large", b"sparse", b"long-link"] {
        let _ = fs.remove_tree(InodeNo::ROOT, name).is_ok();
    }
    fs.commit()
}

fn damage_and_use(options: &str, runs: u64) {
    let image = TestImage::new(options, "8M");
    let sound = fs::read(image.path()).unwrap();
    let ranges = image.open().used_ranges().unwrap();
    let mut refused = 0;
    for run in 1..=runs {
        let mut chance = Chance(run.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut bytes = sound.clone();
        for _ in 0..40 {
            // The first megabyte of what is in use holds nearly all tables, directories and trees.
            let range = &ranges[usize::try_from(chance.below(u64::try_from(ranges.len()).unwrap())).unwrap()];
            let offset = range.start + chance.below((range.end - range.start).min(1 << 20));
            if !(1024..1400).contains(&offset) {
                bytes[usize::try_from(offset).unwrap()] = u8::try_from(chance.below(256)).unwrap();
            }
        }
        let device: Arc<dyn BlockDevice> = Arc::new(MemoryDevice::from_bytes(bytes));
        let Ok(mut fs) = Fs::open_for_edit(device, NOW) else {
            refused += 1;
            continue;
        };
        let mut found = vec![InodeNo::ROOT];
        walk(&fs, InodeNo::ROOT, 6, &mut found);
        let _ = edit(&mut fs, &found).is_ok();
    }
    assert!(refused < runs, "no damaged image could be opened at all");
}

#[test]
fn damaged_images_without_checksums_end_in_errors() {
    damage_and_use("-t ext3 -b 1024 -O ^resize_inode -J size=1", 60);
    damage_and_use("-t ext4 -b 1024 -O ^metadata_csum,^resize_inode,^has_journal", 60);
}

#[test]
fn damaged_images_with_checksums_end_in_errors() {
    damage_and_use("-t ext4 -b 1024 -O ^resize_inode,^has_journal", 60);
}

#[test]
fn what_must_be_checked_first_is_not_edited() {
    for (request, expected) in [
        ("feature needs_recovery", DirtyState::Journal),
        ("ssv state 0", DirtyState::NotClean),
        ("ssv state 3", DirtyState::Errors),
        ("ssv last_orphan 12", DirtyState::Orphans),
    ] {
        let image = TestImage::new("-t ext4", "24M");
        image.debugfs_write(request);
        let device = Arc::new(FileDevice::open(&image.path()).unwrap());
        let refusal = Fs::open_for_edit(device, NOW).unwrap_err();
        assert!(
            matches!(refusal, ExtError::NeedsCheck { state } if state == expected),
            "{request}: {refusal}"
        );
        assert!(refusal.to_string().contains("`e2fsck -p`"));
    }
}

#[test]
fn what_is_no_file_system_or_cut_off_is_refused() {
    let refuse = |bytes: Vec<u8>| Fs::open(Arc::new(MemoryDevice::from_bytes(bytes))).unwrap_err();
    assert!(matches!(refuse(Vec::new()), ExtError::NotExt));
    assert!(matches!(refuse(vec![0; 1 << 20]), ExtError::NotExt));
    let image = TestImage::new("-t ext2", "8M");
    let mut bytes = fs::read(image.path()).unwrap();
    bytes.truncate(5 << 20);
    let expected = "the image is cut off: the file system has 8388608 bytes, the image 5242880";
    assert_eq!(refuse(bytes).to_string(), expected);
}

#[test]
fn features_that_cannot_be_edited_are_named() {
    for (options, name) in [("-t ext4 -O quota", "quota"), ("-t ext4 -O bigalloc", "bigalloc")] {
        let image = TestImage::new(options, "24M");
        let device = Arc::new(FileDevice::open(&image.path()).unwrap());
        let refusal = Fs::open_for_edit(device, NOW).unwrap_err();
        assert!(
            matches!(&refusal, ExtError::Unsupported { names, .. } if *names == [name]),
            "{refusal}"
        );
    }
}

#[test]
fn edits_on_an_overlay_leave_the_image_alone_and_repeat() {
    let image = TestImage::new("-t ext4", "24M");
    let before = fs::read(image.path()).unwrap();
    let base: Arc<dyn BlockDevice> = Arc::new(FileDevice::open(&image.path()).unwrap());
    let whole = Fs::open_for_edit(Arc::clone(&base), NOW).unwrap();
    let edit = || {
        let overlay = Arc::new(Overlay::new(Arc::clone(&base)));
        let mut fs = whole.with_device(Arc::clone(&overlay) as Arc<dyn BlockDevice>);
        let etc = fs
            .lookup(&GuestPath::literal("/etc"), Follow::All)
            .unwrap()
            .unwrap();
        for number in 0..200 {
            let file = fs
                .create_file(etc, format!("file-{number}").as_bytes(), NEW)
                .unwrap();
            fs.append(file, format!("{number}").as_bytes()).unwrap();
        }
        fs.commit().unwrap();
        let mut bytes = vec![0; before.len()];
        overlay.read_at(0, &mut bytes).unwrap();
        bytes
    };
    let (one, other) = (edit(), edit());
    assert!(one == other && one != before);
    assert!(fs::read(image.path()).unwrap() == before);
}
