//! UML COW files, judged by `uml_mkcow` and `uml_moo`.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::SystemTime;

use mln_image::base::atomic::Durability;
use mln_image::image::Backing;
use mln_image::image::uml_cow::{self, CowDevice, CowError};
use proptest::prelude::*;

use super::{Bench, assert_same_bytes, cases, read_all, run, unchanged};
use crate::support::{sha256, tool};

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
