//! Every way of writing gives the same bytes, as sparse as the data.

use super::*;
use crate::block::{BlockDevice as _, FileDevice, Overlay};
use crate::image::ranges::Ranges;
use proptest::prelude::*;
use std::fs::File;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::sync::Arc;
use std::{fs, io};

/// The image's whole bytes as the delta tells them.
fn expected(base: &BaseImage, delta: &Delta) -> Vec<u8> {
    let mut whole = vec![0; delta.len_bytes() as usize];
    delta.read_at(base, 0, &mut whole).unwrap();
    whole
}

/// Makes an image in the way that `writer` can; a clone is stood in for by a plain copy of the file.
fn write(
    writer: &RawWriter,
    as_clone: bool,
    base: &BaseImage,
    delta: &Delta,
    path: &Path,
) -> io::Result<Vec<u8>> {
    if as_clone {
        let unfinished = AtomicFile::create(path).unwrap();
        let mut whole = vec![0; base.len_bytes() as usize];
        base.file().read_exact_at(&mut whole, 0)?;
        unfinished.file().write_all_at(&whole, 0)?;
        let target = Target {
            base,
            delta,
            file: unfinished.file(),
            path,
        };
        target.finish_clone().unwrap();
        unfinished.persist(Durability::NoSync).unwrap();
    } else {
        let (unfinished, _) = writer.write(base, delta, path).unwrap();
        unfinished.persist(Durability::NoSync).unwrap();
    }
    fs::read(path)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_way_of_writing_gives_the_same_bytes(
        data in prop::collection::vec((0_u64..80, any::<u8>()), 0..10),
        free in prop::collection::vec((0_u64..400_000, 0_u64..30_000), 0..4),
        cut in prop::option::of(0_u64..400_000),
        new_len in 0_u64..900_000,
        writes in prop::collection::vec((0_u64..900_000, any::<u8>()), 0..8),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let template = directory.path().join("template");
        let file = File::create_new(&template).unwrap();
        file.set_len(333_333).unwrap();
        for (unit, fill) in data {
            file.write_all_at(&[fill; 4096], unit * 4096).unwrap();
        }
        let free = Ranges::from_unsorted(free.into_iter().map(|(start, len)| start..start + len));
        let device = Arc::new(FileDevice::open(&template).unwrap());
        let base = Arc::new(BaseImage::scan(device, &free.complement(u64::MAX)).unwrap());
        let overlay = Overlay::new(base.clone());
        if let Some(cut) = cut {
            overlay.set_len_bytes(cut).unwrap();
        }
        overlay.set_len_bytes(new_len).unwrap();
        for (place, fill) in writes {
            if place + 9000 <= new_len {
                overlay.write_at(place, &[fill; 9000]).unwrap();
            }
        }
        let delta = overlay.finish().unwrap();
        let whole = expected(&base, &delta);
        let writer = RawWriter::new(Durability::NoSync);
        let before = fs::read(&template).unwrap();
        for as_clone in [false, true] {
            let path = directory.path().join("image");
            prop_assert!(write(&writer, as_clone, &base, &delta, &path).unwrap() == whole);
        }
        prop_assert!(fs::read(&template).unwrap() == before);
    }
}

#[test]
fn images_of_a_batch_differ_only_by_their_changes_and_fail_alone() {
    let directory = tempfile::tempdir().unwrap();
    let template = directory.path().join("template");
    File::create_new(&template)
        .unwrap()
        .write_all_at(&vec![7; 3 << 20], 4096)
        .unwrap();
    let device = Arc::new(FileDevice::open(&template).unwrap());
    let base = Arc::new(BaseImage::scan(device, &Ranges::whole(u64::MAX)).unwrap());
    let deltas: Vec<Delta> = (0..3_u8)
        .map(|host| {
            let overlay = Overlay::new(base.clone());
            overlay.write_at(u64::from(host) << 20, &[host; 9000]).unwrap();
            overlay.finish().unwrap()
        })
        .collect();
    let places = ["a", "missing/b", "c"].map(|name| directory.path().join(name));
    let order = |host: usize| RawOrder {
        delta: &deltas[host],
        destination: &places[host],
    };
    let outcomes = RawWriter::new(Durability::NoSync).write_batch(&base, &[0, 1, 2].map(order));
    for (host, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            Err(error) => assert!(host == 1, "{error}"),
            Ok((unfinished, _)) => {
                unfinished.persist(Durability::NoSync).unwrap();
                assert!(
                    fs::read(&places[host]).unwrap() == expected(&base, &deltas[host]),
                    "image {host}"
                );
            }
        }
    }
    assert!(!places[1].exists());
}

#[test]
fn an_image_is_as_sparse_as_its_data() {
    let directory = tempfile::tempdir().unwrap();
    let template = directory.path().join("template");
    let file = File::create_new(&template).unwrap();
    file.write_all_at(&[7; 8192], 0).unwrap();
    file.write_all_at(&vec![0; 1 << 20], 8192).unwrap();
    let base = BaseImage::scan(
        Arc::new(FileDevice::open(&template).unwrap()),
        &Ranges::whole(u64::MAX),
    );
    let base = Arc::new(base.unwrap());
    let overlay = Overlay::new(base.clone());
    overlay.set_len_bytes(1 << 30).unwrap();
    overlay.write_at(4096, &[0; 4096]).unwrap();
    overlay.write_at(1 << 29, &[9; 10]).unwrap();
    let delta = overlay.finish().unwrap();
    let image = directory.path().join("image");
    let (unfinished, written) = RawWriter::new(Durability::NoSync)
        .write(&base, &delta, &image)
        .unwrap();
    assert!(!image.exists());
    unfinished.persist(Durability::Sync).unwrap();
    assert_eq!(written.written_bytes, 8192);
    let metadata = fs::metadata(&image).unwrap();
    assert_eq!(metadata.len(), 1 << 30);
    assert!(
        metadata.blocks() * 512 <= 64 << 10,
        "{} sectors",
        metadata.blocks()
    );
}
