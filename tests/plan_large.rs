//! Projects of many hosts: what they take is in proportion to their number, and little.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use mln_image::base::atomic::{self, Durability};

fn program(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mln-image"));
    command
        .env_clear()
        .env("HOME", directory)
        .current_dir(directory)
        .args(["-P", "projects", "-T", "templates"]);
    command
}

/// A directory with the skeleton template and projects of so many hosts.
fn desk(counts: &[u32]) -> tempfile::TempDir {
    let desk = tempfile::tempdir().unwrap();
    let built = program(desk.path())
        .args(["template", "build", "skeleton"])
        .output()
        .unwrap();
    assert!(built.status.success(), "{built:?}");
    for count in counts {
        let mut text = String::from(
            "global { project large }\nswitch lan { }\nsuperclass common { template skeleton.ext4; size 64M; memory \
             64M\n network eth0 { switch lan; netmask 255.255.0.0 }\n users { ann *; bob * }\n groups { wheel { ann } \
             }\n startup {\n echo $hostname\n }\n}\n",
        );
        for number in 0..*count {
            let (high, low) = (number / 250, number % 250 + 1);
            writeln!(
                text,
                "host node{number} {{ superclass common; network eth0 {{ address 10.0.{high}.{low} }} }}"
            )
            .unwrap();
        }
        let path = desk.path().join(format!("{count}.mln"));
        atomic::write(&path, text.as_bytes(), Durability::NoSync).unwrap();
    }
    desk
}

/// The most memory that `plan` has held, in KiB, for a project of `count` hosts.
fn memory_of_plan(desk: &Path, count: u32) -> u64 {
    let mut child = program(desk)
        .args(["plan", &format!("{count}.mln")])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // All is planned before the first host is told, and what is told fills the pipe many times: the program waits.
    let mut told = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    told.read_line(&mut first).unwrap();
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let hosts = told
        .lines()
        .filter(|line| line.as_ref().unwrap().starts_with("node"))
        .count();
    assert!(child.wait().unwrap().success());
    assert_eq!((first.starts_with("node0: "), hosts + 1), (true, count as usize));
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_thousand_hosts_are_planned_in_little_memory() {
    let desk = desk(&[200, 1000]);
    let (few, many) = (
        memory_of_plan(desk.path(), 200),
        memory_of_plan(desk.path(), 1000),
    );
    let each = many.saturating_sub(few) / 800;
    assert!(
        each <= 20,
        "{each} KiB a host: {few} KiB for 200 hosts, {many} KiB for 1000"
    );
}

#[test]
fn two_hundred_deltas_are_baked_in_little_space() {
    use std::os::unix::fs::MetadataExt as _;

    let desk = desk(&[200]);
    let baked = program(desk.path())
        .args([
            "bake",
            "200.mln",
            "--format",
            "qcow2",
            "--verify",
            "none",
            "--no-sync",
        ])
        .output()
        .unwrap();
    assert!(baked.status.success(), "{baked:?}");
    let project = desk.path().join("projects/large");
    let manifest = fs::read(project.join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["hosts"].as_array().unwrap().len(), 200);
    for number in 0..200 {
        let image = fs::metadata(project.join(format!("node{number}/root.qcow2"))).unwrap();
        assert!(
            image.blocks() * 512 <= 300 << 10,
            "node{number}: {} bytes",
            image.blocks() * 512
        );
    }
}
