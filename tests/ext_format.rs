//! A file system made in-process is one that e2fsck, the second reader and the kernel's own rules agree with.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use mln_image::base::Timestamp;
use mln_image::block::{BlockDevice, FileDevice};
use mln_image::ext::{self, ExtKind, FormatError, FormatOptions};
use tempfile::TempDir;

use crate::support::{BlockSize, Tree, debugfs, e2fsck_clean, sha256};

const KINDS: [ExtKind; 3] = [ExtKind::Ext2, ExtKind::Ext3, ExtKind::Ext4];

fn options(kind: ExtKind, block_size: u32, inode_len_bytes: u16) -> FormatOptions {
    FormatOptions {
        kind,
        block_size,
        inode_len_bytes,
        bytes_per_inode: 16384,
        uuid: *b"mln-image-format",
        hash_seed: *b"hash-seed-of-ext",
        label: "skeleton".to_owned(),
        now: Timestamp {
            seconds: 1_700_000_000,
            nanoseconds: 250,
        },
        reserved_percent: 5,
        journal_blocks: 1024,
    }
}

fn format(image: &Path, len_bytes: u64, options: &FormatOptions) -> Result<(), FormatError> {
    File::create(image).unwrap().set_len(len_bytes).unwrap();
    let device: Arc<dyn BlockDevice> = Arc::new(FileDevice::open_writable(image).unwrap());
    ext::format(&device, options)
}

#[test]
fn every_kind_of_new_file_system_is_clean() {
    let directory = TempDir::new().unwrap();
    let image = directory.path().join("image");
    for kind in KINDS {
        for BlockSize(block_size) in BlockSize::ALL {
            for inode_len_bytes in [128, 256] {
                for len_bytes in [8 << 20, (12 << 20) + 1536, 200 << 20] {
                    let options = options(kind, block_size, inode_len_bytes);
                    format(&image, len_bytes, &options).unwrap();
                    e2fsck_clean(&image);
                    if kind == ExtKind::Ext4 && inode_len_bytes == 128 {
                        // The second reader refuses checksums in inodes that have no room for the whole of them.
                        assert!(debugfs(&image, "ls -p /").contains("/11/040700/0/0/lost+found//"));
                        continue;
                    }
                    let tree = Tree::read(&image);
                    let names: Vec<&[u8]> = tree.0.keys().map(Vec::as_slice).collect();
                    assert_eq!(names, [&b"/"[..], b"/lost+found"]);
                    let nanoseconds = if inode_len_bytes == 256 { 250 } else { 0 };
                    assert_eq!(tree.0[b"/".as_slice()].mtime, (1_700_000_000, nanoseconds));
                }
            }
        }
    }
}

#[test]
fn equal_options_give_equal_bytes() {
    let directory = TempDir::new().unwrap();
    let image = directory.path().join("image");
    let mut digests = [0, 1].map(|_| {
        format(&image, 64 << 20, &options(ExtKind::Ext4, 1024, 256)).unwrap();
        sha256(&image)
    });
    assert_eq!(digests[0], digests[1]);
    let mut other = options(ExtKind::Ext4, 1024, 256);
    other.now = Timestamp::from_seconds(1_700_000_001);
    format(&image, 64 << 20, &other).unwrap();
    digests[1] = sha256(&image);
    assert_ne!(digests[0], digests[1]);
}

#[test]
fn new_ext3_has_the_features_that_mke2fs_gives() {
    let directory = TempDir::new().unwrap();
    let image = directory.path().join("image");
    format(&image, 8 << 20, &options(ExtKind::Ext3, 4096, 256)).unwrap();
    let stats = debugfs(&image, "stats -h");
    for line in [
        "Filesystem volume name:   skeleton",
        "Filesystem UUID:          6d6c6e2d-696d-6167-652d-666f726d6174",
        "Filesystem features:      has_journal ext_attr resize_inode dir_index filetype sparse_super large_file",
        "Reserved block count:     102",
        "Journal inode:            8",
        "Default directory hash:   half_md4",
    ] {
        assert!(stats.contains(line), "{line}\n{stats}");
    }
}

#[test]
fn format_refuses_what_cannot_be_a_file_system() {
    let directory = TempDir::new().unwrap();
    let image = directory.path().join("image");
    let refusal =
        |len_bytes, options: &FormatOptions| format(&image, len_bytes, options).unwrap_err().to_string();
    let sound = options(ExtKind::Ext3, 4096, 256);
    assert_eq!(
        refusal(4 << 20, &sound),
        "4194304 bytes are too few for this file system: it needs at least 6533120"
    );
    assert_eq!(
        refusal(
            8 << 20,
            &FormatOptions {
                block_size: 512,
                ..sound.clone()
            }
        ),
        "a file system cannot have a block size of 512"
    );
    assert_eq!(
        refusal(
            8 << 20,
            &FormatOptions {
                inode_len_bytes: 64,
                ..sound.clone()
            }
        ),
        "a file system cannot have an inode length of 64"
    );
    assert_eq!(
        refusal(
            8 << 20,
            &FormatOptions {
                journal_blocks: 100,
                ..sound
            }
        ),
        "a file system cannot have a journal with a number of blocks of 100"
    );
}
