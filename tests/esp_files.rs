//! Files for the EFI system partition of a whole disk: written into its FAT file system, sound and the same each time.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use mln_image::bake::{BakeError, Verify};
use mln_image::base::atomic::{self, Durability};
use mln_image::base::{ByteSize, GuestPath};
use mln_image::block::{BlockDevice as _, MemoryDevice};
use mln_image::disk::{Esp, EspError, EspNode};
use mln_image::project::{FileCopy, Host, SizeRequest};
use mln_image::store::Existing;
use proptest::prelude::*;

use crate::support::bakery::Bakery;
use crate::support::disk::{Disk, disk_is_sound, make_vfat, make_vfat_as};
use crate::support::program::image_answer;
use crate::support::project::{host, of, project};
use crate::support::{BlockSize, ExtKind, tool};

const MIB: u64 = 1 << 20;
const ESP_AT: u64 = MIB;

/// A place to bake in whose template is a disk with an EFI system partition of `esp_mib`, and a Debian behind it.
pub(crate) struct Lab {
    pub(crate) bakery: Bakery,
    disk: PathBuf,
    esp_bytes: u64,
}

impl Lab {
    pub(crate) fn new(esp_mib: u64, options: &[&str]) -> Self {
        let mut bakery = Bakery::new();
        bakery.existing = Existing::Replace;
        let small = bakery.make_template(ExtKind::Ext4, BlockSize(4096), 48 << 20);
        let script = format!(
            "label: gpt\nlabel-id: 6D6C6E00-0000-4000-8000-000000000001\nfirst-lba: 2048\n\
             15: start=2048, size={}, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, name=\"efi\"\n\
             1: start={}, size=98304, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4\n",
            esp_mib * 2048,
            (esp_mib + 1) * 2048,
        );
        let disk = Disk::new(
            bakery.path("templates").join("disk.img"),
            (esp_mib + 50) * MIB,
            &script,
        );
        disk.put((esp_mib + 1) * MIB, &small);
        let esp = bakery.path("esp.img");
        make_vfat_as(&esp, esp_mib * MIB, options);
        disk.put(ESP_AT, &esp);
        let lab = Self {
            bakery,
            disk: disk.0,
            esp_bytes: esp_mib * MIB,
        };
        lab.set_fstab("UUID=1234-5678\t/boot/efi vfat umask=0077 0 1\n");
        lab
    }

    fn set_fstab(&self, text: &str) {
        let fstab = self.file("fstab", text.as_bytes());
        let target = format!("{}:/etc/fstab", self.disk.display());
        image_answer(&["cp", &fstab, &target]);
    }

    /// A file of the host to be copied into a guest.
    pub(crate) fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.bakery.path(name);
        atomic::write(&path, content, Durability::NoSync).unwrap();
        path.display().to_string()
    }

    fn host(&self, copies: &[(&str, &str)]) -> Host {
        let mut host = host("www");
        host.template = of("disk.img".to_owned());
        host.size = of(SizeRequest::Total(ByteSize(self.esp_bytes + 60 * MIB)));
        host.files = copies
            .iter()
            .map(|(source, destination)| {
                of(FileCopy {
                    source: (*source).to_owned(),
                    destination: GuestPath::literal(destination),
                    into_directory: false,
                    mode: None,
                })
            })
            .collect();
        host
    }

    fn bake(&self, name: &str, copies: &[(&str, &str)]) -> Result<PathBuf, BakeError> {
        self.bakery.bake(&project(name, [self.host(copies)]))?;
        Ok(self.bakery.baked(name, "www/root.img"))
    }

    /// The partition of the disk `image` as a file of its own.
    pub(crate) fn partition(&self, image: &Path) -> PathBuf {
        let bytes = fs::read(image).unwrap();
        let from = usize::try_from(ESP_AT).unwrap();
        let len = usize::try_from(self.esp_bytes).unwrap();
        let path = self.bakery.path("partition.img");
        atomic::write(&path, &bytes[from..from + len], Durability::NoSync).unwrap();
        path
    }
}

/// What a judge says of the file system in `path`, which must please it.
#[track_caller]
fn judged(program: &str, package: &str, arguments: &[&str], path: &Path, further: &[&str]) -> String {
    let output = tool(program, package)
        .args(arguments)
        .arg(path)
        .args(further)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{program}: {text}{output:?}");
    text
}

#[track_caller]
pub(crate) fn fat_is_clean(path: &Path) {
    let text = judged("fsck.vfat", "dosfstools", &["-n", "-v"], path, &[]);
    for word in [
        "Dirty", "dirty", "differ", "wrong", "Wrong", "Expected", "Reclaim",
    ] {
        assert!(!text.contains(word), "{text}");
    }
}

#[track_caller]
pub(crate) fn content(path: &Path, file: &str) -> Vec<u8> {
    let output = tool("mtype", "mtools")
        .arg("-i")
        .arg(path)
        .arg(format!("::{file}"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

/// Every error of a failed bake in one line, with the way out.
fn failure(error: &BakeError) -> String {
    let BakeError::Hosts { failures, .. } = error else {
        panic!("{error:?}")
    };
    let error = &failures[0].error;
    let mut words = vec![error.to_string()];
    let mut source = std::error::Error::source(&**error);
    while let Some(inner) = source {
        words.push(inner.to_string());
        source = inner.source();
    }
    words.extend(error.hints());
    words.join(": ")
}

#[test]
fn files_are_written_to_fat_of_every_kind_and_its_judges_are_content() {
    for (mib, options) in [
        (2, &["-F", "12"][..]),
        (8, &["-F", "16", "-s", "1"]),
        (40, &["-F", "32", "-s", "1"]),
    ] {
        let mut lab = Lab::new(mib, options);
        lab.bakery.verify = Verify::Full;
        let before = fs::read(&lab.disk).unwrap();
        let config = lab.file("config", b"set timeout=0\n");
        let large: Vec<u8> = (0..300_001_u32).map(|number| number.to_le_bytes()[1]).collect();
        let loader = lab.file("loader", &large);
        let copies = [
            (&*config, "/boot/efi/EFI/debian/grub.cfg"),
            (&*loader, "/boot/efi/EFI/BOOT/BOOTX64.EFI"),
            (
                &*config,
                "/boot/efi/loader/entries/a name that takes three slots.conf",
            ),
            (&*config, "/boot/efi/startup.nsh"),
            (&*config, "/boot/efifile"),
        ];
        let image = lab.bake("p", &copies).unwrap();
        let partition = lab.partition(&image);
        fat_is_clean(&partition);
        assert_eq!(content(&partition, "/EFI/debian/grub.cfg"), b"set timeout=0\n");
        assert_eq!(content(&partition, "/EFI/BOOT/BOOTX64.EFI"), large);
        let name = "/loader/entries/a name that takes three slots.conf";
        assert_eq!(content(&partition, name), b"set timeout=0\n");
        let listing = judged("mdir", "mtools", &["-/", "-b", "-i"], &partition, &["::"]);
        let mut names: Vec<&str> = listing.lines().collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "::/EFI/",
                "::/EFI/BOOT/",
                "::/EFI/BOOT/BOOTX64.EFI",
                "::/EFI/debian/",
                "::/EFI/debian/grub.cfg",
                "::/loader/",
                "::/loader/entries/",
                "::/loader/entries/a name that takes three slots.conf",
                "::/startup.nsh"
            ]
        );
        disk_is_sound(&image, true, (mib + 1) * MIB);
        // The root has what does not lie on the partition, and nothing that does.
        let root = |path: &str| image_answer(&["ls", &format!("{}:{path}", image.display())]);
        assert!(root("/boot").contains("efifile"));
        assert!(!root("/boot").contains("grub.cfg"));
        let first = fs::read(&image).unwrap();
        fs::remove_file(&image).unwrap();
        let again = lab.bake("p", &copies).unwrap();
        assert_eq!(fs::read(&again).unwrap(), first);
        assert_eq!(fs::read(&lab.disk).unwrap(), before);
    }
}

#[test]
fn a_file_that_changes_makes_its_host_anew_and_the_manifest_knows_its_digest() {
    let lab = Lab::new(8, &[]);
    let bake = |text: &[u8]| {
        let config = lab.file("config", text);
        let image = lab
            .bake("p", &[(&config, "/boot/efi/EFI/debian/grub.cfg")])
            .unwrap();
        let manifest = fs::read_to_string(lab.bakery.baked("p", "manifest.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
        let files = manifest["hosts"][0]["files"].as_array().unwrap().clone();
        let own = files
            .into_iter()
            .find(|file| file["path"] == "/boot/efi/EFI/debian/grub.cfg");
        let partition = lab.partition(&image);
        (own, content(&partition, "/EFI/debian/grub.cfg"))
    };
    let (same, _) = bake(b"set timeout=5\n");
    assert_eq!(same, None, "what is there already is no change");
    let (own, found) = bake(b"set timeout=1\n");
    assert_eq!(found, b"set timeout=1\n");
    let own = own.unwrap();
    assert_eq!(own["effect"], "modify");
    let digest = judged("sha256sum", "coreutils", &[], &lab.bakery.path("config"), &[]);
    assert_eq!(own["sha256"], digest.split(' ').next().unwrap());
}

#[test]
fn what_cannot_be_written_there_is_refused_with_the_reason() {
    let lab = Lab::new(2, &[]);
    let small = lab.file("small", b"x");
    let large = lab.file("large", &vec![1; 3 << 20]);
    let says =
        |source: &str, destination: &str| failure(&lab.bake("p", &[(source, destination)]).unwrap_err());
    assert_eq!(
        says(&large, "/boot/efi/EFI/large"),
        "cannot change or read `/EFI/large` on the EFI system partition: No space left on device"
    );
    assert_eq!(
        says(&small, "/boot/efi/EFI/debian/grub.cfg/x"),
        "a file is in the way of `/EFI/debian/grub.cfg/x` on the EFI system partition"
    );
    assert_eq!(
        says(&small, "/boot/efi/EFI"),
        "a directory is in the way of `/EFI` on the EFI system partition"
    );
    assert_eq!(
        says(&small, "/boot/efi/a:b"),
        "cannot change or read `/a:b` on the EFI system partition: File name contains unsupported characters"
    );
    lab.set_fstab("UUID=ABCD-0000 /boot/efi vfat defaults 0 1\n");
    assert_eq!(
        says(&small, "/boot/efi/x"),
        "`/boot/efi/x` lies on a FAT file system that the guest mounts at `/boot/efi`, and that is not clearly this disk's \
         EFI system partition: put it elsewhere, and let a `startup` command copy it there"
    );
    lab.set_fstab("LABEL=ESP /boot/efi vfat defaults 0 1\n");
    Disk(lab.disk.clone()).write_at(ESP_AT + 13, &[3]);
    assert_eq!(
        says(&small, "/boot/efi/x"),
        "cannot read `/boot/efi/x` in the guest: the EFI system partition is no sound FAT file system: its clusters have an \
         impossible length"
    );
}

/// Does everything to the file system in `bytes` that can be done; tells whether all of it could.
fn try_all(bytes: Vec<u8>) -> Result<(), EspError> {
    let device = MemoryDevice::from_bytes(bytes);
    let esp = Esp::open(&device)?;
    let path = GuestPath::literal;
    esp.list(&path("/EFI"))?;
    if let Some(EspNode::File(_)) = esp.node(&path("/EFI/debian/grub.cfg"))? {
        esp.read(&path("/EFI/debian/grub.cfg"), 1 << 20)?;
    }
    esp.put_file(&path("/EFI/debian/grub.cfg"), &mut &b"new"[..])?;
    esp.put_file(&path("/new/directory/file"), &mut &[7; 10_000][..])?;
    esp.remove(&path("/EFI"))?;
    esp.close()
}

fn whole(options: &[&str], mib: u64) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("esp.img");
    make_vfat_as(&path, mib * MIB, options);
    fs::read(&path).unwrap()
}

#[test]
fn a_tree_is_removed_and_what_it_took_is_free_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("esp.img");
    make_vfat(&path, 4 * MIB);
    let device = MemoryDevice::from_bytes(fs::read(&path).unwrap());
    let esp = Esp::open(&device).unwrap();
    let names: BTreeMap<String, u32> = (0..200)
        .map(|number| (format!("/EFI/many/file number {number}"), number))
        .collect();
    for name in names.keys() {
        esp.put_file(&GuestPath::literal(name), &mut name.as_bytes())
            .unwrap();
    }
    assert_eq!(esp.list(&GuestPath::literal("/EFI/many")).unwrap().len(), 200);
    esp.remove(&GuestPath::literal("/EFI")).unwrap();
    assert_eq!(esp.list(&GuestPath::root()).unwrap(), Vec::<String>::new());
    esp.close().unwrap();
    let mut bytes = vec![0; usize::try_from(device.len_bytes()).unwrap()];
    device.read_at(0, &mut bytes).unwrap();
    atomic::write(&path, &bytes, Durability::NoSync).unwrap();
    fat_is_clean(&path);
}

#[test]
fn a_chain_that_leads_into_itself_comes_to_an_end() {
    let mut bytes = whole(&["-F", "16", "-s", "1"], 8);
    try_all(bytes.clone()).unwrap();
    // The first directory follows itself, and none of its slots is the last.
    let number = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    let table = number(14) * 512;
    let data = table + 2 * number(22) * 512 + number(17) * 32;
    bytes[table + 4..table + 6].copy_from_slice(&[2, 0]);
    for slot in bytes[data..data + 512].chunks_mut(32) {
        slot[0] = 0xE5;
    }
    let error = try_all(bytes).unwrap_err();
    assert!(format!("{error:?}").contains("does not end"), "{error:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn damage_never_brings_the_program_down(
        damage in prop::collection::vec((0_usize..40_000, any::<u8>()), 1..12),
        header in prop::collection::vec((0_usize..90, any::<u8>()), 0..3),
    ) {
        thread_local! { static SOUND: Vec<u8> = whole(&["-F", "12"], 1); }
        let mut bytes = SOUND.with(Clone::clone);
        for (place, byte) in damage.into_iter().chain(header) {
            bytes[place] = byte;
        }
        drop(try_all(bytes));
    }
}
