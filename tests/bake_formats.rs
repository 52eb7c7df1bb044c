//! One project in every format: the same disks, as the programs that read the formats see them.

use std::fs;
use std::path::Path;
use std::process::Command;

use mln_image::bake::{self, BakeError, HostFailure, Verify};
use mln_image::base::ByteSize;
use mln_image::project::{Host, ImageFormat, Project, SizeRequest};
use mln_image::store::{Existing, Projects};
use mln_image::template::Store;

use crate::support::bakery::{Bakery, files_below};
use crate::support::project::{account, host, of, project, static_interface};
use crate::support::{BlockSize, ExtKind, e2fsck_clean, sha256, tool};

fn farm_host(number: u8) -> Host {
    let mut host = host(&format!("www{number}"));
    host.template = of("small.ext4".to_owned());
    host.size = of(SizeRequest::Total(ByteSize(64 << 20)));
    host.users = vec![account("john", Some("$6$salt$hash"))];
    host.interfaces = vec![static_interface("eth0", &format!("10.0.0.{number}"))];
    host
}

/// Four hosts: two that grow alike, one that does not grow, and one that grows more.
fn farm() -> Project {
    let mut hosts: Vec<Host> = (1..=4).map(farm_host).collect();
    hosts[2].size = of(SizeRequest::Total(ByteSize(48 << 20)));
    hosts[3].size = of(SizeRequest::Total(ByteSize(300 << 20)));
    hosts[3].swap = Some(of(ByteSize(1 << 20)));
    project("farm", hosts)
}

#[track_caller]
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Makes the raw image of a baked one by the format's own program.
fn merged(format: ImageFormat, image: &Path, output: &Path) {
    match format {
        ImageFormat::Raw | ImageFormat::Gpt => drop(fs::copy(image, output).unwrap()),
        ImageFormat::Qcow2 => {
            run(tool("qemu-img", "qemu-utils")
                .args(["check", "-q", "-f", "qcow2"])
                .arg(image));
            let mut convert = tool("qemu-img", "qemu-utils");
            run(convert
                .args(["convert", "-f", "qcow2", "-O", "raw"])
                .arg(image)
                .arg(output));
        }
        ImageFormat::UmlCow => drop(run(tool("uml_moo", "uml-utilities").arg(image).arg(output))),
    }
}

#[test]
fn every_format_holds_the_same_disks_whatever_the_number_of_threads() {
    let mut bakery = Bakery::with_template(ExtKind::Ext4);
    bakery.existing = Existing::Replace;
    let template = sha256(&bakery.template(ExtKind::Ext4));
    let mut raw = Vec::new();
    for format in [ImageFormat::Raw, ImageFormat::Qcow2, ImageFormat::UmlCow] {
        bakery.format = Some(format);
        bakery.jobs = 1;
        bakery.verify = Verify::Full;
        bakery.bake(&farm()).unwrap();
        let first = bakery.manifest("farm");
        bakery.jobs = 8;
        bakery.verify = Verify::None;
        bakery.bake(&farm()).unwrap();
        let second = bakery.manifest("farm");
        assert!(first == second, "{format}: one thread and eight");
        let mut disks = Vec::new();
        for number in 1..=4 {
            let image = bakery.baked("farm", &format!("www{number}/{}", format.root_image()));
            let disk = bakery.path("merged.img");
            merged(format, &image, &disk);
            e2fsck_clean(&disk);
            disks.push(sha256(&disk));
        }
        if format == ImageFormat::Raw {
            raw = disks;
        } else {
            assert!(disks == raw, "{format} and raw");
        }
    }
    assert_eq!(sha256(&bakery.template(ExtKind::Ext4)), template);
    // Nothing of the formats that came before is left.
    let left = files_below(&bakery.baked("farm", ""));
    assert!(
        left.iter()
            .all(|file| !file.ends_with("root.img") && !file.ends_with("root.qcow2")),
        "{left:?}"
    );
    assert_eq!(
        left.iter().filter(|file| file.starts_with(".backing/")).count(),
        2,
        "{left:?}"
    );
}

#[test]
fn a_qcow2_image_is_small_names_its_template_and_has_the_digest_that_b3sum_prints() {
    let mut bakery = Bakery::with_template(ExtKind::Ext4);
    bakery.format = Some(ImageFormat::Qcow2);
    bakery.bake(&farm()).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&bakery.manifest("farm")).unwrap();
    for number in 0..4 {
        let record = &manifest["hosts"][number]["image"];
        let image = bakery.baked("farm", record["file"].as_str().unwrap());
        let printed = run(tool("b3sum", "b3sum").arg(&image));
        assert_eq!(printed.split(' ').next(), record["blake3"].as_str());
        assert!(fs::metadata(&image).unwrap().len() < 300 << 10, "{image:?}");
        let info = run(tool("qemu-img", "qemu-utils")
            .args(["info", "--output=json"])
            .arg(&image));
        let info: serde_json::Value = serde_json::from_str(&info).unwrap();
        assert_eq!(info["backing-filename"], "../../../templates/small.ext4");
        assert_eq!(info["virtual-size"], record["len_bytes"]);
    }
    let start = fs::read_to_string(bakery.baked("farm", "www1/xl.cfg")).unwrap();
    assert!(
        start.contains("format=qcow2,vdev=xvda,access=rw,target="),
        "{start}"
    );
}

#[test]
fn a_cow_file_over_small_blocks_is_refused_with_the_reason() {
    let mut bakery = Bakery::new();
    bakery.make_template(ExtKind::Ext4, BlockSize(1024), 24 << 20);
    bakery.format = Some(ImageFormat::UmlCow);
    let Err(BakeError::Hosts { failures, .. }) = bakery.bake(&farm()) else {
        panic!("it was baked");
    };
    let texts: Vec<String> = failures
        .iter()
        .map(|HostFailure { error, .. }| error.to_string())
        .collect();
    let reason = "a file system with blocks of 1024 bytes cannot lie in a UML COW file: User-Mode Linux misreads pages \
                  that are partly in it, so blocks have to be 4096 bytes or more";
    assert_eq!(texts, [reason; 4]);
    assert!(!bakery.baked("farm", "manifest.json").exists());
}

fn proved(bakery: &Bakery) -> Vec<(String, Vec<String>)> {
    let places = Projects::at(&bakery.path("projects")).project("farm").unwrap();
    let proof = bake::prove(&places, &Store::open(bakery.path("templates"))).unwrap();
    proof
        .faults
        .into_iter()
        .map(|fault| (fault.file, fault.breaks))
        .collect()
}

#[test]
fn a_changed_file_is_found_and_the_images_that_it_breaks_are_named() {
    let all: Vec<String> = (1..=4).map(|number| format!("www{number}")).collect();
    for format in ImageFormat::ALL {
        let mut bakery = Bakery::with_template(ExtKind::Ext4);
        bakery.format = Some(format);
        bakery.bake(&farm()).unwrap();
        assert_eq!(proved(&bakery), []);
        let root = format!("www2/{}", format.root_image());
        for (file, breaks) in [
            (root.as_str(), vec!["www2".to_owned()]),
            ("www4/swap.img", Vec::new()),
            ("www1/start", Vec::new()),
            ("farm.mln", Vec::new()),
        ] {
            let path = bakery.baked("farm", file);
            let before = fs::read(&path).unwrap();
            flip(&path, 0);
            assert_eq!(proved(&bakery), [(file.to_owned(), breaks)]);
            put(&path, &before);
        }
        flip(&bakery.template(ExtKind::Ext4), 5 << 20);
        let broken = match format {
            ImageFormat::Raw | ImageFormat::Gpt => Vec::new(),
            ImageFormat::Qcow2 => all.clone(),
            // The others lie over copies of it.
            ImageFormat::UmlCow => vec!["www3".to_owned()],
        };
        assert_eq!(proved(&bakery), [("small.ext4".to_owned(), broken)], "{format}");
    }
}

/// Changes one byte of the file at `path`.
fn flip(path: &Path, place: u64) {
    use std::os::unix::fs::FileExt as _;
    let file = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, place).unwrap();
    file.write_all_at(&[byte[0] ^ 0x55], place).unwrap();
}

fn put(path: &Path, bytes: &[u8]) {
    let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
    std::io::Write::write_all(&mut file, bytes).unwrap();
}
