//! The engine's own check: it finds nothing in what e2fsck passes, and what it finds e2fsck finds too.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, symlink};
use std::path::Path;
use std::sync::{Arc, Mutex};

use mln_image::block::{BlockDevice, DeviceError, FileDevice};
use mln_image::ext;
use tempfile::TempDir;

use crate::support::{BlockSize, ExtKind, Mkfs, Mounted, e2fsck_clean};

const MIB: u64 = 1 << 20;

fn findings(image: &Path) -> Vec<String> {
    let findings = ext::check(Arc::new(FileDevice::open(image).unwrap())).unwrap();
    findings.iter().map(ToString::to_string).collect()
}

/// A source tree with every kind of thing that mke2fs copies.
fn source(directory: &TempDir) -> std::path::PathBuf {
    let source = directory.path().join("source");
    fs::create_dir_all(source.join("a/b/c")).unwrap();
    for number in 0..400_usize {
        let file = File::create(source.join(format!("a/a file with a rather long name {number}"))).unwrap();
        file.write_all_at(&vec![7; number * 97], 0).unwrap();
    }
    let large = File::create(source.join("large")).unwrap();
    large.write_all_at(&vec![3; 900_000], 5 << 20).unwrap();
    large.write_all_at(&[4; 5000], 1 << 20).unwrap();
    symlink("large", source.join("short")).unwrap();
    symlink("x".repeat(300), source.join("long")).unwrap();
    fs::hard_link(source.join("large"), source.join("a/again")).unwrap();
    source
}

#[test]
fn clean_images_have_no_findings() {
    let directory = TempDir::new().unwrap();
    let source = source(&directory);
    let image = directory.path().join("image");
    let features = [
        "filetype",
        "^metadata_csum,uninit_bg",
        "^flex_bg,^resize_inode",
        "^64bit,^extent",
        "metadata_csum_seed,orphan_file",
        "^dir_index,^filetype",
    ];
    for kind in ExtKind::ALL {
        for block_size in BlockSize::ALL {
            for features in features {
                if kind != ExtKind::Ext4 && features != "filetype" {
                    continue;
                }
                let mkfs = Mkfs::new(kind, block_size, 48 * MIB).features(features);
                mkfs.make(&image, Some(&source));
                e2fsck_clean(&image);
                assert_eq!(findings(&image), [""; 0], "{mkfs:?}");
            }
        }
    }
}

#[test]
fn what_the_kernel_wrote_has_no_findings() {
    let directory = TempDir::new().unwrap();
    let image = directory.path().join("image");
    for kind in ExtKind::ALL {
        for block_size in [BlockSize(1024), BlockSize(4096)] {
            Mkfs::new(kind, block_size, 64 * MIB).make(&image, None);
            let mounted = Mounted::new(&image, kind.name());
            let crowd = mounted.path().join("crowd");
            fs::create_dir(&crowd).unwrap();
            for number in 0..3000 {
                File::create(crowd.join(format!("one of very many files {number}"))).unwrap();
            }
            for number in (0..3000).step_by(3) {
                fs::remove_file(crowd.join(format!("one of very many files {number}"))).unwrap();
            }
            let holes = File::create(mounted.path().join("holes")).unwrap();
            for piece in 0..300 {
                holes.write_all_at(&[9; 700], piece * 40_000).unwrap();
            }
            drop(holes);
            drop(mounted);
            e2fsck_clean(&image);
            assert_eq!(findings(&image), [""; 0]);
        }
    }
}

/// A device that notes the offsets of what is read, and whether that was announced.
#[derive(Debug)]
struct Noting {
    device: FileDevice,
    announced: Mutex<BTreeSet<u64>>,
    read: Mutex<BTreeMap<u64, bool>>,
}

impl BlockDevice for Noting {
    fn len_bytes(&self) -> u64 {
        self.device.len_bytes()
    }

    fn read_at(&self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        let is_announced = self.announced.lock().unwrap().contains(&offset_bytes);
        self.read
            .lock()
            .unwrap()
            .entry(offset_bytes)
            .or_insert(is_announced);
        self.device.read_at(offset_bytes, buffer)
    }

    fn will_read(&self, offset_bytes: u64, len_bytes: u64) {
        let blocks = (offset_bytes..offset_bytes + len_bytes).step_by(4096);
        self.announced.lock().unwrap().extend(blocks);
    }
}

#[test]
fn scattered_blocks_are_announced_before_they_are_read_and_no_others() {
    let directory = TempDir::new().unwrap();
    let source = source(&directory);
    let image = directory.path().join("image");
    for (kind, least) in [(ExtKind::Ext3, 12), (ExtKind::Ext4, 5)] {
        Mkfs::new(kind, BlockSize(4096), 48 * MIB).make(&image, Some(&source));
        let device = Arc::new(Noting {
            device: FileDevice::open(&image).unwrap(),
            announced: Mutex::default(),
            read: Mutex::default(),
        });
        assert_eq!(ext::check(device.clone()).unwrap(), []);
        let announced = device.announced.lock().unwrap();
        let read = device.read.lock().unwrap();
        let in_time = announced.iter().filter(|offset| read.get(offset) == Some(&true));
        assert_eq!(in_time.count(), announced.len(), "{kind:?}");
        assert!(announced.len() >= least, "{kind:?}: {announced:?}");
    }
}
