//! What the reader sees in images of mke2fs, held against the tree that they were made from.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::testing::{KINDS, TestImage};
use super::{ExtError, Follow, Fs, InodeNo};
use crate::base::{FileKind, GuestPath};

fn compare(fs: &Fs, inode: InodeNo, path: &Path) {
    let mut listed: Vec<_> = fs.read_dir(inode).unwrap();
    listed.retain(|entry| entry.name != b"lost+found");
    let expected: BTreeSet<Vec<u8>> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().as_bytes().to_vec())
        .collect();
    assert_eq!(
        listed
            .iter()
            .map(|entry| entry.name.clone())
            .collect::<BTreeSet<_>>(),
        expected
    );
    for entry in listed {
        let place = path.join(std::ffi::OsStr::from_bytes(&entry.name));
        match entry.kind {
            FileKind::Directory => compare(fs, entry.inode, &place),
            FileKind::Symlink => {
                let text = fs::read_link(&place).unwrap();
                assert_eq!(fs.read_link(entry.inode).unwrap(), text.as_os_str().as_bytes());
            }
            FileKind::Regular => {
                assert!(
                    fs.read_file(entry.inode, 1 << 30).unwrap() == fs::read(&place).unwrap(),
                    "{place:?}"
                );
            }
            kind => panic!("{place:?} is {kind:?}"),
        }
    }
}

#[test]
fn every_file_of_every_kind_of_image_reads_back() {
    for kind in KINDS {
        let image = TestImage::new(kind, "24M");
        compare(&image.open(), InodeNo::ROOT, &image.tree());
        image.index_directories();
        compare(&image.open(), InodeNo::ROOT, &image.tree());
    }
}

#[test]
fn links_resolve_inside_the_image() {
    let image = TestImage::new("-t ext4", "24M");
    let fs = image.open();
    let find = |path: &str, follow| fs.lookup(&GuestPath::literal(path), follow).unwrap();
    let hostname = find("/etc/hostname", Follow::NotLast);
    assert!(hostname.is_some());
    assert_eq!(find("/etc/link", Follow::All), hostname);
    assert_eq!(find("/net/up", Follow::All), hostname);
    assert_ne!(find("/etc/link", Follow::NotLast), hostname);
    assert_eq!(find("/long-link", Follow::All), None);
    assert_eq!(find("/etc/hostname/below", Follow::All), None);
    let endless = fs.lookup(&GuestPath::literal("/loop"), Follow::All);
    assert!(matches!(endless, Err(ExtError::LinkLoop { .. })));
}

#[test]
fn attributes_of_inode_and_block_are_read() {
    let image = TestImage::new("-t ext4 -b 1024", "24M");
    let large = "v".repeat(700);
    image.debugfs_write("ea_set middle user.small tiny");
    image.debugfs_write(&format!("ea_set middle user.large {large}"));
    image.debugfs_write("ea_set middle security.selinux system_u");
    let fs = image.open();
    let inode = fs
        .lookup(&GuestPath::literal("/middle"), Follow::All)
        .unwrap()
        .unwrap();
    let found: Vec<_> = fs
        .xattrs(inode)
        .unwrap()
        .into_iter()
        .map(|found| (String::from_utf8(found.name).unwrap(), found.value))
        .collect();
    let expected = [
        ("security.selinux".to_owned(), b"system_u".to_vec()),
        ("user.large".to_owned(), large.into_bytes()),
        ("user.small".to_owned(), b"tiny".to_vec()),
    ];
    assert_eq!(found, expected);
}

#[test]
fn used_ranges_cover_exactly_the_blocks_in_use() {
    for kind in KINDS {
        let image = TestImage::new(kind, "24M");
        let fs = image.open();
        let used: u64 = fs
            .used_ranges()
            .unwrap()
            .iter()
            .map(|range| range.end - range.start)
            .sum();
        let usage = fs.usage();
        let boot = u64::from(fs.superblock().geometry().first_data_block);
        let expected = (usage.blocks - usage.free_blocks - boot) * u64::from(fs.block_size().bytes());
        assert_eq!(used - boot * 1024, expected, "{kind}");
    }
}
