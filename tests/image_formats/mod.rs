//! Images in the formats of a delta, judged by the programs that make or convert them: `uml_mkcow` and `uml_moo`,
//! `qemu-img`.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mln_image::base::atomic::Durability;
use mln_image::block::{BlockDevice, Delta, FileDevice, Overlay};
use mln_image::image::qcow2;
use mln_image::image::uml_cow::{self, CowDevice};
use mln_image::image::{Backing, BaseImage, Ranges, RawWriter};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::support::sha256;

use self::qcow2_images::qemu_img_agrees;

mod cow_files;
mod qcow2_images;

/// When every template of these tests was modified.
const TEMPLATE_SECONDS: u64 = 1_700_000_000;

/// What a template holds, and what of it a host changed.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) template_bytes: u64,
    /// Where the template holds how many bytes of which kind of content.
    pub(super) data: Vec<(u64, u64, u8)>,
    /// What of the template is free; the bytes that lie there must not show.
    pub(super) free: Vec<(u64, u64)>,
    /// The image is cut to this length before it grows.
    pub(super) cut_bytes: Option<u64>,
    pub(super) image_bytes: u64,
    pub(super) writes: Vec<(u64, u64, u8)>,
}

pub(super) fn cases(longest: u64) -> impl Strategy<Value = Case> {
    let pieces = |most| prop::collection::vec((0..longest, 1..longest / 8, any::<u8>()), 0..most);
    (
        1..longest,
        pieces(8),
        prop::collection::vec((0..longest, 1..longest / 8), 0..3),
        prop::option::weighted(0.3, 0..longest),
        1..longest,
        pieces(10),
    )
        .prop_map(
            |(template_bytes, data, free, cut_bytes, image_bytes, writes)| Case {
                template_bytes: sectors(template_bytes),
                data,
                free,
                cut_bytes,
                image_bytes: sectors(image_bytes),
                writes,
            },
        )
}

/// Rounds up to whole sectors, as disks are made of them.
fn sectors(len_bytes: u64) -> u64 {
    len_bytes.next_multiple_of(512)
}

/// A template on the disk, the image of one host over it, and that image as a raw file.
pub(super) struct Bench {
    directory: TempDir,
    pub(super) base: Arc<BaseImage>,
    pub(super) delta: Delta,
}

impl Bench {
    pub(super) fn new(case: &Case) -> Self {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("template.img");
        let file = File::create_new(&path).unwrap();
        file.set_len(case.template_bytes).unwrap();
        for (start, len, fill) in &case.data {
            fill_piece(case.template_bytes, *start, *len, |offset, len| {
                file.write_all_at(&content(*fill, len), offset).unwrap();
            });
        }
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(TEMPLATE_SECONDS);
        file.set_modified(modified).unwrap();
        let free = Ranges::from_unsorted(case.free.iter().map(|(start, len)| *start..start + len));
        let device = Arc::new(FileDevice::open(&path).unwrap());
        let base = BaseImage::scan(device, &free.complement(u64::MAX)).unwrap();
        let base = Arc::new(base);
        let overlay = Overlay::new(base.clone());
        if let Some(cut) = case.cut_bytes {
            overlay.set_len_bytes(cut).unwrap();
        }
        overlay.set_len_bytes(case.image_bytes).unwrap();
        for (start, len, fill) in &case.writes {
            fill_piece(case.image_bytes, *start, *len, |offset, len| {
                overlay.write_at(offset, &content(*fill, len)).unwrap();
            });
        }
        let delta = overlay.finish().unwrap();
        let bench = Self {
            directory,
            base,
            delta,
        };
        let raw = bench.path("raw.img");
        let (unfinished, _) = RawWriter::new(Durability::NoSync)
            .write(&bench.base, &bench.delta, &raw)
            .unwrap();
        unfinished.persist(Durability::NoSync).unwrap();
        bench
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The template, or a copy of it that is as long as the image.
    pub(super) fn backing_of_image_length(&self) -> Backing {
        if self.delta.len_bytes() == self.base.len_bytes() {
            return Backing::template(self.base.clone(), &self.path("template.img")).unwrap();
        }
        Backing::resized(
            &RawWriter::new(Durability::NoSync),
            self.base.clone(),
            self.delta.len_bytes(),
            &self.path("resized.img"),
            Durability::NoSync,
        )
        .unwrap()
    }

    pub(super) fn write_qcow2(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        let template = Backing::template(self.base.clone(), &self.path("template.img")).unwrap();
        let (unfinished, _) = qcow2::write(&template, &self.delta, &path).unwrap();
        unfinished.persist(Durability::NoSync).unwrap();
        path
    }

    pub(super) fn write_standalone(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        let (unfinished, _) = qcow2::write_standalone(&self.base, &self.delta, &path).unwrap();
        unfinished.persist(Durability::NoSync).unwrap();
        path
    }

    pub(super) fn write_cow(&self, backing: &Backing, name: &str) -> PathBuf {
        let path = self.path(name);
        let (unfinished, _) = uml_cow::write(backing, &self.delta, 4096, &path).unwrap();
        unfinished.persist(Durability::NoSync).unwrap();
        path
    }
}

/// Calls `write` for the part of a piece that lies before `end`.
fn fill_piece(end: u64, start: u64, len: u64, mut write: impl FnMut(u64, usize)) {
    if start < end {
        write(start, usize::try_from(len.min(end - start)).unwrap());
    }
}

/// Some bytes: of a quarter of the kinds all zero, of a quarter such that no compressor makes them shorter.
fn content(kind: u8, len: usize) -> Vec<u8> {
    match kind {
        0..64 => vec![0; len],
        64..192 => vec![kind; len],
        192.. => {
            let mut state = u64::from(kind);
            let noise = std::iter::repeat_with(|| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()[3]
            });
            noise.take(len).collect()
        }
    }
}

#[track_caller]
pub(super) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
pub(super) fn assert_same_bytes(one: &Path, two: &Path) {
    assert_eq!(sha256(one), sha256(two), "{} {}", one.display(), two.display());
}

pub(super) fn read_all(device: &dyn BlockDevice) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(device.len_bytes()).unwrap()];
    device.read_at(0, &mut bytes).unwrap();
    bytes
}

/// A template without changes.
pub(super) fn unchanged(template_bytes: u64) -> Case {
    Case {
        template_bytes,
        data: vec![(0, 10_000, 100)],
        free: Vec::new(),
        cut_bytes: None,
        image_bytes: template_bytes,
        writes: Vec::new(),
    }
}

#[test]
fn no_format_shows_what_lies_in_the_template_s_free_space_or_was_cut_off() {
    for cut_bytes in [None, Some(300_000)] {
        let case = Case {
            template_bytes: 1 << 20,
            data: vec![(0, 200_000, 255), (400_000, 100_000, 100), (700_000, 9000, 100)],
            free: vec![(20_000, 50_000), (695_000, 20_000)],
            cut_bytes,
            image_bytes: 2 << 20,
            writes: vec![(30_000, 100, 100), (1_500_000, 5000, 100)],
        };
        let bench = Bench::new(&case);
        qemu_img_agrees(&bench, &bench.write_qcow2("root.qcow2"));
        qemu_img_agrees(&bench, &bench.write_standalone("alone.qcow2"));
        let cow = bench.write_cow(&bench.backing_of_image_length(), "root.cow");
        let raw = fs::read(bench.path("raw.img")).unwrap();
        assert!(read_all(&CowDevice::open(&cow).unwrap()) == raw);
        assert!(raw[24_576..28_672].iter().all(|byte| *byte == 0));
    }
}
