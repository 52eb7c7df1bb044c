//! Images in the formats of a delta, judged by the programs that make or convert them: `uml_mkcow` and `uml_moo`,
//! `qemu-img`.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mln_image::base::atomic::Durability;
use mln_image::block::{BlockDevice, Delta, FileDevice, Overlay};
use mln_image::image::qcow2;
use mln_image::image::uml_cow::{self, CowDevice, CowError};
use mln_image::image::{Backing, BaseImage, Ranges, RawWriter};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::support::{sha256, tool};

/// When every template of these tests was modified.
const TEMPLATE_SECONDS: u64 = 1_700_000_000;

/// What a template holds, and what of it a host changed.
#[derive(Debug, Clone)]
struct Case {
    template_bytes: u64,
    /// Where the template holds how many bytes of which kind of content.
    data: Vec<(u64, u64, u8)>,
    /// What of the template is free; the bytes that lie there must not show.
    free: Vec<(u64, u64)>,
    /// The image is cut to this length before it grows.
    cut_bytes: Option<u64>,
    image_bytes: u64,
    writes: Vec<(u64, u64, u8)>,
}

fn cases(longest: u64) -> impl Strategy<Value = Case> {
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
struct Bench {
    directory: TempDir,
    base: Arc<BaseImage>,
    delta: Delta,
}

impl Bench {
    fn new(case: &Case) -> Self {
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
        let base = BaseImage::scan(device, &free.complement(u64::MAX), case.image_bytes).unwrap();
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
        let (unfinished, _) = RawWriter::new().write(&bench.base, &bench.delta, &raw).unwrap();
        unfinished.persist(Durability::NoSync).unwrap();
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The template, or a copy of it that is as long as the image.
    fn backing_of_image_length(&self) -> Backing {
        if self.delta.len_bytes() == self.base.len_bytes() {
            return Backing::template(self.base.clone(), &self.path("template.img")).unwrap();
        }
        Backing::resized(
            &RawWriter::new(),
            self.base.clone(),
            self.delta.len_bytes(),
            &self.path("resized.img"),
            Durability::NoSync,
        )
        .unwrap()
    }

    fn write_qcow2(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        let template = Backing::template(self.base.clone(), &self.path("template.img")).unwrap();
        let (unfinished, _) = qcow2::write(&template, &self.delta, &path).unwrap();
        unfinished.persist(Durability::NoSync).unwrap();
        path
    }

    fn write_standalone(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        let (unfinished, _) = qcow2::write_standalone(&self.base, &self.delta, &path).unwrap();
        unfinished.persist(Durability::NoSync).unwrap();
        path
    }

    fn write_cow(&self, backing: &Backing, name: &str) -> PathBuf {
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
fn run(command: &mut Command) -> String {
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
fn assert_same_bytes(one: &Path, two: &Path) {
    assert_eq!(sha256(one), sha256(two), "{} {}", one.display(), two.display());
}

fn read_all(device: &dyn BlockDevice) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(device.len_bytes()).unwrap()];
    device.read_at(0, &mut bytes).unwrap();
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn uml_moo_merges_a_cow_file_to_the_raw_image(case in cases(700_000), same_length in any::<bool>()) {
        let mut case = case;
        if same_length {
            case.image_bytes = case.template_bytes;
        }
        let bench = Bench::new(&case);
        let template = sha256(&bench.path("template.img"));
        let backing = bench.backing_of_image_length();
        let cow = bench.write_cow(&backing, "root.cow");
        let merged = bench.path("merged.img");
        run(tool("uml_moo", "uml-utilities").arg(&cow).arg(&merged));
        assert_same_bytes(&merged, &bench.path("raw.img"));
        prop_assert!(read_all(&CowDevice::open(&cow).unwrap()) == fs::read(&merged).unwrap());
        let again = bench.write_cow(&backing, "again.cow");
        assert_same_bytes(&cow, &again);
        prop_assert_eq!(sha256(&bench.path("template.img")), template);
    }
}

/// Panics unless qemu-img finds the image whole, and makes the raw image of it.
#[track_caller]
fn qemu_img_agrees(bench: &Bench, image: &Path) {
    run(qemu_img("check").args(["-f", "qcow2"]).arg(image));
    let converted = bench.path("converted.img");
    run(qemu_img("convert")
        .args(["-f", "qcow2", "-O", "raw"])
        .arg(image)
        .arg(&converted));
    assert_same_bytes(&converted, &bench.path("raw.img"));
}

fn qemu_img(verb: &str) -> Command {
    let mut command = tool("qemu-img", "qemu-utils");
    command.arg(verb);
    command
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn qemu_img_converts_a_qcow2_image_to_the_raw_image(case in cases(5_000_000)) {
        let bench = Bench::new(&case);
        let template = sha256(&bench.path("template.img"));
        let image = bench.write_qcow2("root.qcow2");
        qemu_img_agrees(&bench, &image);
        assert_same_bytes(&image, &bench.write_qcow2("again.qcow2"));
        prop_assert_eq!(sha256(&bench.path("template.img")), template);
    }

    #[test]
    fn qemu_img_converts_a_standalone_image_to_the_raw_image(case in cases(5_000_000)) {
        let bench = Bench::new(&case);
        let image = bench.write_standalone("root.qcow2");
        qemu_img_agrees(&bench, &image);
        assert_same_bytes(&image, &bench.write_standalone("again.qcow2"));
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

/// A template without changes.
fn unchanged(template_bytes: u64) -> Case {
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
fn a_cow_file_without_changes_is_that_of_uml_mkcow() {
    for template_bytes in [4096, 12_800, 16 << 20, 100 << 20] {
        let bench = Bench::new(&unchanged(template_bytes));
        let cow = bench.write_cow(&bench.backing_of_image_length(), "ours.cow");
        let theirs = bench.path("theirs.cow");
        run(tool("uml_mkcow", "uml-utilities")
            .arg(&theirs)
            .arg(bench.path("template.img")));
        assert_same_bytes(&cow, &theirs);
        let allocated = fs::metadata(&cow).unwrap().blocks() * 512;
        assert!(allocated <= 8192, "{allocated} bytes");
    }
}

#[test]
fn a_cow_file_takes_disk_for_what_changed_only() {
    let mut case = unchanged(2 << 30);
    case.writes = (0..50).map(|number| (number * (40 << 20), 100, 101)).collect();
    let bench = Bench::new(&case);
    let path = bench.path("root.cow");
    let backing = bench.backing_of_image_length();
    let (unfinished, written) = uml_cow::write(&backing, &bench.delta, 4096, &path).unwrap();
    unfinished.persist(Durability::Sync).unwrap();
    assert_eq!(written.covered_units, 50);
    let allocated = fs::metadata(&path).unwrap().blocks() * 512;
    // The data, a page of bitmap for each at worst, the header, and what the file system needs for its extents.
    assert!(allocated <= (50 + 50 + 2 + 8) * 4096, "{allocated} bytes");
}

#[test]
fn a_cow_file_of_another_length_than_its_backing_is_refused() {
    let mut case = unchanged(40_960);
    case.image_bytes = 81_920;
    let bench = Bench::new(&case);
    let backing = Backing::template(bench.base.clone(), &bench.path("template.img")).unwrap();
    let error = uml_cow::write(&backing, &bench.delta, 4096, &bench.path("root.cow")).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "a UML COW file is as long as its backing: the image has 81920 bytes, `{}` has 40960",
            bench.path("template.img").display()
        )
    );
    assert!(!bench.path("root.cow").exists());
}

#[test]
fn a_cow_file_over_small_blocks_is_refused_with_the_reason() {
    let bench = Bench::new(&unchanged(40_960));
    let backing = bench.backing_of_image_length();
    let error = uml_cow::write(&backing, &bench.delta, 1024, &bench.path("root.cow")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a file system with blocks of 1024 bytes cannot lie in a UML COW file: User-Mode Linux misreads pages that \
         are partly in it, so blocks have to be 4096 bytes or more"
    );
}

#[test]
fn a_cow_file_needs_an_absolute_path_that_fits() {
    let bench = Bench::new(&unchanged(40_960));
    let long = Path::new("/").join("d/".repeat(2048));
    for path in [Path::new("template.img"), &long] {
        let backing = Backing::template(bench.base.clone(), path).unwrap();
        let result = uml_cow::write(&backing, &bench.delta, 4096, &bench.path("root.cow"));
        assert!(
            matches!(
                result,
                Err(CowError::RelativePath { .. }
                    | CowError::LongPath {
                        path_bytes: 4097,
                        most_bytes: 4095,
                        ..
                    })
            ),
            "{result:?}"
        );
    }
}

#[test]
fn a_cow_file_over_a_touched_template_is_not_read() {
    let bench = Bench::new(&unchanged(40_960));
    let cow = bench.write_cow(&bench.backing_of_image_length(), "root.cow");
    CowDevice::open(&cow).unwrap();
    let template = File::options()
        .write(true)
        .open(bench.path("template.img"))
        .unwrap();
    template.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(
        CowDevice::open(&cow).unwrap_err().to_string(),
        "the backing's modification time has changed since the UML COW file was made: 1700000000 then, 0 now"
    );
}

#[test]
fn a_qcow2_image_names_its_template_by_a_relative_path() {
    let mut case = unchanged(1 << 20);
    case.image_bytes = 64 << 20;
    case.writes = vec![(40 << 20, 5000, 100)];
    let bench = Bench::new(&case);
    fs::create_dir_all(bench.path("web/host1")).unwrap();
    let image = bench.write_qcow2("web/host1/root.qcow2");
    let text = run(qemu_img("info").args(["--output=json"]).arg(&image));
    let info: serde_json::Value = serde_json::from_str(&text).unwrap();
    let expected = serde_json::json!({
        "format": "qcow2",
        "virtual-size": 64 << 20,
        "cluster-size": 4096,
        "backing-filename": "../../template.img",
        "backing-filename-format": "raw",
        "dirty-flag": false,
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&info[key], value, "{key}");
    }
    qemu_img_agrees(&bench, &image);
}

#[test]
fn a_qcow2_image_lies_beside_a_template_whose_name_has_a_colon() {
    let bench = Bench::new(&unchanged(1 << 20));
    let odd = bench.path("nbd:template.img");
    fs::rename(bench.path("template.img"), &odd).unwrap();
    let template = Backing::template(bench.base.clone(), &odd).unwrap();
    let image = bench.path("root.qcow2");
    let (unfinished, _) = qcow2::write(&template, &bench.delta, &image).unwrap();
    unfinished.persist(Durability::NoSync).unwrap();
    qemu_img_agrees(&bench, &image);
}

#[test]
fn a_qcow2_image_takes_disk_for_what_changed_only() {
    let mut case = unchanged(2 << 30);
    case.writes = (0..50).map(|number| (number * (40 << 20), 100, 101)).collect();
    let bench = Bench::new(&case);
    let path = bench.path("root.qcow2");
    let template = Backing::template(bench.base.clone(), &bench.path("template.img")).unwrap();
    let (unfinished, written) = qcow2::write(&template, &bench.delta, &path).unwrap();
    unfinished.persist(Durability::Sync).unwrap();
    assert_eq!(written.covered_units, 50);
    // The data, an L2 table for each, the header, the refcounts' and the L1 table's two.
    assert_eq!(fs::metadata(&path).unwrap().len(), (50 + 50 + 1 + 2 + 2) * 4096);
}

#[test]
fn a_qcow2_image_of_part_sectors_is_refused() {
    let mut case = unchanged(1 << 20);
    case.image_bytes = 1_000_000;
    let bench = Bench::new(&case);
    let template = Backing::template(bench.base.clone(), &bench.path("template.img")).unwrap();
    let error = qcow2::write(&template, &bench.delta, &bench.path("root.qcow2")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "an image of 1000000 bytes is not a whole number of sectors of 512 bytes"
    );
}
