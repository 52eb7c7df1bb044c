//! The judges themselves: they pass what is whole, and would notice what is not.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _, symlink};

use mln_image::base::FileKind;
use tempfile::TempDir;

use crate::support::{
    BlockSize, Content, ExtKind, Mkfs, Node, Tree, debugfs, e2fsck_clean, e2fsck_damaged, sha256,
};

const LEN_BYTES: u64 = 16 << 20;

#[test]
fn second_reader_sees_the_files_that_mke2fs_put_in() {
    let directory = TempDir::new().unwrap();
    let source = directory.path().join("source");
    fs::create_dir_all(source.join("etc")).unwrap();
    let content = b"a line of many\n".repeat(5_000);
    let file = File::create(source.join("etc/motd")).unwrap();
    file.write_all_at(&content, 0).unwrap();
    file.set_permissions(fs::Permissions::from_mode(0o640)).unwrap();
    symlink("etc/motd", source.join("link")).unwrap();
    for kind in ExtKind::ALL {
        for block_size in BlockSize::ALL {
            let image = directory.path().join("image");
            let mkfs = Mkfs::new(kind, block_size, LEN_BYTES);
            mkfs.make(&image, Some(&source));
            let before = sha256(&image);
            e2fsck_clean(&image);
            let tree = Tree::read(&image);
            assert_eq!(debugfs(&image, "cat /etc/motd").as_bytes(), content);
            let names: Vec<&[u8]> = tree.0.keys().map(Vec::as_slice).collect();
            let wanted: [&[u8]; 5] = [b"/", b"/etc", b"/etc/motd", b"/link", b"/lost+found"];
            assert_eq!(names, wanted);
            let Node {
                kind,
                mode,
                content: found,
                ..
            } = &tree.0[b"/etc/motd".as_slice()];
            assert_eq!(
                (*kind, *mode, found),
                (FileKind::Regular, 0o640, &Content::of(&content))
            );
            assert_eq!(
                tree.0[b"/link".as_slice()].content,
                Content::Target("etc/motd".to_owned())
            );
            assert_eq!(sha256(&image), before);
        }
    }
}

#[test]
fn e2fsck_notices_a_cleared_block_bitmap() {
    let directory = TempDir::new().unwrap();
    let image = directory.path().join("image");
    for kind in ExtKind::ALL {
        let mkfs = Mkfs::new(kind, BlockSize(1024), LEN_BYTES).inode_len_bytes(128);
        mkfs.features("^resize_inode").make(&image, None);
        let text = debugfs(&image, "stats");
        let place = text
            .split("block bitmap at ")
            .nth(1)
            .and_then(|rest| rest.split(|letter: char| !letter.is_ascii_digit()).next())
            .unwrap();
        let offset = place.parse::<u64>().unwrap() * 1024;
        File::options()
            .write(true)
            .open(&image)
            .unwrap()
            .write_all_at(&[0; 8], offset)
            .unwrap();
        e2fsck_damaged(&image);
    }
}
