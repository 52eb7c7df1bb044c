//! Edits of an image in place, killed and failed at every system call: the old image or the new one, to the byte.

use std::fs;
use std::path::Path;

use crate::support::lab::ImageLab;
use crate::support::{BlockSize, ExtKind, Mkfs, e2fsck_clean};

/// The system calls by which an edit changes files.
const CALLS: [&str; 8] = [
    "pwrite64",
    "write",
    "fsync",
    "fdatasync",
    "rename",
    "unlink",
    "fallocate",
    "ftruncate",
];

/// A small image with an edit, its bytes before and after.
struct Edit {
    lab: ImageLab,
    arguments: Vec<String>,
    old: Vec<u8>,
    new: Vec<u8>,
}

impl Edit {
    /// An edit that copies a file of `len` bytes into an image whose free blocks are holes.
    fn copying(len: u32) -> Self {
        Self::copying_into(len, |_| ())
    }

    /// The same into an image whose free blocks take room, as those of deleted files do.
    fn copying_into_used(len: u32) -> Self {
        Self::copying_into(len, |image| {
            crate::support::recovery::put(image, &fs::read(image).unwrap());
        })
    }

    fn copying_into(len: u32, prepare: impl FnOnce(&Path)) -> Self {
        let lab = ImageLab::new();
        let original = lab.path("original");
        Mkfs::new(ExtKind::Ext4, BlockSize(4096), 40 << 20).make(&original, None);
        prepare(&original);
        let content: Vec<u8> = (0..len).map(|number| (number % 251) as u8 + 1).collect();
        crate::support::recovery::put(&lab.path("file"), &content);
        let arguments = ["cp", "file", "IMG:/file"].map(ToOwned::to_owned).to_vec();
        lab.restore(&original);
        let old = fs::read(lab.image()).unwrap();
        let edit = Self {
            old,
            new: Vec::new(),
            lab,
            arguments,
        };
        edit.lab.answer(&edit.arguments());
        e2fsck_clean(&edit.lab.image());
        assert!(!edit.lab.redo().exists());
        let new = fs::read(edit.lab.image()).unwrap();
        assert_ne!(edit.old, new);
        Self { new, ..edit }
    }

    fn arguments(&self) -> Vec<&str> {
        self.arguments.iter().map(String::as_str).collect()
    }

    fn original(&self) -> std::path::PathBuf {
        self.lab.path("original")
    }

    /// Tampers with every call of the edit in turn, and holds what the next command sees to be old or new. Gives how
    /// many ended with the old image, and how many with the new one.
    fn tamper(&self, how: &str) -> (u32, u32) {
        let mut ends = (0, 0);
        for call in CALLS {
            // The first calls one by one, and of many alike every third.
            for nth in (1..8).chain((8..).step_by(3)) {
                self.lab.restore(&self.original());
                let inject = format!("{call}:{how}:when={nth}");
                let output = self.lab.tampered(&inject, &self.arguments()).output().unwrap();
                let is_whole = output.status.success();
                let is_new = self.settled(&inject);
                assert!(
                    is_new || !is_whole,
                    "{inject}: success was told, and the old image is there"
                );
                if is_new {
                    ends.1 += 1;
                } else {
                    ends.0 += 1;
                }
                if is_whole && !was_tampered(&self.lab, &inject, self) {
                    break;
                }
            }
        }
        ends
    }

    /// Has another command open the image, and answers whether it holds the new bytes; they are the old ones else.
    #[track_caller]
    fn settled(&self, what: &str) -> bool {
        self.lab.answer(&["info", "IMG"]);
        assert!(!self.lab.redo().exists(), "{what}");
        let found = fs::read(self.lab.image()).unwrap();
        assert!(
            found == self.old || found == self.new,
            "{what}: neither old nor new"
        );
        found == self.new
    }
}

/// Whether the edit does as many calls as `inject` wants to count: else it went through untouched.
fn was_tampered(lab: &ImageLab, inject: &str, edit: &Edit) -> bool {
    lab.restore(&edit.original());
    let kill = inject
        .replace("error=ENOSPC", "signal=KILL")
        .replace("error=EIO", "signal=KILL");
    let output = lab.tampered(&kill, &edit.arguments()).output().unwrap();
    !output.status.success()
}

#[test]
fn a_small_edit_killed_at_any_call_leaves_the_old_image_or_the_new() {
    let (old, new) = Edit::copying(10_000).tamper("signal=KILL");
    assert!(old > 3 && new > 3, "{old} {new}");
}

#[test]
fn a_large_edit_killed_at_any_call_leaves_the_old_image_or_the_new() {
    let (old, new) = Edit::copying_into_used(13 << 20).tamper("signal=KILL");
    assert!(old > 10 && new > 3, "{old} {new}");
}

#[test]
fn an_edit_that_any_call_fails_leaves_the_old_image_or_the_new() {
    let (old, new) = Edit::copying(13 << 20).tamper("error=EIO");
    assert!(old > 10 && new > 3, "{old} {new}");
    let (old, new) = Edit::copying(10_000).tamper("error=ENOSPC");
    assert!(old > 3 && new > 3, "{old} {new}");
}

#[test]
fn completing_an_edit_may_be_killed_too() {
    let edit = Edit::copying(10_000);
    edit.lab.restore(&edit.original());
    let torn = edit
        .lab
        .tampered("pwrite64:signal=KILL:when=2", &edit.arguments());
    assert!(!{ torn }.status().unwrap().success());
    let (image, redo) = (edit.lab.path("torn"), edit.lab.path("torn.redo"));
    fs::copy(edit.lab.image(), &image).unwrap();
    fs::copy(edit.lab.redo(), &redo).unwrap();
    let mut kills = 0;
    for call in CALLS {
        for nth in 1.. {
            fs::copy(&image, edit.lab.image()).unwrap();
            fs::copy(&redo, edit.lab.redo()).unwrap();
            let inject = format!("{call}:signal=KILL:when={nth}");
            let mut command = edit.lab.tampered(&inject, &["cat", "IMG:/file"]);
            if command.output().unwrap().status.success() {
                break;
            }
            kills += 1;
            assert!(edit.settled(&inject));
        }
    }
    assert!(kills > 3, "{kills}");
}

#[test]
fn a_reader_without_the_right_to_write_sees_the_new_image() {
    let edit = Edit::copying(10_000);
    edit.lab.restore(&edit.original());
    let mut torn = edit
        .lab
        .tampered("pwrite64:signal=KILL:when=1", &edit.arguments());
    assert!(!torn.status().unwrap().success());
    let before = fs::read(edit.lab.image()).unwrap();
    let output = crate::support::tool("setpriv", "util-linux")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .env("HOME", edit.lab.path(""))
        .arg(open_to_all(&edit.lab))
        .args(["image", "cat"])
        .arg(format!("{}:/file", edit.lab.image().display()))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.stdout, fs::read(edit.lab.path("file")).unwrap());
    assert_eq!(fs::read(edit.lab.image()).unwrap(), before);
    assert!(edit.lab.redo().exists());
}

/// The program where everybody may run it, in a directory that everybody may enter.
fn open_to_all(lab: &ImageLab) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let program = lab.path("program");
    fs::copy(env!("CARGO_BIN_EXE_mln-image"), &program).unwrap();
    for path in [&lab.path(""), &lab.image(), &lab.redo(), &program] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    program
}

#[test]
fn what_completes_an_edit_is_not_put_into_another_image() {
    let edit = Edit::copying(10_000);
    edit.lab.restore(&edit.original());
    let mut torn = edit
        .lab
        .tampered("pwrite64:signal=KILL:when=1", &edit.arguments());
    assert!(!torn.status().unwrap().success());
    let redo = fs::read(edit.lab.redo()).unwrap();
    // Another image in the place of the one that was being edited.
    let other = edit.lab.image();
    Mkfs::new(ExtKind::Ext3, BlockSize(4096), 40 << 20).make(&other, None);
    let before = fs::read(&other).unwrap();
    refused(&edit.lab, &other, &before, "completes a change of another image");
    for (what, bytes) in [
        ("is damaged: its digest is wrong", flipped(&redo, 100)),
        ("is damaged: its length is wrong", redo[..redo.len() - 1].to_vec()),
        ("is damaged: it is cut off", redo[..20].to_vec()),
        ("is damaged: it is of an unknown version", flipped(&redo, 8)),
        ("is damaged: it is of an unknown kind", flipped(&redo, 12)),
        ("is damaged: it does not begin as such a file", flipped(&redo, 0)),
    ] {
        crate::support::recovery::put(&edit.lab.redo(), &bytes);
        refused(&edit.lab, &other, &before, what);
    }
}

#[track_caller]
fn refused(lab: &ImageLab, image: &Path, before: &[u8], what: &str) {
    let complaint = lab.complaint(&["mkdir", "IMG:/new"]);
    assert!(complaint.contains(what), "{complaint}");
    assert!(
        complaint.contains("hint: if the image is a new one"),
        "{complaint}"
    );
    assert!(fs::read(image).unwrap() == before);
}

fn flipped(bytes: &[u8], place: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[place] ^= 0xFF;
    bytes
}
