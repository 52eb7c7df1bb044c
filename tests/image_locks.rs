//! Images that someone else uses are left alone, and the reason is told.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Stdio};

use crate::support::lab::ImageLab;
use crate::support::{BlockSize, ExtKind, Mkfs, tool};

fn lab() -> ImageLab {
    let lab = ImageLab::new();
    Mkfs::new(ExtKind::Ext4, BlockSize(1024), 16 << 20).make(&lab.image(), None);
    lab
}

/// Starts `command`, which says a line when it is ready and goes on until its input ends.
fn holder(mut command: std::process::Command) -> Child {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(!line.is_empty());
    child
}

/// Lets the holder end.
fn release(mut child: Child) {
    drop(child.stdin.take());
    child.wait().unwrap();
}

#[track_caller]
fn refused(lab: &ImageLab, what: &str, hint: &str) {
    let before = fs::read(lab.image()).unwrap();
    let complaint = lab.complaint(&["mkdir", "IMG:/new"]);
    assert!(complaint.starts_with(&format!("error: {what}")), "{complaint}");
    assert!(complaint.ends_with(&format!("hint: {hint}\n")), "{complaint}");
    assert!(fs::read(lab.image()).unwrap() == before);
}

#[test]
fn the_second_of_two_edits_at_once_says_so() {
    let lab = lab();
    let mut first = lab.command(&["cp", "-", "IMG:/first"]);
    let mut first = first.stdin(Stdio::piped()).spawn().unwrap();
    first.stdin.as_mut().unwrap().write_all(b"half").unwrap();
    // The first one has the image as soon as it has asked for its input.
    let mut waited = 0;
    let own = format!("FLOCK  ADVISORY  WRITE {} ", first.id());
    while !fs::read_to_string("/proc/locks").unwrap().contains(&own) {
        std::thread::sleep(std::time::Duration::from_millis(20));
        waited += 1;
        assert!(waited < 500, "the first edit never locks its image");
    }
    refused(
        &lab,
        "another mln-image is working on `IMG`",
        "try again when it has ended",
    );
    drop(first.stdin.take());
    assert!(first.wait().unwrap().success());
    assert_eq!(lab.answer(&["cat", "IMG:/first"]), "half");
}

#[test]
fn an_image_that_qemu_has_open_is_refused() {
    let lab = lab();
    assert!(
        tool("qemu-io", "qemu-utils")
            .arg("--version")
            .output()
            .unwrap()
            .status
            .success()
    );
    // A first read, then it waits for more requests.
    let mut qemu = tool("sh", "dash");
    qemu.arg("-c")
        .arg("{ echo 'read 0 512'; cat; } | qemu-io -f raw \"$1\"")
        .args(["sh", lab.image().to_str().unwrap()]);
    let qemu = holder(qemu);
    refused(
        &lab,
        "`IMG` is in use by a virtual machine or another program",
        "stop the machine first: what it has in memory would undo the change",
    );
    assert!(
        lab.answer(&["ls", "IMG:/"]).contains("/lost+found"),
        "it may be read"
    );
    release(qemu);
    lab.answer(&["mkdir", "IMG:/new"]);
}

#[test]
fn an_image_locked_as_user_mode_linux_does_is_refused_with_the_process() {
    use nix::fcntl::{FcntlArg, fcntl};
    use nix::libc;
    let lab = lab();
    let file = fs::File::options()
        .read(true)
        .write(true)
        .open(lab.image())
        .unwrap();
    let whole = libc::flock {
        l_type: i16::try_from(libc::F_WRLCK).unwrap(),
        l_whence: 0,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    fcntl(&file, FcntlArg::F_SETLK(&whole)).unwrap();
    let complaint = lab.complaint(&["mkdir", "IMG:/new"]);
    let own = std::process::id();
    assert_eq!(
        complaint,
        format!(
            "error: `IMG` is in use by process {own}\n\
             hint: stop the machine first: what it has in memory would undo the change\n"
        )
    );
}

#[test]
fn an_image_that_is_mounted_is_refused() {
    let lab = lab();
    let mounted = crate::support::Mounted::new(&lab.image(), "ext4");
    let complaint = lab.complaint(&["mkdir", "IMG:/new"]);
    assert!(
        complaint.starts_with("error: `IMG` is in use through /dev/loop"),
        "{complaint}"
    );
    drop(mounted);
    lab.answer(&["mkdir", "IMG:/new"]);
}
