//! Edits of images in delta formats, killed and failed at their system calls: the old image or the new one.

use std::fs;

use crate::support::delta_lab::DeltaLab;
use crate::support::recovery::put;
use crate::support::tool;

/// An edit killed or failed at each of its calls: the old image or the new, whole, and the next edit works.
fn tamper(lab: &DeltaLab, arguments: &[&str], calls: &[(&str, u32)]) -> (u32, u32) {
    let old = lab.path("old");
    let before = fs::read(lab.image()).unwrap();
    put(&old, &before);
    lab.answer(arguments);
    let new = fs::read(lab.image()).unwrap();
    assert_ne!(before, new);
    let mut ends = (0, 0);
    for how in ["signal=KILL", "error=EIO"] {
        for (call, most) in calls {
            for nth in 1..=*most {
                put(&lab.image(), &before);
                let mut strace = tool("strace", "strace");
                strace
                    .args(["-f", "-qq", "-o", "/dev/null", "-e"])
                    .arg(format!("inject={call}:{how}:when={nth}"))
                    .arg(env!("CARGO_BIN_EXE_mln-image"));
                let output = lab.settled(strace, arguments).output().unwrap();
                let found = fs::read(lab.image()).unwrap();
                assert!(found == before || found == new, "{call} {how} {nth}");
                assert!(found == new || !output.status.success(), "{call} {how} {nth}");
                if found == new {
                    ends.1 += 1;
                } else {
                    ends.0 += 1;
                }
                lab.data_is_there();
                // What it left behind is no obstacle.
                lab.answer(arguments);
                assert_eq!(lab.answer(&["check", "IMG"]), "clean\n", "{call} {how} {nth}");
            }
        }
    }
    ends
}

#[test]
fn an_edit_killed_or_failed_at_its_calls_leaves_the_old_image_or_the_new() {
    let calls = [
        ("pwrite64", 3),
        ("fsync", 2),
        ("rename", 1),
        ("ftruncate", 1),
        ("fchmod", 1),
    ];
    for lab in [DeltaLab::qcow2("64k"), DeltaLab::uml_cow()] {
        let (old, new) = tamper(&lab, &["cp", "file", "IMG:/file"], &calls);
        assert!(old > 6 && new > 0, "{}: {old} {new}", lab.name);
    }
}

#[test]
fn growing_a_cow_file_killed_at_its_calls_leaves_the_old_image_or_the_new() {
    let lab = DeltaLab::uml_cow();
    let calls = [
        ("rename", 2),
        ("fsync", 4),
        ("copy_file_range", 1),
        ("pwrite64", 4),
    ];
    let (old, new) = tamper(&lab, &["resize", "IMG", "96M"], &calls);
    assert!(old > 6 && new > 0, "{old} {new}");
}
