//! A redo file put in place again and again, cut short at every write: the new image in the end.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::format::{Reader, write_forward};
use super::replay::{judge, replay};
use crate::base::atomic::Durability;
use crate::block::{BlockDevice, Delta, Fault, FaultyDevice, FileDevice, MemoryDevice, Overlay};

fn content(device: &dyn BlockDevice) -> Vec<u8> {
    let mut bytes = vec![0; device.len_bytes() as usize];
    device.read_at(0, &mut bytes).unwrap();
    bytes
}

/// The change that `steps` make to `old`: lengths, and bytes that are written.
fn delta(old: &[u8], steps: &[(u64, u8, Option<u64>)]) -> (Delta, Vec<u8>) {
    let base = Arc::new(MemoryDevice::from_bytes(old.to_vec()));
    let overlay = Overlay::new(base);
    for (place, fill, len) in steps {
        if let Some(len) = len {
            overlay.set_len_bytes(*len).unwrap();
        }
        if place + 5000 <= overlay.len_bytes() {
            overlay.write_at(*place, &[*fill; 5000]).unwrap();
        }
    }
    let new = content(&overlay);
    (overlay.finish().unwrap(), new)
}

/// The image with the bytes `content` as a file in `directory`.
fn in_file(directory: &Path, content: &[u8]) -> FileDevice {
    let path = directory.join("image");
    File::create(&path).unwrap().write_all(content).unwrap();
    FileDevice::open_writable(&path).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_change_cut_short_at_any_write_is_completed(
        len in 1_usize..80_000,
        steps in prop::collection::vec((0_u64..90_000, any::<u8>(), prop::option::of(0_u64..90_000)), 1..8),
    ) {
        let old: Vec<u8> = (0..len).map(|place| (place % 241) as u8).collect();
        let (delta, new) = delta(&old, &steps);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("redo");
        write_forward(&in_file(directory.path(), &old), &path, &delta, Durability::NoSync).unwrap();
        let open = || Reader::open(&path, File::open(&path).unwrap()).unwrap();
        for fault in [Fault::Write, Fault::ShortWrite] {
            for allowed in 0.. {
                let faulty = FaultyDevice::with_fault(MemoryDevice::from_bytes(old.clone()), fault, allowed);
                prop_assert!(judge(&open(), &faulty).unwrap().is_ok());
                let is_done = replay(&open(), &faulty, |_, _| Ok(())).is_ok();
                let torn = faulty.into_inner();
                prop_assert_eq!(judge(&open(), &torn).unwrap(), Ok(()));
                replay(&open(), &torn, |_, _| Ok(())).unwrap();
                prop_assert!(content(&torn) == new, "{:?} after {}", fault, allowed);
                if is_done {
                    break;
                }
            }
        }
        let reads_old_bytes = delta.units().any(|(offset_bytes, _)| offset_bytes < old.len() as u64);
        let unreadable = FaultyDevice::with_fault(MemoryDevice::from_bytes(old), Fault::Read, 0);
        prop_assert!(!reads_old_bytes || judge(&open(), &unreadable).is_err());
    }
}

#[test]
fn an_image_that_was_changed_since_is_recognised() {
    let old = vec![1; 20_000];
    let (delta, _) = delta(&old, &[(4096, 7, None)]);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("redo");
    write_forward(
        &in_file(directory.path(), &old),
        &path,
        &delta,
        Durability::NoSync,
    )
    .unwrap();
    let device = MemoryDevice::from_bytes(old);
    let reader = Reader::open(&path, File::open(&path).unwrap()).unwrap();
    device.write_at(4096 + 600, &[9]).unwrap();
    assert_eq!(
        judge(&reader, &device).unwrap(),
        Err("byte 4608 is neither old nor new".to_owned())
    );
    device.set_len_bytes(19_999).unwrap();
    assert_eq!(
        judge(&reader, &device).unwrap(),
        Err("the image has 19999 bytes, not 20000 or 20000".to_owned())
    );
}
