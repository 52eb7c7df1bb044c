//! Edits of images of mke2fs, judged by e2fsck and read back.

use super::testing::{KINDS, NOW, TestImage, pattern};
use super::{ExtError, Follow, Fs, InodeNo, NewNode, SpecialFile};
use crate::base::{FileKind, GuestPath, Timestamp};

const NEW: NewNode = NewNode {
    mode: 0o640,
    uid: 100_000,
    gid: 70_000,
};

fn find(fs: &Fs, path: &str) -> InodeNo {
    fs.lookup(&GuestPath::literal(path), Follow::NotLast)
        .unwrap()
        .unwrap_or_else(|| panic!("no {path}"))
}

fn is_there(fs: &Fs, path: &str) -> bool {
    fs.lookup(&GuestPath::literal(path), Follow::NotLast)
        .unwrap()
        .is_some()
}

/// Runs `edit` on an image of every kind, plain and with hash trees, and lets e2fsck and `see` judge.
fn on_every_kind(edit: impl Fn(&mut Fs), see: impl Fn(&Fs)) {
    for kind in KINDS {
        for is_indexed in [false, true] {
            let image = TestImage::new(kind, "24M");
            if is_indexed {
                image.index_directories();
            }
            let mut fs = image.edit();
            edit(&mut fs);
            see(&fs);
            fs.commit().unwrap();
            image.check(kind);
            see(&image.open());
        }
    }
}

#[test]
fn files_are_made_written_and_cut() {
    let large = pattern(3_000_000, 7);
    on_every_kind(
        |fs| {
            let etc = find(fs, "/etc");
            let file = fs.create_file(etc, b"new", NEW).unwrap();
            fs.write_at(file, 0, b"hello").unwrap();
            fs.append(file, b" world").unwrap();
            let big = fs.create_file(etc, b"big", NEW).unwrap();
            fs.replace_content(big, &large).unwrap();
            let holes = fs.create_file(etc, b"holes", NEW).unwrap();
            fs.write_at(holes, 5_000_000, b"end").unwrap();
            fs.write_at(holes, 2_000_001, b"middle").unwrap();
            fs.truncate(find(fs, "/large"), 12_345).unwrap();
            fs.truncate(find(fs, "/middle"), 100_000).unwrap();
            fs.replace_content(find(fs, "/etc/hostname"), b"changed\n")
                .unwrap();
            fs.truncate(find(fs, "/sparse"), 70_000_000).unwrap();
        },
        |fs| {
            let read = |path| fs.read_file(find(fs, path), 1 << 30).unwrap();
            assert_eq!(read("/etc/new"), b"hello world");
            assert!(read("/etc/big") == large);
            let holes = read("/etc/holes");
            assert_eq!(
                (holes.len(), &holes[2_000_001..2_000_007]),
                (5_000_003, &b"middle"[..])
            );
            assert_eq!(holes.iter().filter(|byte| **byte != 0).count(), 9);
            assert!(read("/large") == pattern(700_000, 2)[..12_345]);
            let mut middle = pattern(30_000, 1);
            middle.resize(100_000, 0);
            assert!(read("/middle") == middle);
            assert_eq!(read("/etc/hostname"), b"changed\n");
            assert_eq!(read("/sparse").len(), 70_000_000);
            let inode = fs.inode(find(fs, "/etc/new")).unwrap();
            assert_eq!(
                (inode.uid, inode.gid, inode.mode, inode.links_count),
                (100_000, 70_000, 0o640, 1)
            );
        },
    );
}

#[test]
fn links_directories_and_special_files_are_made() {
    on_every_kind(
        |fs| {
            let root = InodeNo::ROOT;
            let deep = fs.mkdir(root, b"deep", NEW).unwrap();
            let below = fs.mkdir(deep, b"below", NEW).unwrap();
            fs.symlink(below, b"fast", b"../target", NEW).unwrap();
            fs.symlink(below, b"edge", &[b'e'; 59], NEW).unwrap();
            fs.symlink(below, b"slow", &[b's'; 60], NEW).unwrap();
            fs.symlink(below, b"slower", &[b's'; 900], NEW).unwrap();
            fs.mknod(below, b"null", SpecialFile::CharDevice(1, 3), NEW)
                .unwrap();
            fs.mknod(below, b"disk", SpecialFile::BlockDevice(259, 300), NEW)
                .unwrap();
            fs.mknod(below, b"pipe", SpecialFile::Fifo, NEW).unwrap();
            fs.mknod(below, b"socket", SpecialFile::Socket, NEW).unwrap();
            fs.link(find(fs, "/middle"), below, b"hard").unwrap();
        },
        |fs| {
            let text = |name: &str| fs.read_link(find(fs, &format!("/deep/below/{name}"))).unwrap();
            assert_eq!(text("fast"), b"../target");
            assert_eq!(
                [text("edge"), text("slow"), text("slower")].map(|text| text.len()),
                [59, 60, 900]
            );
            let disk = fs.inode(find(fs, "/deep/below/disk")).unwrap();
            assert_eq!(
                (disk.kind, disk.device),
                (FileKind::BlockDevice, Some((259, 300)))
            );
            assert_eq!(fs.inode(find(fs, "/middle")).unwrap().links_count, 3);
            assert_eq!(fs.inode(find(fs, "/deep")).unwrap().links_count, 3);
        },
    );
}

#[test]
fn names_are_removed_and_moved() {
    on_every_kind(
        |fs| {
            let (root, etc) = (InodeNo::ROOT, find(fs, "/etc"));
            for number in (0..300).step_by(2) {
                let name = format!("file-with-a-rather-long-name-{number}");
                fs.unlink(find(fs, "/many"), name.as_bytes()).unwrap();
            }
            fs.unlink(etc, b"hard").unwrap();
            fs.unlink(root, b"large").unwrap();
            fs.unlink(root, b"sparse").unwrap();
            fs.unlink(root, b"long-link").unwrap();
            fs.rename((etc, b"network"), (root, b"empty")).unwrap();
            fs.rename((root, b"middle"), (etc, b"hostname")).unwrap();
            fs.mkdir(root, b"gone", NEW).unwrap();
            fs.rmdir(root, b"gone").unwrap();
            let tree = fs.mkdir(root, b"tree", NEW).unwrap();
            let branch = fs.mkdir(tree, b"branch", NEW).unwrap();
            fs.create_file(branch, b"leaf", NEW).unwrap();
            fs.remove_tree(root, b"tree").unwrap();
        },
        |fs| {
            assert!(!is_there(fs, "/many/file-with-a-rather-long-name-0"));
            assert!(is_there(fs, "/many/file-with-a-rather-long-name-1"));
            assert!(is_there(fs, "/empty/interfaces"));
            assert!(!is_there(fs, "/etc/network") && !is_there(fs, "/tree") && !is_there(fs, "/gone"));
            assert!(fs.read_file(find(fs, "/etc/hostname"), 1 << 20).unwrap() == pattern(30_000, 1));
        },
    );
}

#[test]
fn thousands_of_names_get_a_hash_tree() {
    on_every_kind(
        |fs| {
            let fresh = fs.mkdir(InodeNo::ROOT, b"fresh", NEW).unwrap();
            let (many, middle) = (find(fs, "/many"), find(fs, "/middle"));
            for number in 0..3000 {
                let name = format!("n{number:04}-{}", "\u{e9}".repeat(number % 50));
                fs.mknod(fresh, name.as_bytes(), SpecialFile::Fifo, NEW).unwrap();
                fs.link(middle, many, name.as_bytes()).unwrap();
            }
        },
        |fs| {
            assert_eq!(fs.read_dir(find(fs, "/fresh")).unwrap().len(), 3000);
            assert_eq!(fs.read_dir(find(fs, "/many")).unwrap().len(), 3300);
        },
    );
}

#[test]
fn attributes_are_set_where_there_is_room() {
    let later = Timestamp {
        seconds: 5_000_000_000,
        nanoseconds: 999_999_999,
    };
    on_every_kind(
        |fs| {
            let file = find(fs, "/middle");
            fs.set_mode(file, 0o4711).unwrap();
            fs.set_owner(file, 4_000_000_000, 65_536).unwrap();
            fs.set_times(file, later, later).unwrap();
            fs.set_xattr(file, b"user.small", b"tiny").unwrap();
            fs.set_xattr(file, b"security.capability", &[7; 300]).unwrap();
            fs.set_xattr(file, b"user.empty", b"").unwrap();
            fs.set_xattr(file, b"user.gone", b"x").unwrap();
            fs.remove_xattr(file, b"user.gone").unwrap();
            fs.set_xattr(file, b"user.small", b"less tiny").unwrap();
            let other = find(fs, "/large");
            fs.set_xattr(other, b"user.large", &[3; 400]).unwrap();
            fs.unlink(InodeNo::ROOT, b"large").unwrap();
        },
        |fs| {
            let inode = fs.inode(find(fs, "/middle")).unwrap();
            assert_eq!(
                (inode.mode, inode.uid, inode.gid),
                (0o4711, 4_000_000_000, 65_536)
            );
            let has_room = fs.superblock().geometry().inode_size > 128;
            let expected = if has_room {
                later
            } else {
                Timestamp::from_seconds(0x7FFF_FFFF)
            };
            assert_eq!((inode.atime, inode.mtime), (expected, expected));
            assert_eq!(inode.ctime.seconds, NOW.seconds);
            let xattrs = fs.xattrs(inode.number).unwrap();
            let found: Vec<(&[u8], usize)> = xattrs
                .iter()
                .map(|found| (&found.name[..], found.value.len()))
                .collect();
            assert_eq!(
                found,
                [
                    (&b"security.capability"[..], 300),
                    (b"user.empty", 0),
                    (b"user.small", 9)
                ]
            );
        },
    );
}

#[test]
fn a_full_file_system_says_how_much_is_missing() {
    for kind in KINDS {
        let image = TestImage::new(kind, "24M");
        let mut fs = image.edit();
        let file = fs.create_file(InodeNo::ROOT, b"huge", NEW).unwrap();
        let content = pattern(30_000_000, 3);
        let refusal = fs.replace_content(file, &content).unwrap_err();
        let (usage, blocks) = (fs.usage(), fs.block_size().blocks_for(30_000_000));
        assert!(
            matches!(refusal, ExtError::NoSpace { needed, free, reserved }
                if (needed, free, reserved) == (blocks, usage.free_blocks, usage.reserved_blocks)),
            "{kind}: {refusal}"
        );
        // Nothing had begun, so what was done before may be kept.
        fs.commit().unwrap();
        image.check(kind);
    }
}

#[test]
fn what_failed_half_way_is_never_written() {
    let image = TestImage::new("-t ext4", "24M");
    let before = std::fs::read(image.path()).unwrap();
    let mut fs = image.edit();
    let file = fs.create_file(InodeNo::ROOT, b"cut short", NEW).unwrap();
    // The stream ends before the length that was promised.
    let failure = fs
        .replace_content_from(file, &mut &b"short"[..], 5_000)
        .unwrap_err();
    assert!(matches!(failure, ExtError::Source(_)), "{failure}");
    let refusal = fs.commit().unwrap_err();
    assert!(matches!(refusal, ExtError::HalfDone), "{refusal}");
    drop(fs);
    image.check("-t ext4");
    assert_eq!(std::fs::read(image.path()).unwrap().len(), before.len());
}

#[test]
fn every_last_block_can_be_used() {
    for kind in KINDS {
        let image = TestImage::new(kind, "24M");
        let mut fs = image.edit();
        let file = fs.create_file(InodeNo::ROOT, b"huge", NEW).unwrap();
        let block = u64::from(fs.block_size().bytes());
        // Room is left for the blocks that say where the content lies.
        let len = usize::try_from((fs.usage().free_blocks - 100) * block).unwrap();
        let content = pattern(len, 4);
        fs.replace_content(file, &content).unwrap();
        fs.commit().unwrap();
        image.check(kind);
        assert!(image.open().read_file(file, 1 << 30).unwrap() == content);
    }
}

#[test]
fn all_inodes_can_be_used_and_given_back() {
    for kind in KINDS {
        let image = TestImage::new(&format!("{kind} -N 2000"), "24M");
        let mut fs = image.edit();
        let directory = fs.mkdir(InodeNo::ROOT, b"full", NEW).unwrap();
        let before = fs.usage().free_inodes;
        for number in 0..before {
            fs.create_file(directory, format!("{number}").as_bytes(), NEW)
                .unwrap();
        }
        let refusal = fs.create_file(directory, b"more", NEW).unwrap_err();
        assert!(matches!(refusal, ExtError::NoInodes));
        fs.commit().unwrap();
        image.check(kind);
        let mut fs = image.edit();
        fs.remove_tree(InodeNo::ROOT, b"full").unwrap();
        assert_eq!(fs.usage().free_inodes, before + 1);
        fs.commit().unwrap();
        image.check(kind);
    }
}

#[test]
fn a_directory_cannot_be_moved_into_itself() {
    let image = TestImage::new("-t ext4", "24M");
    let mut fs = image.edit();
    let network = find(&fs, "/etc/network");
    let refusal = fs.rename((InodeNo::ROOT, b"etc"), (network, b"etc")).unwrap_err();
    assert!(matches!(refusal, ExtError::IntoItself { .. }));
}

#[test]
fn what_was_opened_for_reading_refuses_edits() {
    let image = TestImage::new("-t ext4", "24M");
    let mut fs = image.open();
    let refusal = fs.create_file(InodeNo::ROOT, b"new", NEW).unwrap_err();
    assert!(matches!(refusal, ExtError::ReadOnly));
}
