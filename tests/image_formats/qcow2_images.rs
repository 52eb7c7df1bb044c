//! qcow2 images, judged by `qemu-img`.

use std::fs;
use std::path::Path;
use std::process::Command;

use mln_image::base::atomic::Durability;
use mln_image::image::Backing;
use mln_image::image::qcow2::{self, Qcow2Device};
use proptest::prelude::*;

use super::{Bench, assert_same_bytes, cases, read_all, run, unchanged};
use crate::support::{sha256, tool};

/// Panics unless qemu-img finds the image whole, and makes the raw image of it.
#[track_caller]
pub(super) fn qemu_img_agrees(bench: &Bench, image: &Path) {
    run(qemu_img("check").args(["-f", "qcow2"]).arg(image));
    let converted = bench.path("converted.img");
    run(qemu_img("convert")
        .args(["-f", "qcow2", "-O", "raw"])
        .arg(image)
        .arg(&converted));
    assert_same_bytes(&converted, &bench.path("raw.img"));
    assert!(read_all(&Qcow2Device::open(image).unwrap()) == fs::read(&converted).unwrap());
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
    // An L2 table for each change, the header, the refcounts' and the L1 table's two; the data, packed.
    let tables = (50 + 1 + 2 + 2) * 4096;
    let len = fs::metadata(&path).unwrap().len();
    assert!((tables + 4096..=tables + 4 * 4096).contains(&len), "{len} bytes");
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

#[test]
fn what_qemu_img_makes_is_read() {
    let mut case = unchanged(1 << 20);
    case.data = vec![(0, 300_000, 255), (500_000, 70_000, 100)];
    case.image_bytes = 3 << 20;
    case.writes = vec![(100_000, 300_000, 254), (2 << 20, 100_000, 100)];
    let bench = Bench::new(&case);
    let (raw, image) = (bench.path("raw.img"), bench.path("theirs.qcow2"));
    for options in [
        &["-c", "-o", "compression_type=zstd"][..],
        &["-o", "cluster_size=512"],
        &["-o", "backing_file=template.img,backing_fmt=raw"],
        &[
            "-c",
            "-o",
            "compression_type=zstd,cluster_size=2M,backing_file=template.img,backing_fmt=raw",
        ],
    ] {
        run(qemu_img("convert")
            .args(["-f", "raw", "-O", "qcow2"])
            .args(options)
            .args([&raw, &image]));
        let read = read_all(&Qcow2Device::open(&image).unwrap());
        assert!(read == fs::read(&raw).unwrap(), "{options:?}");
    }
}
