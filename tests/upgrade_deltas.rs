//! Upgrades of hosts whose images are deltas that a machine has written to: grown, configured, and nothing lost.

use std::fs;

use mln_image::project::ImageFormat;

use crate::support::desk::{BEFORE, Desk};

#[test]
fn a_delta_that_was_written_to_is_changed_and_keeps_what_was_written() {
    for format in [ImageFormat::Qcow2, ImageFormat::UmlCow] {
        let desk = Desk::used_as(format);
        for (size, bytes) in [("56M", 56_u64 << 20), ("80M", 80 << 20), ("72M", 72 << 20)] {
            desk.describe(
                &BEFORE
                    .replace("size 56M", &format!("size {size}"))
                    .replace("first", &format!("at {size}")),
            );
            let answer = desk.succeeds(&["upgrade", "farm.mln"]);
            assert_eq!(answer, "upgraded farm: 2 changed in place\n", "{format}");
            for host in ["www1", "www2"] {
                let merged = desk.merged(host);
                assert_eq!(fs::metadata(&merged).unwrap().len(), bytes, "{format}");
                let cat = |path: &str| {
                    let source = format!("{}:{path}", merged.display());
                    desk.succeeds(&["image", "cat", &source])
                };
                assert_eq!(cat("/srv/precious"), "precious\n");
                assert!(cat("/etc/mln/startup").ends_with(&format!("echo at {size}\n")));
            }
            let proof = desk.succeeds(&["verify", "farm"]);
            assert!(proof.ends_with("files are as they were\n"), "{proof}");
            assert_eq!(
                desk.succeeds(&["upgrade", "farm.mln"]),
                "upgraded farm: 2 as before\n"
            );
        }
        // Only the copy that the images lie over now is kept.
        let backings = fs::read_dir(desk.bakery.baked("farm", ".backing")).map_or(0, Iterator::count);
        assert_eq!(backings, usize::from(format == ImageFormat::UmlCow));
        // A bake of a part of the project leaves the other's backing alone.
        desk.succeeds(&["upgrade", "--fresh", "www2", "farm.mln"]);
        assert_eq!(desk.cat("www1", "/srv/precious"), "precious\n");
        assert!(!desk.has("www2", "/srv/precious"));
    }
}

#[test]
fn an_upgrade_of_deltas_killed_at_its_calls_loses_nothing() {
    let desk = Desk::used_as(ImageFormat::UmlCow);
    let mut killed = 0;
    for (round, (call, number)) in [
        ("rename", 1),
        ("rename", 2),
        ("rename", 3),
        ("unlink", 1),
        ("fsync", 3),
    ]
    .into_iter()
    .enumerate()
    {
        let size = 60 + 4 * round;
        let grown = BEFORE.replace("size 56M", &format!("size {size}M"));
        desk.describe(&grown);
        killed += usize::from(desk.upgrade_is_killed_at(call, number));
        for host in ["www1", "www2"] {
            desk.merged(host);
            assert_eq!(desk.cat(host, "/srv/precious"), "precious\n", "{call} {number}");
        }
        // Whoever goes back to what was described before finds everything as well.
        desk.describe(&BEFORE.replace("size 56M", &format!("size {}M", size - 4)));
        desk.succeeds(&["upgrade", "farm.mln"]);
        desk.describe(&grown);
        desk.succeeds(&["upgrade", "farm.mln"]);
        for host in ["www1", "www2"] {
            let merged = desk.merged(host);
            assert_eq!(fs::metadata(&merged).unwrap().len(), (size as u64) << 20);
            assert_eq!(desk.cat(host, "/srv/precious"), "precious\n", "{call} {number}");
        }
        desk.succeeds(&["verify", "farm"]);
    }
    assert!(killed >= 3, "only {killed} were killed");
}
