//! Damage of every sort, one at a time: the check says exactly what is wrong, and e2fsck finds the image damaged too.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mln_image::block::FileDevice;
use mln_image::ext;
use tempfile::TempDir;

use crate::support::{BlockSize, ExtKind, Mkfs, debugfs_write, e2fsck_clean, e2fsck_damaged};

/// The damages, each a line `kind: request ; request`, and indented lines with all that the check then says.
const DAMAGES: &str = include_str!("ext_damage.txt");

/// A small file system whose inode numbers are known: 12 `/d`, 13 `/f` of 400 blocks, 14 `/d/e`, 15 `/d/e/g` of one
/// block, 16 `/l`.
fn small(directory: &TempDir, kind: ExtKind) -> PathBuf {
    let image = directory.path().join(kind.name());
    Mkfs::new(kind, BlockSize(1024), 16 << 20).make(&image, None);
    let content = directory.path().join("content");
    let file = File::create(&content).unwrap();
    file.write_all_at(&vec![0x55; 400 << 10], 0).unwrap();
    let short = directory.path().join("short");
    File::create(&short).unwrap().write_all_at(b"short", 0).unwrap();
    let write = format!("write {} f", content.display());
    let write_short = format!("write {} d/e/g", short.display());
    debugfs_write(
        &image,
        &["mkdir d", &write, "mkdir d/e", &write_short, "symlink l target"],
    );
    debugfs_write(&image, &["ea_set f user.x 1", "ea_set f user.y 2"]);
    e2fsck_clean(&image);
    image
}

fn findings(image: &Path) -> Vec<String> {
    let findings = ext::check(Arc::new(FileDevice::open(image).unwrap())).unwrap();
    findings.iter().map(ToString::to_string).collect()
}

#[test]
fn each_damage_is_named_and_nothing_else() {
    let directory = TempDir::new().unwrap();
    let whole = [ExtKind::Ext3, ExtKind::Ext4].map(|kind| (kind.name(), small(&directory, kind)));
    let image = directory.path().join("damaged");
    let mut damages = 0;
    for damage in DAMAGES.split("\n\n").skip(1) {
        let (head, expected) = damage.split_once('\n').unwrap();
        let (kind, requests) = head.split_once(": ").unwrap();
        let (_, source) = whole.iter().find(|(name, _)| *name == kind).unwrap();
        std::fs::copy(source, &image).unwrap();
        debugfs_write(&image, &requests.split(" ; ").collect::<Vec<_>>());
        let expected: Vec<&str> = expected.lines().map(str::trim).collect();
        assert_eq!(findings(&image), expected, "{head}");
        e2fsck_damaged(&image);
        damages += 1;
    }
    assert!(damages > 40, "the table is cut off: {damages}");
}
