//! Upgrades of whole disks that a machine has written to, where files on the EFI system partition change.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use mln_image::project::ImageFormat;

use crate::esp_files::{Lab, content, fat_is_clean};
use crate::support::disk::disk_is_sound;
use crate::support::program::image_answer;
use crate::support::recovery::put;
use crate::support::tool;

/// A project with files on both file systems.
const BEFORE: &str = "\
global { project farm }
host www {
    template disk.img
    format FORMAT
    size 100M
    files { one /boot/efi/EFI/debian/grub.cfg; one /boot/efi/EFI/gone.cfg; one /boot/efi/EFI/own.cfg; one /srv/one }
}
";

#[track_caller]
fn succeeds(lab: &Lab, arguments: &[&str]) -> String {
    let mut program = Command::new(env!("CARGO_BIN_EXE_mln-image"));
    for (option, place) in [("-P", "projects"), ("-T", "templates"), ("-F", "files")] {
        program.arg(option).arg(lab.bakery.path(place));
    }
    program.args(arguments).current_dir(lab.bakery.path(""));
    let output = program.env("HOME", lab.bakery.path("")).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The whole disk as a raw file.
fn raw(lab: &Lab, format: ImageFormat) -> PathBuf {
    let image = lab.bakery.baked("farm", &format!("www/{}", format.root_image()));
    if format == ImageFormat::Raw {
        return image;
    }
    let converted = lab.bakery.path("converted.img");
    let mut convert = tool("qemu-img", "qemu-utils");
    let convert = convert.args(["convert", "-O", "raw"]).args([&image, &converted]);
    assert!(convert.status().unwrap().success());
    converted
}

/// Writes to the partition as a machine does, by another program: `note` as `EFI/mine`, and over `EFI/own.cfg`.
fn machine_writes(lab: &Lab, format: ImageFormat) {
    let image = lab.bakery.baked("farm", &format!("www/{}", format.root_image()));
    let note = lab.bakery.path("note");
    let target = format!("{}:/srv/precious", image.display());
    image_answer(&["cp", &note.display().to_string(), &target]);
    let partition = lab.partition(&raw(lab, format));
    for name in ["mine", "own.cfg"] {
        let mut copy = tool("mcopy", "mtools");
        copy.args(["-o", "-i"])
            .args([&partition, &note])
            .arg(format!("::EFI/{name}"));
        assert!(copy.status().unwrap().success());
    }
    let mut write = tool("qemu-io", "qemu-utils");
    let len = fs::metadata(&partition).unwrap().len();
    write.args([
        "-f",
        if format == ImageFormat::Raw {
            "raw"
        } else {
            "qcow2"
        },
        "-c",
    ]);
    write.arg(format!("write -q -s {} 1M {len}", partition.display()));
    assert!(write.arg(&image).status().unwrap().success());
}

#[test]
fn files_on_the_efi_system_partition_change_and_what_the_machine_wrote_there_stays() {
    for format in [ImageFormat::Raw, ImageFormat::Qcow2] {
        let lab = Lab::new(8, &["-F", "16", "-s", "1"]);
        for (name, text) in [("one", "one\n"), ("two", "two\n")] {
            put(&lab.bakery.path(&format!("files/{name}")), text.as_bytes());
        }
        put(&lab.bakery.path("note"), b"precious\n");
        let before = BEFORE.replace("FORMAT", &format.to_string());
        put(&lab.bakery.path("farm.mln"), before.as_bytes());
        succeeds(&lab, &["bake", "farm.mln"]);
        machine_writes(&lab, format);
        let after = before
            .replace(
                "one /boot/efi/EFI/debian/grub.cfg",
                "two /boot/efi/EFI/debian/grub.cfg",
            )
            .replace(
                "one /boot/efi/EFI/gone.cfg; one /boot/efi/EFI/own.cfg",
                "two /boot/efi/new/x.cfg",
            );
        put(&lab.bakery.path("farm.mln"), after.as_bytes());
        let answer = succeeds(&lab, &["upgrade", "farm.mln"]);
        assert_eq!(answer, "upgraded farm: 1 changed in place\n", "{format}");
        let disk = raw(&lab, format);
        disk_is_sound(&disk, true, 9 << 20);
        assert_eq!(image_answer(&["check", &disk.display().to_string()]), "clean\n");
        let precious = format!("{}:/srv/precious", disk.display());
        assert_eq!(image_answer(&["cat", &precious]), "precious\n");
        let partition = lab.partition(&disk);
        fat_is_clean(&partition);
        for (file, expected) in [
            ("EFI/debian/grub.cfg", "two\n"),
            ("new/x.cfg", "two\n"),
            ("EFI/mine", "precious\n"),
            // Asked for no more, but the machine has changed it.
            ("EFI/own.cfg", "precious\n"),
        ] {
            assert_eq!(content(&partition, file), expected.as_bytes(), "{format} {file}");
        }
        let mut list = tool("mdir", "mtools");
        let listed = list
            .args(["-b", "-i"])
            .arg(&partition)
            .arg("::EFI")
            .output()
            .unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        assert!(
            listed.contains("own.cfg") && !listed.contains("gone.cfg"),
            "{listed}"
        );
        assert!(succeeds(&lab, &["verify", "farm"]).ends_with("files are as they were\n"));
        assert_eq!(
            succeeds(&lab, &["upgrade", "farm.mln"]),
            "upgraded farm: 1 as before\n"
        );
    }
}
