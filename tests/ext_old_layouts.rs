//! Layouts that mke2fs does not make any more, but that old or shrunk templates have.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use mln_image::base::Timestamp;
use mln_image::block::FileDevice;
use mln_image::ext::{Fs, InodeNo, NewNode};
use tempfile::TempDir;

use crate::support::{BlockSize, ExtKind, Mkfs, debugfs, e2fsck_clean};

fn edit(image: &Path, change: impl FnOnce(&mut Fs)) {
    let device = Arc::new(FileDevice::open_writable(image).unwrap());
    let mut fs = Fs::open_for_edit(device, Timestamp::from_seconds(1_800_000_000)).unwrap();
    change(&mut fs);
    fs.commit().unwrap();
}

#[test]
fn descriptors_left_behind_by_an_earlier_shrink_do_not_come_back() {
    let directory = TempDir::new().unwrap();
    let image = directory.path().join("image");
    Mkfs::new(ExtKind::Ext3, BlockSize(4096), 64 << 20).make(&image, None);
    // Block 1 has the descriptor of the only group; what lies behind it in the block belongs to nobody.
    let file = OpenOptions::new().write(true).open(&image).unwrap();
    file.write_all_at(&[0xAB; 32 * 7], 4096 + 32).unwrap();
    e2fsck_clean(&image);
    edit(&image, |fs| {
        assert!(fs.resize((1 << 30) / 4096).unwrap().new_groups > 1);
    });
    e2fsck_clean(&image);
    assert_eq!(fs::metadata(&image).unwrap().len(), 1 << 30);
}

#[test]
fn a_directory_without_file_types_takes_names() {
    let directory = TempDir::new().unwrap();
    let image = directory.path().join("image");
    let mkfs = Mkfs::new(ExtKind::Ext2, BlockSize(1024), 8 << 20);
    mkfs.features("^filetype").make(&image, None);
    edit(&image, |fs| {
        let node = NewNode {
            mode: 0o644,
            uid: 0,
            gid: 0,
        };
        let names: Vec<String> = (0..200).map(|number| format!("file{number}")).collect();
        let inner = fs
            .mkdir(InodeNo::ROOT, b"inner", NewNode { mode: 0o755, ..node })
            .unwrap();
        for name in &names {
            fs.create_file(inner, name.as_bytes(), node).unwrap();
        }
        fs.rename((inner, b"file7"), (InodeNo::ROOT, b"moved")).unwrap();
        let found: Vec<_> = fs
            .read_dir(InodeNo::ROOT)
            .unwrap()
            .into_iter()
            .map(|entry| entry.name)
            .collect();
        assert!(found.iter().any(|name| &name[..] == b"moved"), "{found:?}");
    });
    e2fsck_clean(&image);
    assert!(debugfs(&image, "stat /inner/file199").contains("regular"));
    assert!(debugfs(&image, "stat /moved").contains("regular"));
}
