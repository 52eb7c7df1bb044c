//! Templates that are whole disks: the root found, the last partition grown, and all else left as it was.

use std::fs;
use std::path::Path;
use std::process::Command;

use mln_image::bake::{BakeError, Verify};
use mln_image::base::ByteSize;
use mln_image::base::atomic::{self, Durability};
use mln_image::block::{BlockDevice as _, MemoryDevice};
use mln_image::disk::{DiskError, Holds, find_root, probe};
use mln_image::project::{Host, Platform, SizeRequest};
use proptest::prelude::*;

use crate::support::bakery::Bakery;
use crate::support::disk::{Disk, disk_is_sound, lasting_parts, make_vfat, root_is_clean};
use crate::support::program::{image_answer, run_image};
use crate::support::project::{host, of, project};
use crate::support::{BlockSize, ExtKind, Mkfs};

const MIB: u64 = 1 << 20;

/// A table as cloud images have it: the root has number 1 and lies last.
const CLOUD: &str = "label: gpt\nlabel-id: 6D6C6E00-0000-4000-8000-000000000001\nfirst-lba: 2048\n\
    14: start=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649\n\
    15: start=4096, size=16384, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, name=\"efi\"\n\
    1: start=20480, size=98304, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, name=\"system\"\n";

/// Where `CLOUD` has its root.
const CLOUD_ROOT: u64 = 20_480 * 512;
const CLOUD_ROOT_AT: usize = 20_480 * 512;

const MBR: &str = "label: dos\nlabel-id: 0x6d6c6e00\n\
    1: start=2048, size=8192, type=82\n2: start=10240, size=98304, type=83, bootable\n";

const MBR_ROOT: u64 = 10_240 * 512;
const MBR_ROOT_AT: usize = 10_240 * 512;

/// A place to bake in whose template `disk.img` is a disk of 60 MiB with a Debian in the partition at `root_bytes`.
fn lab(script: &str, root_bytes: u64, kind: ExtKind) -> (Bakery, Disk) {
    let bakery = Bakery::new();
    let small = bakery.make_template(kind, BlockSize(4096), 48 << 20);
    let disk = Disk::new(bakery.path("templates").join("disk.img"), 60 * MIB, script);
    disk.put(root_bytes, &small);
    (bakery, disk)
}

fn cloud(kind: ExtKind) -> (Bakery, Disk) {
    let (bakery, disk) = lab(CLOUD, CLOUD_ROOT, kind);
    let esp = bakery.path("esp.img");
    make_vfat(&esp, 8 << 20);
    disk.put(2 * MIB, &esp);
    (bakery, disk)
}

fn disk_host(name: &str, len_bytes: u64) -> Host {
    let mut host = host(name);
    host.template = of("disk.img".to_owned());
    host.size = of(SizeRequest::Total(ByteSize(len_bytes)));
    host
}

#[test]
fn a_gpt_disk_grows_with_its_last_partition_and_keeps_all_else() {
    for kind in [ExtKind::Ext3, ExtKind::Ext4] {
        let (mut bakery, disk) = cloud(kind);
        bakery.verify = Verify::Full;
        let before = fs::read(&disk.0).unwrap();
        let lengths = [60 * MIB, 61 * MIB, 300 * MIB + 4096];
        let hosts = lengths.iter().map(|len| disk_host(&format!("h{len}"), *len));
        let manifest = bakery.bake(&project("disks", hosts)).unwrap();
        assert_eq!(manifest.templates.len(), 1);
        for len in lengths {
            let image = bakery.baked("disks", &format!("h{len}/root.img"));
            let after = fs::read(&image).unwrap();
            assert_eq!(after.len() as u64, len);
            disk_is_sound(&image, true, CLOUD_ROOT);
            assert_eq!(lasting_parts(&image), lasting_parts(&disk.0));
            // Boot code, and from the end of the first copy's entries up to the root.
            assert_eq!(after[..440], before[..440]);
            assert_eq!(after[34 * 512..CLOUD_ROOT_AT], before[34 * 512..CLOUD_ROOT_AT]);
            let name = cat(&image, "/etc/hostname");
            assert_eq!(name, format!("h{len}\n"));
        }
        let grown = bakery.baked("disks", &format!("h{}/root.img", lengths[2]));
        let facts = info(&grown);
        assert_eq!(facts["partitions"][0]["len_bytes"], 289 * MIB);
        assert_eq!(facts["length"], 289 * MIB);
    }
}

#[test]
fn an_mbr_disk_grows_with_its_last_partition_and_keeps_all_else() {
    let (bakery, disk) = lab(MBR, MBR_ROOT, ExtKind::Ext4);
    let before = fs::read(&disk.0).unwrap();
    bakery
        .bake(&project("disks", [disk_host("www", 200 * MIB)]))
        .unwrap();
    let image = bakery.baked("disks", "www/root.img");
    let after = fs::read(&image).unwrap();
    disk_is_sound(&image, false, MBR_ROOT);
    assert_eq!(lasting_parts(&image), lasting_parts(&disk.0));
    assert_eq!(after[..446 + 16], before[..446 + 16]);
    assert_eq!(after[510..MBR_ROOT_AT], before[510..MBR_ROOT_AT]);
    assert_eq!(info(&image)["length"], 195 * MIB);
}

#[test]
fn the_guest_s_own_name_for_its_root_stays_and_the_kernel_gets_the_partition() {
    let (bakery, disk) = cloud(ExtKind::Ext4);
    let uuid = "6d6c6e00-0000-4000-8000-696d61676500";
    let fstab = bakery.path("fstab");
    let bake = |text: &str, name: &str| {
        atomic::write(&fstab, text.as_bytes(), Durability::NoSync).unwrap();
        let target = format!("{}:/etc/fstab", disk.0.display());
        image_answer(&["cp", fstab.to_str().unwrap(), &target]);
        let mut host = disk_host("www", 60 * MIB);
        host.platform = of(Platform::Xen);
        bakery.bake(&project(name, [host])).unwrap();
        let config = fs::read_to_string(bakery.baked(name, "www/xl.cfg")).unwrap();
        assert!(config.contains("root=/dev/xvda1 "), "{config}");
        cat(&bakery.baked(name, "www/root.img"), "/etc/fstab")
    };
    let right =
        format!("UUID={uuid} / ext4 defaults,discard 0 1\nUUID=1234-5678 /boot/efi vfat defaults 0 1\n");
    let kept = bake(&right, "right");
    assert!(kept.starts_with(&right), "{kept}");
    assert_eq!(
        kept.matches(" / ").count() + kept.matches("\t/\t").count(),
        1,
        "{kept}"
    );
    let mended = bake("/dev/sda7 / ext4 defaults 0 1\n", "wrong");
    assert!(!mended.contains("sda7"), "{mended}");
    assert!(mended.contains(&format!("UUID={uuid}\t/\text4")), "{mended}");
}

#[test]
fn the_root_is_named_where_it_is_not_clear() {
    let two = "label: gpt\n1: start=2048, size=98304\n2: start=100352, size=16384, name=\"spare\"\n";
    let (bakery, disk) = lab(two, MIB, ExtKind::Ext4);
    let spare = bakery.path("spare.img");
    Mkfs::new(ExtKind::Ext4, BlockSize(1024), 8 << 20).make(&spare, None);
    disk.put(100_352 * 512, &spare);
    let plain = project("p", [disk_host("www", 1)]);
    let message = failure(bakery.bake(&plain).unwrap_err());
    assert!(
        message.contains("partitions 1, 2 of it could all be the root")
            && message.contains("\n  2: 8M, Linux, ext, \"spare\""),
        "{message}"
    );
    assert!(message.contains("root_partition"), "{message}");
    for name in ["1", "9"] {
        let mut host = disk_host("www", 1);
        host.root_partition = Some(of(name.to_owned()));
        let baked = bakery.bake(&project(&format!("p{name}"), [host]));
        match name {
            "1" => root_is_clean(&bakery.baked("p1", "www/root.img"), MIB),
            _ => assert!(failure(baked.unwrap_err()).contains("it has no partition `9`")),
        }
    }
    let mut growing = disk_host("www", 100 * MIB);
    growing.root_partition = Some(of("1".to_owned()));
    let message = failure(bakery.bake(&project("p", [growing])).unwrap_err());
    assert!(
        message.contains("partition 1 cannot grow, since partition 2 lies behind it"),
        "{message}"
    );
    assert_eq!(
        image_answer(&["ls", &disk.0.display().to_string(), "--partition", "spare"])
            .lines()
            .count(),
        1
    );
    let listed = run_image(&["ls", &disk.0.display().to_string()]);
    assert_eq!(listed.status.code(), Some(1));
}

#[test]
fn a_whole_disk_is_imported_and_says_which_partition_is_its_root() {
    let (bakery, disk) = cloud(ExtKind::Ext4);
    let store = bakery.path("store");
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_mln-image"))
            .args(["-T", store.to_str().unwrap(), "template"])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(
        run(&["import", disk.0.to_str().unwrap(), "--name", "cloud.img"]),
        "cloud-V1.0.img\n"
    );
    let info = run(&["info", "cloud.img"]);
    assert!(info.contains("type: ext4\nroot partition: 1\n"), "{info}");
}

#[test]
fn image_commands_look_into_the_root_of_a_disk() {
    let (_bakery, disk) = cloud(ExtKind::Ext4);
    let image = disk.0.display().to_string();
    assert_eq!(image_answer(&["check", &image]), "clean\n");
    image_answer(&["mkdir", &format!("{image}:/srv/new"), "-p"]);
    assert!(image_answer(&["ls", &format!("{image}:/srv")]).contains("/srv/new"));
    disk_is_sound(&disk.0, true, CLOUD_ROOT);
    let facts = info(&disk.0);
    assert_eq!(facts["partition_table"], "gpt");
    assert_eq!(facts["partition"], 1);
    let holds: Vec<&str> = facts["partitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["holds"].as_str().unwrap())
        .collect();
    assert_eq!(holds, ["ext", "unknown", "vfat"]);
    let other = run_image(&["ls", &image, "--partition", "efi"]);
    assert!(
        String::from_utf8_lossy(&other.stderr).contains("not an ext2, ext3 or ext4 file system"),
        "{other:?}"
    );
}

#[test]
fn what_is_both_a_disk_and_a_file_system_is_refused() {
    let (bakery, disk) = lab(MBR, MBR_ROOT, ExtKind::Ext4);
    let bytes = fs::read(&disk.0).unwrap();
    let device = MemoryDevice::from_bytes(bytes.clone());
    device.write_at(1080, b"\x53\xef").unwrap();
    assert!(matches!(
        find_root(&device, None),
        Err(DiskError::Ambiguous { .. })
    ));
    // A boot sector's mark alone makes no disk of a file system.
    let small = MemoryDevice::from_bytes(fs::read(bakery.template(ExtKind::Ext4)).unwrap());
    small.write_at(510, b"\x55\xaa").unwrap();
    assert_eq!(find_root(&small, None).unwrap().partition(), None);
    assert!(matches!(
        find_root(&small, Some("1")),
        Err(DiskError::NoTable { .. })
    ));
}

#[test]
fn logical_partitions_are_found_but_do_not_grow() {
    let chain = "label: dos\n1: start=2048, size=2048, type=82\n2: start=4096, type=5\n\
        5: start=6144, size=98304, type=83\n";
    let (bakery, disk) = lab(chain, 6144 * 512, ExtKind::Ext4);
    let device = MemoryDevice::from_bytes(fs::read(&disk.0).unwrap());
    let root = find_root(&device, None).unwrap();
    let partition = root.partition().unwrap();
    assert_eq!((partition.number, partition.holds), (5, Holds::Ext));
    bakery.bake(&project("p", [disk_host("www", 1)])).unwrap();
    root_is_clean(&bakery.baked("p", "www/root.img"), 6144 * 512);
    let message = failure(
        bakery
            .bake(&project("q", [disk_host("www", 100 * MIB)]))
            .unwrap_err(),
    );
    assert!(message.contains("a logical partition does not grow"), "{message}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn damaged_tables_are_errors_and_no_panic(
        is_gpt: bool,
        changes in prop::collection::vec((0_usize..1300, any::<u8>()), 1..12),
        is_sealed: bool,
    ) {
        let bytes = if is_gpt { &TABLES.0 } else { &TABLES.1 };
        let mut bytes = bytes.clone();
        for (place, value) in changes {
            bytes[place] = value;
        }
        if is_sealed && is_gpt {
            seal(&mut bytes);
        }
        let device = MemoryDevice::from_bytes(bytes);
        if let Ok(root) = find_root(&device, None)
            && root.partition().is_some()
            && root.grown_len_bytes(8 << 20).is_ok()
        {
            drop(root.grow(std::sync::Arc::new(device), 8 << 20));
        }
    }
}

/// A small GPT disk and a small MBR disk.
static TABLES: std::sync::LazyLock<(Vec<u8>, Vec<u8>)> = std::sync::LazyLock::new(|| {
    let directory = tempfile::tempdir().unwrap();
    let make = |script: &str| {
        let disk = Disk::new(directory.path().join("disk"), 4 << 20, script);
        disk.write_at(MIB + 1080, b"\x53\xef");
        fs::read(&disk.0).unwrap()
    };
    (
        make("label: gpt\n1: start=2048, size=2048\n"),
        make(
            "label: dos\n1: start=2048, size=2048, type=83\n2: start=4096, type=5\n5: start=4200, size=100\n",
        ),
    )
});

/// Makes the checksums of the first GPT right again, so that what they protect is read.
fn seal(bytes: &mut [u8]) {
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);
    let entries = crc.checksum(&bytes[1024..1024 + 128 * 128]);
    bytes[512 + 88..512 + 92].copy_from_slice(&entries.to_le_bytes());
    bytes[512 + 16..512 + 20].fill(0);
    let header = crc.checksum(&bytes[512..512 + 92]);
    bytes[512 + 16..512 + 20].copy_from_slice(&header.to_le_bytes());
}

#[test]
fn the_tables_of_the_damage_test_are_read_before_they_are_damaged() {
    for bytes in [&TABLES.0, &TABLES.1] {
        let root = find_root(&MemoryDevice::from_bytes(bytes.clone()), None).unwrap();
        assert_eq!(root.partition().unwrap().number, 1);
    }
    let mut sealed = TABLES.0.clone();
    seal(&mut sealed);
    probe(&MemoryDevice::from_bytes(sealed)).unwrap();
}

/// The error of the only host, with its causes and hints.
fn failure(error: BakeError) -> String {
    let BakeError::Hosts { mut failures, .. } = error else {
        panic!("{error}");
    };
    let error = failures.remove(0).error;
    let mut texts = vec![error.to_string()];
    let mut source = std::error::Error::source(&*error);
    while let Some(cause) = source {
        texts.push(cause.to_string());
        source = cause.source();
    }
    texts.extend(error.hints());
    texts.join(": ")
}

fn cat(image: &Path, path: &str) -> String {
    image_answer(&["cat", &format!("{}:{path}", image.display())])
}

fn info(image: &Path) -> serde_json::Value {
    serde_json::from_str(&image_answer(&["info", "--json", image.to_str().unwrap()])).unwrap()
}
