//! `bake --as-template`: a baked host becomes a template that tells what it was made from.

use std::path::Path;
use std::process::{Command, Output};

use mln_image::base::atomic::{self, Durability};

use crate::support::bakery::Bakery;
use crate::support::{ExtKind, debugfs, e2fsck_clean, sha256};

const TEXT: &str = "global { project farm }\nhost www1 { xen\n template small.ext4\n startup { echo golden } }\n\
    host www2 { xen\n template small.ext4 }\n";

fn run(bakery: &Bakery, arguments: &[&str]) -> Output {
    let place = |name: &str| bakery.path(name).display().to_string();
    Command::new(env!("CARGO_BIN_EXE_mln-image"))
        .args([
            "-P",
            &place("projects"),
            "-T",
            &place("templates"),
            "-F",
            &place("files"),
        ])
        .args(arguments)
        .env_clear()
        .env("HOME", bakery.path("."))
        .output()
        .unwrap()
}

fn put(path: &Path, text: &str) {
    atomic::write(path, text.as_bytes(), Durability::NoSync).unwrap();
}

#[test]
fn a_baked_host_becomes_a_template_with_its_lineage() {
    let bakery = Bakery::with_template(ExtKind::Ext4);
    let file = bakery.path("farm.mln");
    put(&file, TEXT);
    let file = file.to_str().unwrap();
    let unclear = run(&bakery, &["bake", file, "--as-template", "golden.ext4"]);
    assert_eq!(unclear.status.code(), Some(2), "{unclear:?}");
    let baked = run(
        &bakery,
        &["bake", file, "--as-template", "golden.ext4", "--host", "www1"],
    );
    assert!(baked.status.success(), "{baked:?}");
    let note = String::from_utf8_lossy(&baked.stderr).into_owned();
    assert!(
        note.contains("kept host www1 as the template golden-V1.0.ext4"),
        "{note}"
    );
    let template = bakery.path("templates").join("golden-V1.0.ext4");
    assert_eq!(sha256(&template), sha256(&bakery.baked("farm", "www1/root.img")));
    let info = run(&bakery, &["template", "info", "golden.ext4", "--verify"]);
    let info = String::from_utf8_lossy(&info.stdout).into_owned();
    let line = info.lines().find(|line| line.starts_with("source: ")).unwrap();
    assert!(
        line.starts_with("source: baked as host www1 of project farm (sha256 "),
        "{info}"
    );
    let parent = format!(
        "from small.ext4 (sha256 {})",
        sha256(&bakery.template(ExtKind::Ext4))
    );
    assert!(line.ends_with(&parent), "{info}");
    // The next generation starts where this one ended.
    let next = bakery.path("next.mln");
    put(
        &next,
        "global { project next }\nhost app { xen\n template golden.ext4 }\n",
    );
    let baked = run(
        &bakery,
        &["bake", next.to_str().unwrap(), "--as-template", "golden.ext4"],
    );
    assert!(baked.status.success(), "{baked:?}");
    let image = bakery.path("templates").join("golden-V1.1.ext4");
    e2fsck_clean(&image);
    assert_eq!(debugfs(&image, "cat /etc/hostname"), "app\n");
}

#[test]
fn a_delta_becomes_the_same_template_as_a_raw_image() {
    let bakery = Bakery::with_template(ExtKind::Ext4);
    let file = bakery.path("farm.mln");
    put(&file, TEXT);
    let file = file.to_str().unwrap();
    let mut digests = Vec::new();
    for (format, name) in [
        ("raw", "raw-V1.0.ext4"),
        ("qcow2", "qcow2-V1.0.ext4"),
        ("uml-cow", "cow-V1.0.ext4"),
    ] {
        let keep = ["--as-template", name, "--host", "www1"];
        let baked = run(
            &bakery,
            &[&["bake", "--replace", file, "--format", format], &keep[..]].concat(),
        );
        assert!(baked.status.success(), "{baked:?}");
        digests.push(sha256(&bakery.path("templates").join(name)));
        assert!(!bakery.baked("farm", "www1/root.raw.mln-partial").exists());
    }
    assert_eq!(digests[1..], [digests[0]; 2]);
}

#[test]
fn what_cannot_become_a_template_is_refused_before_anything_is_baked() {
    let bakery = Bakery::with_template(ExtKind::Ext4);
    let file = bakery.path("farm.mln");
    put(&file, TEXT);
    let file = file.to_str().unwrap();
    let golden = ["bake", file, "--as-template", "golden.ext4"];
    let several = run(&bakery, &[&golden[..], &["--host", "www1,www2"]].concat());
    assert_eq!(several.status.code(), Some(2), "{several:?}");
    assert_eq!(
        String::from_utf8_lossy(&several.stderr),
        "error: only one host can become a template\n"
    );
    let part = run(&bakery, &[&golden[..], &["--shard", "1/2"]].concat());
    assert_eq!(part.status.code(), Some(2), "{part:?}");
    assert!(!bakery.path("projects").join("farm").exists());
}
