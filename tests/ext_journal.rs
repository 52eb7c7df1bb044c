//! Journals of file systems that were not unmounted, judged by what e2fsck makes of the same images.

use std::fmt::Write as _;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mln_image::base::GuestPath;
use mln_image::block::{FileDevice, MemoryDevice};
use mln_image::ext::{ExtError, Follow, Fs, JournalError, RecoveryReport};
use tempfile::TempDir;

use crate::support::recovery::{
    Image, NOW, debugfs_number, fixture, put, recover, recovers_as_e2fsck, recovers_to_the_same_tree, report,
};
use crate::support::{Content, Tree, debugfs, e2fsck_clean, tool};

const MAGIC: [u8; 4] = [0xC0, 0x3B, 0x39, 0x98];

/// Layouts of file systems, with the options of debugfs's `journal_open` that make sense for them.
const LOGS: [(&str, &str); 9] = [
    ("-t ext3 -b 1024 -J size=1", ""),
    ("-t ext3 -b 4096 -J size=4", ""),
    ("-t ext3 -b 1024 -J size=1", "-c"),
    ("-t ext4 -b 1024 -J size=1", "-c -v 2"),
    ("-t ext4 -b 4096 -J size=4 -O 64bit", "-c -v 2"),
    ("-t ext4 -b 2048 -J size=2 -O ^64bit", "-c -v 2"),
    ("-t ext4 -b 1024 -J size=1", "-c -v 3"),
    ("-t ext4 -b 4096 -J size=4", "-c -v 3"),
    ("-t ext4 -b 2048 -J size=2 -O ^metadata_csum,uninit_bg", ""),
];

#[test]
fn a_replay_gives_the_bytes_that_e2fsck_gives() {
    for (options, journal) in LOGS {
        let image = Image::new(options);
        let free = 32 * 1024 * 1024 / image.block_len - 100;
        let first = image.blocks_file("first", &[b"one", b"two", b"three"]);
        let second = image.blocks_file("second", &[&MAGIC, b"later"]);
        let third = image.blocks_file("third", &[b"never"]);
        let mut requests = format!("jo {journal}\n");
        let (a, b, c, d) = (free, free + 1, free + 2, free + 3);
        writeln!(requests, "jw -b {a},{b},{c} {first}").unwrap();
        // Of a transaction with nothing but revocations debugfs writes a checksum of version 1 that e2fsck refuses.
        let has_revocations = journal != "-c";
        if has_revocations {
            writeln!(requests, "jw -r {a},{b}").unwrap();
        }
        writeln!(requests, "jw -b {d},{b} {second}").unwrap();
        writeln!(requests, "jw -b {c} -c {third}").unwrap();
        requests.push_str("jc\n");
        image.debugfs_write(&requests);
        let report = recovers_as_e2fsck(&image.path());
        let wanted = RecoveryReport {
            transactions: if has_revocations { 3 } else { 2 },
            blocks: if has_revocations { 3 } else { 4 },
            revoked: if has_revocations { 2 } else { 0 },
            orphans: 0,
        };
        assert_eq!(report, wanted, "{options} {journal}");
        let wanted = if has_revocations { [0; 3] } else { *b"one" };
        assert_eq!(image.block(a)[..3], wanted, "{options} {journal}");
        assert_eq!(image.block(b)[..5], *b"later");
        assert_eq!(image.block(c)[..5], *b"three");
        assert_eq!(image.block(d)[..4], MAGIC);
        assert_eq!(image.recover().unwrap(), RecoveryReport::default());
    }
}

/// What the recovery of each fixture finds.
const FIXTURES: [(&str, RecoveryReport); 6] = [
    ("ext3-wrapped", report(49, 57, 16, 0)),
    ("ext3-orphans", report(3, 15, 0, 41)),
    ("ext4-orphans", report(3, 11, 0, 41)),
    ("ext4-orphan-file", report(3, 20, 0, 41)),
    ("ext4-checksum-v1", report(2, 56, 0, 0)),
    ("ext4-checksum-v3", report(2, 104, 0, 0)),
];

#[test]
fn images_of_a_machine_that_was_stopped_are_recovered() {
    let directory = TempDir::new().unwrap();
    let image = directory.path().join("image");
    let lines: Vec<String> = (0..3000).map(|number| format!("line {number}\n")).collect();
    let kept = lines.concat();
    for (name, wanted) in FIXTURES {
        put(&image, &fixture(name));
        if wanted.orphans == 0 {
            assert_eq!(recovers_as_e2fsck(&image), wanted, "{name}");
            put(&image, &fixture(name));
        }
        assert_eq!(recovers_to_the_same_tree(&image), wanted, "{name}");
        let tree = Tree::read(&image);
        assert_eq!(tree.0[b"/kept".as_slice()].content, Content::of(kept.as_bytes()));
    }
}

#[test]
fn an_edit_after_the_recovery_is_not_undone_by_a_later_replay() {
    let directory = TempDir::new().unwrap();
    let image = directory.path().join("image");
    for (name, _) in FIXTURES {
        put(&image, &fixture(name));
        let device = Arc::new(FileDevice::open_writable(&image).unwrap());
        let (mut fs, _) = Fs::recover(device, NOW).unwrap();
        let kept = fs
            .lookup(&GuestPath::literal("/kept"), Follow::All)
            .unwrap()
            .unwrap();
        fs.replace_content(kept, b"edited\n").unwrap();
        fs.commit().unwrap();
        e2fsck_clean(&image);
        let mut judge = tool("e2fsck", "e2fsprogs");
        let output = judge.arg("-fy").arg(&image).output().unwrap();
        assert!(output.status.success(), "{name}");
        assert_eq!(debugfs(&image, "cat /kept"), "edited\n");
    }
}

#[test]
fn fast_commits_are_refused_by_name() {
    let device = Arc::new(MemoryDevice::from_bytes(fixture("ext4-fast-commit")));
    let error = Fs::recover(device, NOW).unwrap_err();
    assert!(
        matches!(error, ExtError::Journal(JournalError::FastCommits)),
        "{error}"
    );
    assert!(error.to_string().contains("mount and unmount the image once"));
}

#[test]
fn an_external_journal_is_refused_by_name() {
    let image = Image::new("-t ext4 -b 1024 -O ^metadata_csum,^has_journal");
    // The flag alone, with no inode to hold the journal, and the one that says it holds something.
    let file = File::options().read(true).write(true).open(image.path()).unwrap();
    let mut compat = [0];
    File::open(image.path())
        .unwrap()
        .read_exact_at(&mut compat, 1024 + 0x5C)
        .unwrap();
    file.write_all_at(&[compat[0] | 4], 1024 + 0x5C).unwrap();
    image.recover().unwrap();
    let mut incompat = [0];
    file.read_exact_at(&mut incompat, 1024 + 0x60).unwrap();
    file.write_all_at(&[incompat[0] | 4], 1024 + 0x60).unwrap();
    let error = image.recover().unwrap_err();
    assert!(
        matches!(error, ExtError::Journal(JournalError::External)),
        "{error}"
    );
}

#[test]
fn a_journal_of_the_first_version_is_replayed() {
    let image = Image::new("-t ext3 -b 1024 -J size=1");
    let block = image.blocks_file("block", &[b"one"]);
    image.debugfs_write(&format!("jo\njw -b 30000 {block}\njc\n"));
    let journal = debugfs_number(&image.path(), "bmap <8> 0", "") * image.block_len;
    let file = File::options().write(true).open(image.path()).unwrap();
    // The version, and what it does not have: features that nobody knows.
    file.write_all_at(&[3], journal + 7).unwrap();
    file.write_all_at(&[0xFF; 12], journal + 0x24).unwrap();
    assert_eq!(image.recover().unwrap(), report(1, 1, 0, 0));
    assert_eq!(image.block(30000)[..3], *b"one");
    e2fsck_clean(&image.path());
}

#[test]
fn a_log_that_the_superblock_disowns_is_emptied_unread() {
    for (options, journal) in LOGS {
        let image = Image::new(options);
        let free = 32 * 1024 * 1024 / image.block_len - 100;
        let block = image.blocks_file("block", &[b"late"]);
        image.debugfs_write(&format!(
            "jo {journal}\njw -b {free} {block}\njc\nfeature -needs_recovery\n"
        ));
        assert_eq!(image.recover().unwrap(), report(0, 0, 0, 0));
        let output = tool("e2fsck", "e2fsprogs")
            .arg("-fy")
            .arg(image.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{options}");
        assert_eq!(image.block(free)[..4], [0; 4], "{options}");
    }
}

/// Numbers that are the same on every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Where the blocks of the journal lie in `image`, for as much of it as holds a log.
fn log_places(image: &Path, block_len: u64) -> Vec<u64> {
    let blocks = (0..140).map(|number| debugfs_number(image, &format!("bmap <8> {number}"), ""));
    blocks.map(|block| block * block_len).collect()
}

#[test]
fn a_damaged_log_with_checksums_is_refused_or_gives_a_sound_file_system() {
    let directory = TempDir::new().unwrap();
    let image = directory.path().join("image");
    let whole = fixture("ext4-checksum-v3");
    put(&image, &whole);
    let places = log_places(&image, 1024);
    let mut numbers = Numbers(1);
    let mut refused = 0;
    for _ in 0..60 {
        let mut bytes = whole.clone();
        let place = places[usize::try_from(numbers.below(112)).unwrap()] + numbers.below(1024);
        bytes[usize::try_from(place).unwrap()] ^= 1 << numbers.below(8);
        put(&image, &bytes);
        match recover(&image) {
            Ok(_) => e2fsck_clean(&image),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 30, "{refused} of 60 refused");
}

#[test]
fn no_damage_to_a_log_stops_the_recovery_from_ending() {
    let directory = TempDir::new().unwrap();
    let image = directory.path().join("image");
    let mut numbers = Numbers(2);
    for (name, block_len) in [
        ("ext3-orphans", 1024),
        ("ext3-wrapped", 1024),
        ("ext4-checksum-v1", 2048),
        ("ext4-checksum-v3", 1024),
        ("ext4-orphan-file", 1024),
    ] {
        let whole = fixture(name);
        put(&image, &whole);
        let places = log_places(&image, block_len);
        for _ in 0..80 {
            let mut bytes = whole.clone();
            for _ in 0..=numbers.below(30) {
                // The fields at the start of a block are what lies about lengths and places.
                let reach = if numbers.below(2) == 0 { 64 } else { block_len };
                let blocks = u64::try_from(places.len()).unwrap();
                let place = places[usize::try_from(numbers.below(blocks)).unwrap()] + numbers.below(reach);
                bytes[usize::try_from(place).unwrap()] = u8::try_from(numbers.below(256)).unwrap();
            }
            let started = Instant::now();
            drop(Fs::recover(Arc::new(MemoryDevice::from_bytes(bytes)), NOW));
            assert!(started.elapsed() < Duration::from_secs(20), "{name}");
        }
    }
}
