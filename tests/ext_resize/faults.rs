//! A device that fails at every operation in turn: resizing says so, and the image below the overlay is as it was.

use std::io::{Error, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mln_image::base::Timestamp;
use mln_image::block::{BlockDevice, DeviceError, FileDevice, Overlay};
use mln_image::ext::{ExtError, Fs};

use super::images::{Image, MIB};
use crate::support::sha256;

/// Passes on so many reads and writes, then fails.
#[derive(Debug)]
struct Failing {
    inner: Overlay,
    allowed: u64,
    done: AtomicU64,
}

impl Failing {
    fn spend(&self, offset_bytes: u64, len: usize) -> Result<(), DeviceError> {
        if self.done.fetch_add(1, Ordering::Relaxed) < self.allowed {
            return Ok(());
        }
        Err(DeviceError::Io {
            operation: "use",
            offset_bytes,
            len_bytes: u64::try_from(len).unwrap(),
            source: Error::from(ErrorKind::StorageFull),
        })
    }
}

impl BlockDevice for Failing {
    fn len_bytes(&self) -> u64 {
        self.inner.len_bytes()
    }

    fn read_at(&self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        self.spend(offset_bytes, buffer.len())?;
        self.inner.read_at(offset_bytes, buffer)
    }

    fn write_at(&self, offset_bytes: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        self.spend(offset_bytes, bytes.len())?;
        self.inner.write_at(offset_bytes, bytes)
    }

    fn set_len_bytes(&self, len_bytes: u64) -> Result<(), DeviceError> {
        self.spend(0, 0)?;
        self.inner.set_len_bytes(len_bytes)
    }
}

/// Resizes with `allowed` operations; says how many were wanted.
fn attempt(image: &Image, blocks: u64, allowed: u64) -> (u64, Result<(), ExtError>) {
    let base = Arc::new(FileDevice::open(&image.path()).unwrap());
    let device = Arc::new(Failing {
        inner: Overlay::new(base),
        allowed,
        done: AtomicU64::new(0),
    });
    let outcome = Fs::open_for_edit(Arc::clone(&device) as _, Timestamp::from_seconds(1_800_000_000))
        .and_then(|mut fs| {
            fs.resize(blocks)?;
            fs.commit()
        });
    (device.done.load(Ordering::Relaxed), outcome)
}

#[test]
fn a_device_that_fails_at_any_time_leaves_the_image_alone() {
    for options in [
        "-t ext4 -b 1024 -O ^resize_inode",
        "-t ext3 -b 1024 -O ^resize_inode",
    ] {
        let image = Image::new(options, 24 * MIB);
        let before = sha256(&image.path());
        let minimum = image.open().minimum_blocks().unwrap();
        for blocks in [minimum, 24 * 1024 * 40] {
            let (wanted, outcome) = attempt(&image, blocks, u64::MAX);
            outcome.unwrap();
            let step = usize::try_from(wanted / 40).unwrap().max(1);
            for allowed in (0..wanted).step_by(step) {
                let (_, outcome) = attempt(&image, blocks, allowed);
                assert!(
                    matches!(outcome, Err(ExtError::Device(_))),
                    "{options}, {blocks} blocks, {allowed} operations: {outcome:?}"
                );
            }
        }
        assert_eq!(sha256(&image.path()), before);
        image.judge(options);
    }
}
