//! A bake killed and failed at its system calls: the template stays as it was, and every image that has its name is
//! whole.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::support::bakery::Bakery;
use crate::support::{ExtKind, e2fsck_clean, sha256, tool};

const PROJECT: &str = "\
global { project farm }
host www1 { template small.ext4
    size 56M
    network eth0 { address 10.0.0.1
        netmask 255.255.255.0 } }
";

/// The system calls by which a bake reads and changes files.
const CALLS: [(&str, usize); 7] = [
    ("pread64", 40),
    ("pwrite64", 12),
    ("write", 3),
    ("fsync", 1),
    ("rename", 1),
    ("ftruncate", 1),
    ("openat", 100),
];

struct Desk {
    bakery: Bakery,
}

impl Desk {
    fn bake(&self, inject: Option<&str>) -> Command {
        let mut command = match inject {
            Some(inject) => {
                let mut strace = tool("strace", "strace");
                strace
                    .args(["-f", "-qq", "-o", "/dev/null", "-e"])
                    .arg(format!("inject={inject}"))
                    .arg(env!("CARGO_BIN_EXE_mln-image"));
                strace
            }
            None => Command::new(env!("CARGO_BIN_EXE_mln-image")),
        };
        command
            .args(["bake", "--jobs", "1", "--replace", "-P"])
            .arg(self.bakery.path("projects"))
            .arg("--secret-file")
            .arg(self.bakery.path("secret"))
            .arg("-T")
            .arg(self.bakery.path("templates"))
            .arg(self.bakery.path("farm.mln"))
            .env("HOME", self.bakery.path(""))
            .env("SOURCE_DATE_EPOCH", "1750000000");
        command
    }

    fn image(&self) -> PathBuf {
        self.bakery.baked("farm", "www1/root.img")
    }
}

#[test]
fn a_bake_killed_or_failed_at_its_calls_leaves_the_template_and_whole_images() {
    let desk = Desk {
        bakery: Bakery::with_template(ExtKind::Ext4),
    };
    crate::support::recovery::put(&desk.bakery.path("farm.mln"), PROJECT.as_bytes());
    crate::support::recovery::put(
        &desk.bakery.path("secret"),
        b"the secret of every one of these bakes",
    );
    let template = desk.bakery.template(ExtKind::Ext4);
    let before = sha256(&template);
    let output = desk.bake(None).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    e2fsck_clean(&desk.image());
    let expected = sha256(&desk.image());
    let mut faults = 0;
    for (call, step) in CALLS {
        for how in ["signal=KILL", "error=EIO"] {
            for nth in (1..).step_by(step) {
                let _may_not_be_there = fs::remove_dir_all(desk.bakery.path("projects/farm"));
                let inject = format!("{call}:{how}:when={nth}");
                let whole = desk.bake(Some(&inject)).output().unwrap().status.success();
                assert_eq!(sha256(&template), before, "{inject}");
                assert!(!whole || desk.image().exists(), "{inject}");
                if desk.image().exists() {
                    assert_eq!(sha256(&desk.image()), expected, "{inject}");
                }
                if whole {
                    break;
                }
                faults += 1;
            }
        }
    }
    assert!(faults > 10, "{faults}");
    assert!(desk.bake(None).output().unwrap().status.success());
    assert_eq!(sha256(&desk.image()), expected);
}
