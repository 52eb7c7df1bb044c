//! Images damaged at random places of their metadata: whatever the engine is asked to do with them, it neither panics
//! nor hangs. That it also says what is wrong is told in `ext_damage`.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use mln_image::base::{FileKind, Timestamp};
use mln_image::block::{BlockDevice, MemoryDevice, Overlay, UNIT_BYTES};
use mln_image::ext::{self, ExtError, Fs, InodeNo, NewNode};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::support::{BlockSize, ExtKind, Mkfs, runner};

/// Damaged images of each kind; there are four kinds.
const CASES: u32 = 90;
/// Sound images of this size are done with in some milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);
const NEW: NewNode = NewNode {
    mode: 0o644,
    uid: 1,
    gid: 2,
};

/// One changed byte: which of the bytes that hold metadata, and how.
#[derive(Debug, Clone, Copy)]
enum Change {
    Flip(u32, u8),
    Set(u32, u8),
    Swap(u32, u32),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => (any::<u32>(), 0_u8..8).prop_map(|(place, bit)| Change::Flip(place, bit)),
        2 => (any::<u32>(), prop_oneof![Just(0), Just(0xFF), any::<u8>()]).prop_map(|(place, byte)| Change::Set(place, byte)),
        1 => any::<(u32, u32)>().prop_map(|(from, to)| Change::Swap(from, to)),
    ]
}

/// An image of `kind` whose only bytes other than zero are metadata, and the offsets of the pieces that hold them.
fn template(mkfs: &Mkfs) -> (Arc<dyn BlockDevice>, Vec<u64>) {
    let directory = TempDir::new().unwrap();
    let source = directory.path().join("source");
    fs::create_dir_all(source.join("deep/deeper")).unwrap();
    for number in 0..60 {
        File::create(source.join(format!("deep/file with a long name {number}")))
            .unwrap()
            .set_len(number * 4000)
            .unwrap();
    }
    symlink("deep/deeper", source.join("short")).unwrap();
    symlink("x".repeat(200), source.join("long")).unwrap();
    let image = directory.path().join("image");
    mkfs.make(&image, Some(&source));
    let bytes = fs::read(image).unwrap();
    let pieces = (0..).step_by(64).zip(bytes.chunks(64));
    let used = pieces
        .filter(|(_, piece)| piece.iter().any(|byte| *byte != 0))
        .map(|(offset, _)| offset)
        .collect();
    (Arc::new(MemoryDevice::from_bytes(bytes)), used)
}

/// The template with `changes`.
fn damaged(template: &Arc<dyn BlockDevice>, used: &[u64], changes: &[Change]) -> Overlay {
    let overlay = Overlay::new(Arc::clone(template));
    let place = |number: u32| used[number as usize / 64 % used.len()] + u64::from(number % 64);
    for change in changes {
        let (offset, bytes) = match *change {
            Change::Flip(number, bit) => {
                let mut byte = [0];
                overlay.read_at(place(number), &mut byte).unwrap();
                (place(number), vec![byte[0] ^ (1 << bit)])
            }
            Change::Set(number, byte) => (place(number), vec![byte]),
            Change::Swap(from, to) => {
                let mut bytes = vec![0; 4];
                overlay.read_at(place(from) & !3, &mut bytes).unwrap();
                (place(to) & !3, bytes)
            }
        };
        overlay.write_at(offset, &bytes).unwrap();
    }
    overlay
}

/// Reads all that there is to read.
fn read_everything(fs: &Fs) -> Result<(), ExtError> {
    let mut seen = BTreeSet::from([InodeNo::ROOT]);
    let mut waiting = vec![InodeNo::ROOT];
    drop(fs.used_ranges());
    while let Some(directory) = waiting.pop() {
        for entry in fs.read_dir(directory)? {
            drop(fs.find_entry(directory, &entry.name));
            drop(fs.xattrs(entry.inode));
            drop(fs.read_link(entry.inode));
            drop(fs.read_file(entry.inode, 1 << 20));
            if entry.kind == FileKind::Directory && seen.insert(entry.inode) {
                waiting.push(entry.inode);
            }
        }
    }
    Ok(())
}

/// Tries every sort of edit; those that are refused are refused.
fn edit_everything(device: Arc<dyn BlockDevice>) -> Result<(), ExtError> {
    let mut fs = Fs::open_for_edit(device, Timestamp::from_seconds(1_800_000_000))?;
    let entries = fs.read_dir(InodeNo::ROOT).unwrap_or_default();
    for entry in entries {
        let name = [&entry.name[..], b" again"].concat();
        drop(fs.link(entry.inode, InodeNo::ROOT, &name));
        drop(fs.set_owner(entry.inode, 70_000, 70_000));
        drop(fs.set_xattr(entry.inode, b"user.test", &[7; 100]));
        for below in fs.read_dir(entry.inode).unwrap_or_default() {
            drop(fs.append(below.inode, &[5; 9000]));
            drop(fs.truncate(below.inode, 5));
            drop(fs.rename((entry.inode, &below.name), (InodeNo::ROOT, &below.name)));
        }
        drop(fs.mkdir(entry.inode, b"new directory", NEW));
        if let Ok(inode) = fs.create_file(entry.inode, b"new file", NEW) {
            drop(fs.write_at(inode, 100_000, &vec![3; 50_000]));
        }
        let blocks = fs.superblock().geometry().blocks_count;
        drop(fs.resize(blocks + 5000));
        drop(fs.minimum_blocks().and_then(|minimum| fs.resize(minimum)));
        drop(fs.remove_tree(InodeNo::ROOT, &entry.name));
    }
    fs.commit()
}

/// Everything that the engine does, on one image.
fn try_everything(device: &Arc<Overlay>) {
    let device: Arc<dyn BlockDevice> = Arc::clone(device) as _;
    drop(ext::check(Arc::clone(&device)));
    if let Ok(fs) = Fs::open(Arc::clone(&device)) {
        drop(read_everything(&fs));
    }
    drop(edit_everything(Arc::clone(&device)));
    drop(ext::check(device));
}

fn run(mkfs: &Mkfs) {
    let (template, used) = template(mkfs);
    assert!(used.len() > UNIT_BYTES / 64, "the image holds next to nothing");
    let outcome = runner(CASES).run(&prop::collection::vec(change(), 1..12), |changes| {
        let device = Arc::new(damaged(&template, &used, &changes));
        let (sender, receiver) = channel();
        let work = thread::spawn(move || {
            try_everything(&device);
            sender.send(()).unwrap();
        });
        match receiver.recv_timeout(PATIENCE) {
            Err(RecvTimeoutError::Timeout) => Err(TestCaseError::fail("it hangs")),
            Ok(()) | Err(RecvTimeoutError::Disconnected) => {
                work.join().map_err(|_| TestCaseError::fail("it panics"))
            }
        }
    });
    if let Err(failure) = outcome {
        panic!("{mkfs:?}: {failure}");
    }
}

#[test]
fn damaged_ext3_is_harmless() {
    run(&Mkfs::new(ExtKind::Ext3, BlockSize(1024), 16 << 20));
    run(&Mkfs::new(ExtKind::Ext3, BlockSize(4096), 16 << 20).inode_len_bytes(128));
}

#[test]
fn damaged_ext4_is_harmless() {
    run(&Mkfs::new(ExtKind::Ext4, BlockSize(1024), 16 << 20).features("^metadata_csum"));
    run(&Mkfs::new(ExtKind::Ext4, BlockSize(4096), 16 << 20));
}

#[test]
fn an_undamaged_image_is_done_with() {
    let (template, used) = template(&Mkfs::new(ExtKind::Ext4, BlockSize(1024), 16 << 20));
    let device = Arc::new(damaged(&template, &used, &[]));
    try_everything(&device);
    let device: Arc<dyn BlockDevice> = device;
    assert_eq!(ext::check(Arc::clone(&device)).unwrap(), []);
    let fs = Fs::open(device).unwrap();
    let kept = fs.read_dir(InodeNo::ROOT).unwrap();
    assert!(kept.len() > 40, "the edits did nothing: {kept:?}");
}
