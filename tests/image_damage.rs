//! Damaged images in the hands of the program itself, a process with little memory and little time: each is refused or
//! found by `check`, and nothing panics, hangs, or takes memory without bounds.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::ext_damage::{DAMAGES, crowded, small};
use crate::support::lab::ImageLab;
use crate::support::recovery::debugfs_number;
use crate::support::{debugfs_write, tool};

/// What a process may have: 512 MiB of addresses, and 20 seconds.
const LIMITS: [&str; 5] = ["prlimit", "--as=536870912", "timeout", "-k1", "20"];

/// One damage: the image that it is done to, and how, in bytes that are written to places.
type Poke = (&'static str, &'static str, fn(&Path) -> Vec<(u64, Vec<u8>)>);

/// Where block `number` of an image with blocks of 1 KiB lies.
fn block(number: u64) -> u64 {
    number * 1024
}

/// Where the inode `number` lies; inodes have 256 bytes, and all of them are in the first group.
fn inode(image: &Path, number: u64) -> u64 {
    let group = crate::support::debugfs(image, "stats");
    let table = group.split("inode table at ").nth(1).unwrap();
    let table: u64 = table
        .split(|sign: char| !sign.is_ascii_digit())
        .next()
        .unwrap()
        .parse()
        .unwrap();
    block(table) + (number - 1) * 256
}

fn first_block(image: &Path, path: &str) -> u64 {
    block(debugfs_number(image, &format!("blocks {path}"), ""))
}

fn word(number: u32) -> Vec<u8> {
    number.to_le_bytes().to_vec()
}

fn big(number: u32) -> Vec<u8> {
    number.to_be_bytes().to_vec()
}

/// Where a file's map begins in its inode.
const MAP: u64 = 40;

/// Damage that debugfs cannot do: counts and lengths, cycles, overlaps, logs that lie.
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
    ("ext3", "more reserved blocks than blocks", |_| {
        vec![(1024 + 8, word(u32::MAX))]
    }),
    ("ext3", "a list of orphans that is a circle", |image| {
        let place = inode(image, 13);
        vec![
            (1024 + 232, word(13)),
            (place + 20, word(13)),
            (place + 26, vec![0, 0]),
        ]
    }),
    ("ext3", "a list of orphans that leads far out", |_| {
        vec![(1024 + 232, word(u32::MAX))]
    }),
    ("ext3", "indirect blocks that are their own", |image| {
        let place = first_block(image, "/f") + block(12);
        vec![(place, word(u32::try_from(place / 1024).unwrap()).repeat(256))]
    }),
    ("ext3", "an indirect block far out", |image| {
        vec![(inode(image, 13) + MAP + 48, word(u32::MAX))]
    }),
    ("ext3", "triply indirect blocks in the superblock", |image| {
        vec![(inode(image, 13) + MAP + 56, word(1))]
    }),
    ("ext4", "an extent tree 60000 levels deep", |image| {
        vec![(inode(image, 13) + MAP + 6, vec![0x60, 0xEA])]
    }),
    ("ext4", "more extents than there is room for", |image| {
        vec![(inode(image, 13) + MAP + 2, vec![0xFF, 0xFF])]
    }),
    ("ext4", "extents that overlap", |image| {
        let place = inode(image, 13) + MAP;
        vec![
            (place + 2, vec![2, 0]),
            (place + 24, [word(1), vec![9, 0, 0, 0], word(3000)].concat()),
        ]
    }),
    ("ext4", "an extent of no blocks", |image| {
        vec![(inode(image, 13) + MAP + 16, vec![0, 0])]
    }),
    ("ext4", "a wrong checksum of an inode", |image| {
        vec![(inode(image, 13) + 124, vec![1, 2])]
    }),
    ("ext4", "a wrong checksum of the superblock", |_| {
        vec![(1024 + 1020, word(5))]
    }),
    ("ext4", "a wrong checksum of a directory", |image| {
        vec![(first_block(image, "/d") + 1020, word(5))]
    }),
    ("ext3", "a file of 16 TiB", |image| {
        vec![(inode(image, 13) + 108, word(0xFFF))]
    }),
    ("ext3", "a directory of 4 GiB", |image| {
        vec![(inode(image, 12) + 4, word(u32::MAX - 1023))]
    }),
    ("ext3", "a link of 4 GiB", |image| {
        vec![(inode(image, 16) + 4, word(u32::MAX))]
    }),
    ("ext3", "an entry of 65532 bytes", |image| {
        vec![(first_block(image, "/d") + 28, vec![0xFC, 0xFF])]
    }),
    ("ext3", "an entry of no bytes", |image| {
        vec![(first_block(image, "/d") + 28, vec![0, 0])]
    }),
    ("ext3", "an entry for an inode far out", |image| {
        vec![(first_block(image, "/d") + 24, word(u32::MAX))]
    }),
    ("ext3", "a directory that holds itself", |image| {
        vec![(first_block(image, "/d") + 24, word(12))]
    }),
    ("ext3", "a directory that holds the root", |image| {
        vec![(first_block(image, "/d") + 24, word(2))]
    }),
    ("crowded", "a hash tree that leads to itself", |image| {
        vec![(first_block(image, "/crowd") + 36, word(0))]
    }),
    ("crowded", "a hash tree that leads far out", |image| {
        vec![(first_block(image, "/crowd") + 36, word(u32::MAX))]
    }),
    ("crowded", "a hash tree of 255 levels", |image| {
        vec![(first_block(image, "/crowd") + 30, vec![255])]
    }),
    ("crowded", "more index entries than there is room for", |image| {
        vec![(first_block(image, "/crowd") + 32, vec![0xFF, 0xFF, 0xFF, 0xFF])]
    }),
    ("ext3", "attributes whose value lies outside", |image| {
        let place = inode(image, 13) + 128 + 32 + 4;
        vec![(place + 2, vec![0xFF, 0xFF])]
    }),
    ("ext3", "attributes of four billion bytes", |image| {
        let place = inode(image, 13) + 128 + 32 + 4;
        vec![(place + 8, word(u32::MAX))]
    }),
    ("ext3", "an attribute block that is the superblock", |image| {
        vec![(inode(image, 15) + 104, word(1))]
    }),
    ("ext3", "a log that begins at its end", |image| {
        dirty(image, 28, big(1024))
    }),
    ("ext3", "a log that begins far out", |image| {
        dirty(image, 28, big(u32::MAX))
    }),
    ("ext3", "a log longer than its file", |image| {
        dirty(image, 16, big(u32::MAX))
    }),
    ("ext3", "a log of blocks of another size", |image| {
        dirty(image, 12, big(4096))
    }),
    ("ext3", "a log of an unknown kind", |image| {
        dirty(image, 4, big(9))
    }),
    ("ext3", "a log with unknown features", |image| {
        dirty(image, 40, big(u32::MAX))
    }),
    ("ext3", "a journal in a directory", |_| {
        vec![(1024 + 224, word(12)), (1024 + 96, vec![6])]
    }),
    ("ext3", "a journal in an inode far out", |_| {
        vec![(1024 + 224, word(u32::MAX)), (1024 + 96, vec![6])]
    }),
];

/// A file system that says that it has to be recovered, with a wrong word in the superblock of its journal.
fn dirty(image: &Path, place: u64, wrong: Vec<u8>) -> Vec<(u64, Vec<u8>)> {
    let journal = first_block(image, "<8>");
    vec![
        (1024 + 96, vec![6]),
        (journal + 28, big(1)),
        (journal + place, wrong),
    ]
}

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

/// Does everything with a damaged image that commands can do; answers whether `check` refused it or found the damage.
fn try_everything(lab: &ImageLab, what: &str, damaged: &Path) -> bool {
    fs::copy(damaged, lab.image()).unwrap();
    let checked = limited(lab, what, &["check", "IMG"]);
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
    checked.status.code() == Some(1)
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
    let mut missed = Vec::new();
    for damage in fs::read_to_string(DAMAGES).unwrap().split("\n\n").skip(1) {
        let head = damage.lines().next().unwrap();
        let (name, requests) = head.split_once(": ").unwrap();
        fs::copy(source(name), &damaged).unwrap();
        debugfs_write(&damaged, &requests.split(" ; ").collect::<Vec<_>>());
        if !try_everything(&lab, head, &damaged) {
            missed.push(head.to_owned());
        }
        kinds += 1;
    }
    for (name, what, pokes) in POKES {
        fs::copy(source(name), &damaged).unwrap();
        let file = File::options().write(true).open(&damaged).unwrap();
        for (place, bytes) in pokes(&damaged) {
            file.write_all_at(&bytes, place).unwrap();
        }
        if !try_everything(&lab, what, &damaged) {
            missed.push(format!("{name}: {what}"));
        }
        kinds += 1;
    }
    assert_eq!(missed, Vec::<String>::new(), "neither refused nor found");
    assert!(kinds > 100, "{kinds}");
}
