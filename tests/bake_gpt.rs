//! `format gpt`: a bare file system put into a disk that every judge of partition tables takes.

use std::fs;

use mln_image::base::ByteSize;
use mln_image::project::{Host, ImageFormat, Platform, Project, SizeRequest};
use mln_image::store::Existing;

use crate::support::bakery::Bakery;
use crate::support::disk::disk_is_sound;
use crate::support::program::image_answer;
use crate::support::project::{host, of, project};
use crate::support::{BlockSize, ExtKind, sha256, tool};

const MIB: u64 = 1 << 20;

/// One host as long as the least disk, one that grows.
fn disks() -> Project {
    let host = |name: &str, len_bytes| Host {
        template: of("small.ext4".to_owned()),
        size: of(SizeRequest::Total(ByteSize(len_bytes))),
        format: Some(of(ImageFormat::Gpt)),
        platform: of(Platform::Qemu),
        ..host(name)
    };
    project("disks", [host("least", 50 * MIB), host("grown", 301 * MIB)])
}

#[test]
fn a_bare_template_becomes_a_disk_with_one_partition() {
    for kind in [ExtKind::Ext3, ExtKind::Ext4] {
        let mut bakery = Bakery::new();
        let made = bakery.make_template(kind, BlockSize(4096), 48 * MIB);
        if kind == ExtKind::Ext3 {
            fs::rename(made, bakery.template(ExtKind::Ext4)).unwrap();
        }
        let template = sha256(&bakery.template(ExtKind::Ext4));
        bakery.bake(&disks()).unwrap();
        let first = bakery.manifest("disks");
        for (name, len_bytes) in [("least", 50 * MIB), ("grown", 301 * MIB)] {
            let image = bakery.baked("disks", &format!("{name}/root.img"));
            assert_eq!(fs::metadata(&image).unwrap().len(), len_bytes);
            disk_is_sound(&image, true, MIB);
            let hostname = format!("{}:/etc/hostname", image.display());
            assert_eq!(image_answer(&["cat", &hostname]), format!("{name}\n"));
            let fstab = image_answer(&["cat", &format!("{}:/etc/fstab", image.display())]);
            assert!(fstab.contains("/dev/vda1\t/\text"), "{fstab}");
            let start = fs::read_to_string(bakery.baked("disks", &format!("{name}/start"))).unwrap();
            assert!(
                start.contains("root=/dev/vda1") && start.contains("format=raw"),
                "{start}"
            );
        }
        let printed = tool("b3sum", "b3sum")
            .arg(bakery.baked("disks", "grown/root.img"))
            .output()
            .unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&first).unwrap();
        let record = &manifest["hosts"][1]["image"];
        assert_eq!(record["format"], "gpt");
        assert!(
            printed
                .stdout
                .starts_with(record["blake3"].as_str().unwrap().as_bytes())
        );
        bakery.jobs = 8;
        bakery.existing = Existing::Replace;
        bakery.bake(&disks()).unwrap();
        assert!(bakery.manifest("disks") == first, "two threads and eight");
        assert_eq!(sha256(&bakery.template(ExtKind::Ext4)), template);
    }
}

#[test]
fn the_disk_holds_the_file_system_of_the_raw_image() {
    let mut bakery = Bakery::with_template(ExtKind::Ext4);
    // The raw image as long as the partition of the disk.
    let mut raw = disks();
    raw.hosts = raw.hosts.iter().take(1).collect();
    raw.hosts.alter(|host| {
        host.size = of(SizeRequest::Total(ByteSize(48 * MIB)));
        host.format = Some(of(ImageFormat::Raw));
        host.platform = of(Platform::Qemu);
    });
    bakery.bake(&raw).unwrap();
    let bare = fs::read(bakery.baked("disks", "least/root.img")).unwrap();
    bakery.existing = Existing::Replace;
    bakery.bake(&disks()).unwrap();
    let disk = fs::read(bakery.baked("disks", "least/root.img")).unwrap();
    let differences = disk[1 << 20..][..bare.len()]
        .chunks(4096)
        .zip(bare.chunks(4096))
        .filter(|(one, other)| one != other);
    // The root's name in fstab, which is longer: its block and that of its inode.
    assert_eq!(differences.count(), 2);
}
