//! A device that fails, or writes only half, at every n-th write or read of an edit, of growing, and of a recovery:
//! the engine says so, and what lies below the overlay stays as it was.

use std::sync::Arc;

use mln_image::base::Timestamp;
use mln_image::block::{BlockDevice, Fault, FaultyDevice, MemoryDevice, Overlay};
use mln_image::ext::{ExtError, Fs, InodeNo, NewNode};

use crate::support::recovery::fixture;
use crate::support::{BlockSize, ExtKind, Mkfs};

const NOW: Timestamp = Timestamp {
    seconds: 1_700_000_000,
    nanoseconds: 0,
};

fn image(kind: ExtKind) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("image");
    Mkfs::new(kind, BlockSize(1024), 12 << 20).make(&path, None);
    std::fs::read(path).unwrap()
}

/// Opens, grows, edits and commits.
fn session(device: Arc<dyn BlockDevice>) -> Result<(), ExtError> {
    let (mut fs, _) = Fs::recover(device, NOW)?;
    let len_bytes = fs.superblock().len_bytes();
    fs.resize((len_bytes + (4 << 20)) / u64::from(fs.block_size().bytes()))?;
    let new = NewNode {
        mode: 0o755,
        uid: 1000,
        gid: 1000,
    };
    let directory = fs.mkdir(InodeNo::ROOT, b"directory", new)?;
    for number in 0..80 {
        let name = format!("a file with a name that is not short: {number}");
        let file = fs.create_file(directory, name.as_bytes(), new)?;
        fs.replace_content(file, &vec![7; number * 500])?;
        fs.set_xattr(file, b"user.number", name.as_bytes())?;
    }
    fs.symlink(directory, b"link", &[b'x'; 100], new)?;
    fs.commit()?;
    assert_eq!(fs.check()?, []);
    Ok(())
}

/// The device for one try, and a handle to ask it.
fn try_session(bytes: &Arc<MemoryDevice>, fault: Fault, allowed: u64) -> (Result<(), ExtError>, u64) {
    let overlay = Overlay::new(bytes.clone());
    let faulty = Arc::new(FaultyDevice::with_fault(overlay, fault, allowed));
    let outcome = session(faulty.clone());
    let tried = if fault == Fault::Read {
        faulty.reads()
    } else {
        faulty.writes()
    };
    (outcome, tried)
}

#[test]
fn a_fault_at_any_write_or_read_is_told_and_nothing_below_changes() {
    let images = [
        ("ext3", image(ExtKind::Ext3)),
        ("ext4", image(ExtKind::Ext4)),
        ("ext4-checksum-v3", fixture("ext4-checksum-v3")),
        ("ext4-orphan-file", fixture("ext4-orphan-file")),
    ];
    for (name, bytes) in images {
        let base = Arc::new(MemoryDevice::from_bytes(bytes.clone()));
        for fault in [Fault::Write, Fault::ShortWrite, Fault::Read] {
            let (outcome, total) = try_session(&base, fault, u64::MAX);
            outcome.unwrap();
            assert!(total > 50, "{name}: {total}");
            // Every one of the first, and some of the many alike.
            let step = usize::try_from(total / 60 + 1).unwrap();
            for allowed in (0..30).chain((30..total).step_by(step)) {
                let (outcome, _) = try_session(&base, fault, allowed);
                let error = outcome.expect_err(&format!("{name}: {fault:?} {allowed} of {total}"));
                assert!(
                    matches!(error, ExtError::Device(_)),
                    "{name}: {fault:?} {allowed}: {error}"
                );
            }
        }
        let mut after = vec![0; bytes.len()];
        base.read_at(0, &mut after).unwrap();
        assert!(after == bytes, "{name}: the image below the overlay changed");
    }
}
