//! Whole disks made by sfdisk, with file systems made by mke2fs and mkfs.vfat laid into their partitions.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use mln_image::base::atomic::{self, Durability};

use super::tool;

/// A disk image that is being made.
pub(crate) struct Disk(pub(crate) PathBuf);

impl Disk {
    /// A disk of `len_bytes` at `path`, its partitions as sfdisk's `script` says, and bytes of boot code before them.
    pub(crate) fn new(path: PathBuf, len_bytes: u64, script: &str) -> Self {
        File::create(&path).unwrap().set_len(len_bytes).unwrap();
        let mut child = tool("sfdisk", "fdisk")
            .arg("--quiet")
            .arg(&path)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let disk = Self(path);
        disk.write_at(0, &[0xB0; 440]);
        disk
    }

    pub(crate) fn write_at(&self, offset_bytes: u64, bytes: &[u8]) {
        let file = File::options().write(true).open(&self.0).unwrap();
        file.write_all_at(bytes, offset_bytes).unwrap();
    }

    /// Lays the file system in `image` at `offset_bytes`.
    pub(crate) fn put(&self, offset_bytes: u64, image: &Path) {
        self.write_at(offset_bytes, &fs::read(image).unwrap());
    }
}

/// A FAT file system with the directory `EFI/debian` and a file in it, as mkfs.vfat and mtools make it.
pub(crate) fn make_vfat(path: &Path, len_bytes: u64) {
    make_vfat_as(path, len_bytes, &[]);
}

/// The same of the form that `options` of mkfs.vfat ask for.
pub(crate) fn make_vfat_as(path: &Path, len_bytes: u64, options: &[&str]) {
    File::create(path).unwrap().set_len(len_bytes).unwrap();
    let run = |program: &str, package: &str, arguments: &[&str]| {
        let output = tool(program, package).args(arguments).arg(path).output().unwrap();
        assert!(output.status.success(), "{program}: {output:?}");
    };
    let options = [&["-n", "ESP", "-i", "12345678"], options].concat();
    run("mkfs.vfat", "dosfstools", &options);
    for directory in ["::EFI", "::EFI/debian"] {
        let output = tool("mmd", "mtools")
            .arg("-i")
            .arg(path)
            .arg(directory)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    let content = path.with_extension("cfg");
    atomic::write(&content, b"set timeout=5\n", Durability::NoSync).unwrap();
    let output = tool("mcopy", "mtools")
        .arg("-i")
        .arg(path)
        .arg(&content)
        .arg("::EFI/debian/grub.cfg")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// Panics unless sgdisk and sfdisk find nothing wrong with the table, and e2fsck nothing with the file system at
/// `root_bytes`.
#[track_caller]
pub(crate) fn disk_is_sound(image: &Path, is_gpt: bool, root_bytes: u64) {
    if is_gpt {
        let output = tool("sgdisk", "gdisk").arg("-v").arg(image).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("No problems found"), "{text}");
        assert!(!text.contains("Caution"), "{text}");
    }
    let output = tool("sfdisk", "fdisk")
        .arg("--verify")
        .arg(image)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("No errors detected"),
        "{text}"
    );
    root_is_clean(image, root_bytes);
}

/// Panics unless e2fsck finds nothing wrong with the file system at `offset_bytes`.
#[track_caller]
pub(crate) fn root_is_clean(image: &Path, offset_bytes: u64) {
    let place = format!("{}?offset={offset_bytes}", image.display());
    let output = tool("e2fsck", "e2fsprogs")
        .args(["-fn", &place])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

/// What `sfdisk --dump` tells of the partitions but the last one's length and the table's own reach.
pub(crate) fn lasting_parts(image: &Path) -> Vec<String> {
    let output = tool("sfdisk", "fdisk").arg("--dump").arg(image).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .filter(|line| !line.starts_with("device:") && !line.starts_with("last-lba:"))
        .map(|line| line.replace(&image.display().to_string(), "DISK"))
        .map(|line| match line.split_once("size=") {
            Some((before, rest)) => before.to_owned() + rest.split_once(',').map_or("", |(_, after)| after),
            None => line,
        })
        .collect()
}
