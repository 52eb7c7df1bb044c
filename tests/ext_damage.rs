//! Damage of every sort, one at a time: the check says exactly what is wrong, and e2fsck finds the image damaged too.

use std::fmt::Write as _;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mln_image::base::Timestamp;
use mln_image::block::FileDevice;
use mln_image::ext::{self, Fs, InodeNo, NewNode};
use tempfile::TempDir;

use crate::support::{BlockSize, ExtKind, Mkfs, debugfs_write, e2fsck_clean, e2fsck_damaged};

/// The file of damages, each a line `kind: request ; request`, and indented lines with all that the check then says.
pub(crate) const DAMAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ext_damage.txt");

/// A small file system whose inode numbers are known: 12 `/d`, 13 `/f` of 400 blocks, 14 `/d/e`, 15 `/d/e/g` of one
/// block, 16 `/l`.
pub(crate) fn small(directory: &TempDir, kind: ExtKind) -> PathBuf {
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

/// An ext3 with a directory of 300 names, inode 12, which has a hash tree.
pub(crate) fn crowded(directory: &TempDir) -> PathBuf {
    let image = directory.path().join("crowded");
    Mkfs::new(ExtKind::Ext3, BlockSize(1024), 16 << 20).make(&image, None);
    let device = Arc::new(FileDevice::open_writable(&image).unwrap());
    let mut fs = Fs::open_for_edit(device, Timestamp::from_seconds(1_750_000_000)).unwrap();
    let crowd = fs.mkdir(InodeNo::ROOT, b"crowd", NewNode::default()).unwrap();
    for number in 0..300 {
        let name = format!("one name of three hundred: {number}");
        fs.create_file(crowd, name.as_bytes(), NewNode::default())
            .unwrap();
    }
    fs.commit().unwrap();
    e2fsck_clean(&image);
    image
}

fn findings(image: &Path) -> Vec<String> {
    let findings = ext::check(Arc::new(FileDevice::open(image).unwrap())).unwrap();
    findings.iter().map(ToString::to_string).collect()
}

/// What the check of `whole` says of `image` after a look at the places where the two differ.
fn since_whole(whole: &Path, image: &Path) -> Vec<String> {
    let open = |path: &Path| Fs::open(Arc::new(FileDevice::open(path).unwrap()));
    let Ok(damaged) = open(image) else {
        return findings(image);
    };
    let bytes = |path: &Path| std::fs::read(path).unwrap();
    let (before, after) = (bytes(whole), bytes(image));
    let sectors = before.chunks(512).zip(after.chunks(512)).enumerate();
    let changed: Vec<_> = sectors
        .filter(|(_, (before, after))| before != after)
        .map(|(number, _)| number as u64 * 512..number as u64 * 512 + 512)
        .collect();
    let checked = open(whole).unwrap().into_checked().unwrap().unwrap();
    let findings = checked.check(&damaged, &changed).unwrap();
    findings.iter().map(ToString::to_string).collect()
}

#[test]
fn each_damage_is_named_and_nothing_else() {
    let directory = TempDir::new().unwrap();
    let whole = [
        ("ext3", small(&directory, ExtKind::Ext3)),
        ("ext4", small(&directory, ExtKind::Ext4)),
        ("crowded", crowded(&directory)),
    ];
    let image = directory.path().join("damaged");
    let mut others = String::new();
    let mut damages = 0;
    for damage in std::fs::read_to_string(DAMAGES).unwrap().split("\n\n").skip(1) {
        let (head, expected) = damage.split_once('\n').unwrap();
        let (name, requests) = head.split_once(": ").unwrap();
        let (_, source) = whole.iter().find(|(whole, _)| *whole == name).unwrap();
        std::fs::copy(source, &image).unwrap();
        debugfs_write(&image, &requests.split(" ; ").collect::<Vec<_>>());
        let found = findings(&image);
        if found != expected.lines().map(str::trim).collect::<Vec<_>>() {
            writeln!(others, "\n{head}\n    {}", found.join("\n    ")).unwrap();
        }
        assert_eq!(since_whole(source, &image), found, "{head}, by what has changed");
        e2fsck_damaged(&image);
        damages += 1;
    }
    assert_eq!(others, "", "other findings than the table says");
    assert!(damages > 50, "the table is cut off: {damages}");
}
