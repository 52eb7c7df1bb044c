//! Inodes that lost their name in use, or that were about to be cut: let go as e2fsck would.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use crate::support::debugfs;
use crate::support::recovery::{Image, debugfs_number, recovers_to_the_same_tree, report};

/// Files of 40 blocks, to become orphans, and the number of the first.
fn with_files(image: &Image) -> u64 {
    let blocks: Vec<&[u8]> = vec![b"content"; 40];
    let source = image.blocks_file("source", &blocks);
    image.debugfs_write(&format!("write {source} a\nwrite {source} b\nwrite {source} c\n"));
    debugfs_number(&image.path(), "stat /a", "Inode:")
}

#[test]
fn a_list_of_orphans_is_freed_and_cut() {
    for options in ["-t ext3 -b 1024 -J size=1", "-t ext4 -b 4096 -J size=4"] {
        let image = Image::new(options);
        let a = with_files(&image);
        let (b, c) = (a + 1, a + 2);
        image.debugfs_write(&format!(
            "unlink /a\nsif <{a}> links_count 0\nsif <{a}> dtime @{b}\nsif <{b}> size 5000\nsif <{b}> dtime @{c}\n\
             sif <{c}> size 0\nssv last_orphan {a}\n"
        ));
        assert_eq!(
            recovers_to_the_same_tree(&image.path()),
            report(0, 0, 0, 3),
            "{options}"
        );
        assert_eq!(debugfs_number(&image.path(), "stat /b", "Size:"), 5000);
        assert_eq!(debugfs(&image.path(), "cat /b").len(), 5000);
    }
}

#[test]
fn a_list_of_orphans_that_does_not_end_is_refused() {
    let image = Image::new("-t ext4 -b 1024 -J size=1");
    let a = with_files(&image);
    let b = a + 1;
    image.debugfs_write(&format!(
        "sif <{a}> dtime @{b}\nsif <{b}> dtime @{a}\nssv last_orphan {a}\n"
    ));
    let error = image.recover().unwrap_err();
    assert!(error.to_string().contains("a loop"), "{error}");
    for outside in [1, 999_999] {
        image.debugfs_write(&format!("ssv last_orphan {outside}\n"));
        let error = image.recover().unwrap_err();
        assert!(error.to_string().contains("orphan's inode number"), "{error}");
    }
}

#[test]
fn the_orphan_file_is_worked_through_and_cleared() {
    let image = Image::new("-t ext4 -b 1024 -J size=1 -O orphan_file,^metadata_csum");
    let a = with_files(&image);
    let b = u32::try_from(a + 1).unwrap();
    image.debugfs_write(&format!(
        "unlink /a\nsif <{a}> links_count 0\nsif <{b}> size 1500\n"
    ));
    let orphan_file = debugfs_number(&image.path(), "stats", "Orphan file inode:");
    let block = debugfs_number(&image.path(), &format!("bmap <{orphan_file}> 1"), "") * image.block_len;
    let file = File::options().write(true).open(image.path()).unwrap();
    file.write_all_at(&u32::try_from(a).unwrap().to_le_bytes(), block + 40)
        .unwrap();
    file.write_all_at(&b.to_le_bytes(), block).unwrap();
    let mut ro_compat = [0; 4];
    let place = 1024 + 0x64;
    File::open(image.path())
        .unwrap()
        .read_exact_at(&mut ro_compat, place)
        .unwrap();
    let ro_compat = u32::from_le_bytes(ro_compat) | 0x1_0000;
    file.write_all_at(&ro_compat.to_le_bytes(), place).unwrap();
    assert_eq!(recovers_to_the_same_tree(&image.path()), report(0, 0, 0, 2));
    assert_eq!(debugfs(&image.path(), "cat /b").len(), 1500);
}
