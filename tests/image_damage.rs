//! Damaged images in the hands of the program itself, a process with little memory and little time: each is refused or
//! found by `check`, and nothing panics, hangs, or takes memory without bounds.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::ext_damage::{DAMAGES, crowded, small};
use crate::support::lab::ImageLab;
use crate::support::{debugfs_write, tool};

/// What a process may have: 512 MiB of addresses, and 20 seconds.
const LIMITS: [&str; 5] = ["prlimit", "--as=536870912", "timeout", "-k1", "20"];

/// One damage: the image that it is done to, and how, in bytes that are written to places.
type Poke = (&'static str, &'static str, fn(&Path) -> Vec<(u64, Vec<u8>)>);

fn word(number: u32) -> Vec<u8> {
    number.to_le_bytes().to_vec()
}

/// Damage that debugfs cannot do: counts and lengths of the superblock and the groups.
const POKES: &[Poke] = &[
    ("ext3", "more blocks than the image has", |_| {
        vec![(1024 + 4, word(u32::MAX))]
    }),
    ("ext3", "no blocks at all", |_| vec![(1024 + 4, word(0))]),
    ("ext3", "blocks of 64 GiB", |_| vec![(1024 + 24, word(26))]),
    ("ext3", "groups of no blocks", |_| vec![(1024 + 32, word(0))]),
    ("ext3", "groups of one block", |_| vec![(1024 + 32, word(1))]),
    ("ext3", "groups of no inodes", |_| vec![(1024 + 40, word(0))]),
    ("ext3", "groups of four billion inodes", |_| {
        vec![(1024 + 40, word(u32::MAX))]
    }),
    ("ext3", "inodes of one byte", |_| vec![(1024 + 88, vec![1, 0])]),
    ("ext3", "inodes of 65535 bytes", |_| {
        vec![(1024 + 88, vec![255, 255])]
    }),
    ("ext3", "a first block of data far out", |_| {
        vec![(1024 + 20, word(1 << 30))]
    }),
    ("ext4", "descriptors of 65535 bytes", |_| {
        vec![(1024 + 254, vec![255, 255])]
    }),
    ("ext3", "a bitmap far out", |_| vec![(2048, word(u32::MAX))]),
    ("ext3", "two bitmaps in one place", |_| {
        vec![(2048, word(70)), (2052, word(70))]
    }),
];

/// Runs `image` with `arguments` within the limits.
#[track_caller]
fn limited(lab: &ImageLab, what: &str, arguments: &[&str]) -> Output {
    let inner = lab.command(arguments);
    let mut outer = tool(LIMITS[0], "util-linux");
    outer
        .args(&LIMITS[1..])
        .arg(inner.get_program())
        .args(inner.get_args())
        .current_dir(lab.path(""))
        .env("HOME", lab.path(""))
        .env("SOURCE_DATE_EPOCH", crate::support::lab::EPOCH);
    let output = outer.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        matches!(output.status.code(), Some(0 | 1)) && !text.contains("panicked"),
        "{what}: {arguments:?}: {}: {text}",
        output.status
    );
    output
}

/// Does everything with a damaged image that commands can do.
fn try_everything(lab: &ImageLab, what: &str, damaged: &Path) {
    fs::copy(damaged, lab.image()).unwrap();
    let checked = limited(lab, what, &["check", "IMG"]);
    assert_eq!(
        checked.status.code(),
        Some(1),
        "{what}: neither refused nor found"
    );
    for arguments in [
        &["ls", "-R", "IMG"][..],
        &["info", "IMG"],
        &["dump", "IMG"],
        &["cat", "IMG:/d/e/g"],
        &["cp", "-r", "IMG:/d", "out"],
        &["diff", "IMG", "IMG:/d"],
        &["mkdir", "-p", "IMG:/d/new/newer"],
        &["cp", "file", "IMG:/f"],
        &["rm", "-r", "-f", "IMG:/d", "IMG:/crowd"],
        &["mv", "IMG:/f", "IMG:/l"],
    ] {
        limited(lab, what, arguments);
        let _may_not_be_there = fs::remove_dir_all(lab.path("out"));
    }
}

#[test]
fn every_damage_is_refused_or_found_within_limits() {
    let lab = ImageLab::new();
    crate::support::recovery::put(&lab.path("file"), &vec![7; 50_000]);
    let directory = tempfile::tempdir().unwrap();
    let whole: [(&str, PathBuf); 3] = [
        ("ext3", small(&directory, crate::support::ExtKind::Ext3)),
        ("ext4", small(&directory, crate::support::ExtKind::Ext4)),
        ("crowded", crowded(&directory)),
    ];
    let source = |name: &str| &whole.iter().find(|(whole, _)| *whole == name).unwrap().1;
    let damaged = directory.path().join("damaged");
    let mut kinds = 0;
    for damage in fs::read_to_string(DAMAGES).unwrap().split("\n\n").skip(1) {
        let head = damage.lines().next().unwrap();
        let (name, requests) = head.split_once(": ").unwrap();
        fs::copy(source(name), &damaged).unwrap();
        debugfs_write(&damaged, &requests.split(" ; ").collect::<Vec<_>>());
        try_everything(&lab, head, &damaged);
        kinds += 1;
    }
    for (name, what, pokes) in POKES {
        fs::copy(source(name), &damaged).unwrap();
        let file = File::options().write(true).open(&damaged).unwrap();
        for (place, bytes) in pokes(&damaged) {
            file.write_all_at(&bytes, place).unwrap();
        }
        try_everything(&lab, what, &damaged);
        kinds += 1;
    }
    assert!(kinds > 70, "{kinds}");
}
