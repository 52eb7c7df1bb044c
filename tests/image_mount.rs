//! `image mount`, with the cargo feature of that name.

use std::fs;
use std::process::Output;

use crate::support::lab::ImageLab;
use crate::support::{BlockSize, ExtKind, Mkfs, e2fsck_clean, tool};

/// A lab with a small image and a directory to mount it on.
fn lab() -> ImageLab {
    let lab = ImageLab::new();
    let original = lab.path("original");
    Mkfs::new(ExtKind::Ext4, BlockSize(4096), 16 << 20).make(&original, None);
    lab.restore(&original);
    fs::create_dir(lab.path("mnt")).unwrap();
    lab
}

fn mount(lab: &ImageLab, options: &[&str]) -> Output {
    let mut words = vec!["mount", "IMG"];
    let directory = lab.path("mnt");
    words.push(directory.to_str().unwrap());
    words.extend(options);
    lab.command(&words).output().unwrap()
}

fn unmount(lab: &ImageLab) {
    let status = tool("umount", "mount").arg(lab.path("mnt")).status().unwrap();
    assert!(status.success());
}

/// The loop devices over the lab's image.
fn loop_devices(lab: &ImageLab) -> String {
    let output = tool("losetup", "util-linux")
        .arg("-j")
        .arg(lab.image())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_mounted_image_is_changed_by_the_kernel_and_edited_by_nobody_else() {
    let lab = lab();
    let output = mount(&lab, &[]);
    assert!(output.status.success(), "{output:?}");
    fs::create_dir(lab.path("mnt/made")).unwrap();
    let refused = lab.command(&["rm", "IMG:/lost+found", "-r"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("is in use through /dev/loop"), "{told}");
    unmount(&lab);
    assert_eq!(loop_devices(&lab), "");
    e2fsck_clean(&lab.image());
    assert_eq!(lab.answer(&["ls", "IMG:/"]).lines().count(), 2);
}

#[test]
fn an_image_mounted_for_reading_stays_as_it_is() {
    let lab = lab();
    let before = fs::read(lab.image()).unwrap();
    let output = mount(&lab, &["--read-only"]);
    assert!(output.status.success(), "{output:?}");
    let refused = fs::create_dir(lab.path("mnt/made")).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
    unmount(&lab);
    assert_eq!(fs::read(lab.image()).unwrap(), before);
}

#[test]
fn what_cannot_be_mounted_leaves_no_loop_device() {
    let lab = lab();
    fs::remove_dir(lab.path("mnt")).unwrap();
    let output = mount(&lab, &[]);
    assert_eq!(output.status.code(), Some(1));
    let (image, directory) = (lab.image(), lab.path("mnt"));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        format!(
            "error: cannot mount `{}` on `{}`: No such file or directory (os error 2)\n",
            image.display(),
            directory.display()
        )
    );
    assert_eq!(loop_devices(&lab), "");
}
