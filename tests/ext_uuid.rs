//! A file system that gets another UUID: every copy of the superblock has it, and e2fsck finds nothing.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use mln_image::base::Timestamp;
use mln_image::block::{BlockDevice, FileDevice};
use mln_image::ext::Fs;

use crate::support::{e2fsck_clean, tool};

const UUID: &str = "00112233-4455-4677-8899-aabbccddeeff";
const BYTES: [u8; 16] = [
    0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x46, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff,
];

/// An image of several block groups with a tree in it.
fn make(image: &Path, tree: &Path, features: &[&str]) {
    File::create(image).unwrap().set_len(40 << 20).unwrap();
    let output = tool("mke2fs", "e2fsprogs")
        .args(["-q", "-F", "-b", "1024", "-d"])
        .arg(tree)
        .args(features)
        .arg(image)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn open(image: &Path) -> Fs {
    let device: Arc<dyn BlockDevice> = Arc::new(FileDevice::open_writable(image).unwrap());
    Fs::open_for_edit(device, Timestamp::from_seconds(1_800_000_000)).unwrap()
}

/// What dumpe2fs says of one of the copies of the superblock.
fn uuid_of(image: &Path, copy: &[&str]) -> String {
    let output = tool("dumpe2fs", "e2fsprogs")
        .arg("-h")
        .args(copy)
        .arg(image)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find(|line| line.starts_with("Filesystem UUID:"));
    line.unwrap_or_else(|| panic!("{text}"))
        .split_whitespace()
        .last()
        .unwrap()
        .to_owned()
}

#[test]
fn another_uuid_reaches_every_copy_and_e2fsck_finds_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let image = directory.path().join("image");
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes");
    for features in [
        &["-t", "ext2"][..],
        &["-t", "ext3"],
        &["-t", "ext4", "-O", "^metadata_csum,uninit_bg"],
        &["-t", "ext4", "-O", "metadata_csum,metadata_csum_seed"],
    ] {
        make(&image, &tree, features);
        let before = uuid_of(&image, &[]);
        let mut fs = open(&image);
        assert!(fs.can_change_uuid());
        fs.set_uuid(BYTES).unwrap();
        fs.commit().unwrap();
        drop(fs);
        assert_ne!(before, UUID);
        for copy in [&[][..], &["-o", "superblock=8193", "-o", "blocksize=1024"]] {
            assert_eq!(uuid_of(&image, copy), UUID, "{features:?} {copy:?}");
        }
        e2fsck_clean(&image);
    }
}

#[test]
fn checksums_of_all_metadata_hold_a_uuid_fast() {
    let directory = tempfile::tempdir().unwrap();
    let image = directory.path().join("image");
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes");
    make(
        &image,
        &tree,
        &["-t", "ext4", "-O", "metadata_csum,^metadata_csum_seed"],
    );
    let before = uuid_of(&image, &[]);
    let mut fs = open(&image);
    assert!(!fs.can_change_uuid());
    assert_eq!(
        fs.set_uuid(BYTES).unwrap_err().to_string(),
        "the file system has features that cannot be edited: metadata_csum"
    );
    fs.commit().unwrap();
    assert_eq!(uuid_of(&image, &[]), before);
    e2fsck_clean(&image);
}
