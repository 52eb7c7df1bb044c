//! Recovery of file systems that were not unmounted, judged by what e2fsck makes of the same images.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mln_image::base::{GuestPath, Timestamp};
use mln_image::block::{FileDevice, MemoryDevice};
use mln_image::ext::{ExtError, Follow, Fs, JournalError, RecoveryReport};
use tempfile::TempDir;

use crate::support::{Content, Tree, debugfs, e2fsck_clean, tool};

const NOW: Timestamp = Timestamp {
    seconds: 1_700_000_000,
    nanoseconds: 0,
};
const MAGIC: [u8; 4] = [0xC0, 0x3B, 0x39, 0x98];

/// An image in a directory of its own.
struct Image {
    directory: TempDir,
    block_len: u64,
}

impl Image {
    /// What mke2fs makes of `options`, with a journal of 1024 blocks.
    fn new(options: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("image");
        File::create(&path).unwrap().set_len(32 << 20).unwrap();
        let mut command = tool("mke2fs", "e2fsprogs");
        command
            .args(["-q", "-F"])
            .args(options.split_whitespace())
            .arg(&path);
        assert!(command.status().unwrap().success(), "{options}");
        let block_len = debugfs_number(&path, "stats", "Block size:");
        Self { directory, block_len }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("image")
    }

    /// Runs requests of debugfs that write.
    #[track_caller]
    fn debugfs_write(&self, requests: &str) {
        let mut child = tool("debugfs", "e2fsprogs")
            .arg("-w")
            .arg(self.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(requests.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
    }

    /// A file of blocks to write through the journal.
    fn blocks_file(&self, name: &str, blocks: &[&[u8]]) -> String {
        let path = self.directory.path().join(name);
        let mut file = File::create(&path).unwrap();
        for block in blocks {
            let mut bytes = block.to_vec();
            bytes.resize(usize::try_from(self.block_len).unwrap(), 0x5A);
            file.write_all(&bytes).unwrap();
        }
        path.display().to_string()
    }

    fn block(&self, number: u64) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(self.block_len).unwrap()];
        let offset = number * self.block_len;
        File::open(self.path())
            .unwrap()
            .read_exact_at(&mut bytes, offset)
            .unwrap();
        bytes
    }

    /// Recovers the image in place.
    fn recover(&self) -> Result<RecoveryReport, ExtError> {
        recover(&self.path())
    }
}

fn recover(path: &Path) -> Result<RecoveryReport, ExtError> {
    let device = Arc::new(FileDevice::open_writable(path).unwrap());
    Fs::recover(device, NOW).map(|(_, report)| report)
}

/// The number behind `label` in debugfs's answer.
#[track_caller]
fn debugfs_number(image: &Path, request: &str, label: &str) -> u64 {
    let text = debugfs(image, request);
    let rest = text.split_once(label).map_or(text.as_str(), |(_, rest)| rest);
    let digits: String = rest
        .trim_start()
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().unwrap_or_else(|_| panic!("{request}: {text}"))
}

/// Recovers the image, and holds the result against a replay by e2fsck: all bytes must be the same but those of the
/// superblock, and e2fsck must find nothing to mend.
#[track_caller]
fn recovers_as_e2fsck(image: &Path) -> RecoveryReport {
    let copy = image.with_extension("judged");
    fs::copy(image, &copy).unwrap();
    let mut judge = tool("e2fsck", "e2fsprogs");
    let output = judge
        .args(["-y", "-E", "journal_only"])
        .arg(&copy)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    let report = recover(image).unwrap();
    e2fsck_clean(image);
    let different = differences(image, &copy);
    assert!(different.is_empty(), "{different:x?}");
    fs::remove_file(copy).unwrap();
    report
}

/// Where two files differ, outside the superblock, by blocks of 1024 bytes.
fn differences(left: &Path, right: &Path) -> Vec<usize> {
    let (left, right) = (fs::read(left).unwrap(), fs::read(right).unwrap());
    assert_eq!(left.len(), right.len());
    let blocks = left.chunks(1024).zip(right.chunks(1024)).enumerate();
    let different = blocks.filter(|(number, (left, right))| *number != 1 && left != right);
    different.map(|(number, _)| number).collect()
}

/// Recovers the image, and holds the result against what e2fsck makes of it, orphans included: the same files and the
/// same free space.
#[track_caller]
fn recovers_to_the_same_tree(image: &Path) -> RecoveryReport {
    let copy = image.with_extension("judged");
    fs::copy(image, &copy).unwrap();
    let output = tool("e2fsck", "e2fsprogs")
        .arg("-fy")
        .arg(&copy)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{text}");
    let report = recover(image).unwrap();
    e2fsck_clean(image);
    assert_eq!(Tree::read(image), Tree::read(&copy));
    let free = |image: &Path| {
        let text = debugfs(image, "stats");
        let lines = text.lines().filter(|line| line.starts_with("Free "));
        lines.map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(free(image), free(&copy));
    fs::remove_file(copy).unwrap();
    report
}

/// The images in `tests/fixtures/journal`, from which the kernel was taken away.
fn fixture(name: &str) -> Vec<u8> {
    let path = format!(
        "{}/tests/fixtures/journal/{name}.img.gz",
        env!("CARGO_MANIFEST_DIR")
    );
    let output = tool("gzip", "gzip").arg("-dc").arg(path).output().unwrap();
    assert!(output.status.success());
    output.stdout
}

fn put(path: &Path, bytes: &[u8]) {
    File::create(path).unwrap().write_all(bytes).unwrap();
}

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

const fn report(transactions: u32, blocks: u64, revoked: u64, orphans: u64) -> RecoveryReport {
    RecoveryReport {
        transactions,
        blocks,
        revoked,
        orphans,
    }
}

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
    // The flag alone, with no inode to hold the journal.
    let file = File::options().write(true).open(image.path()).unwrap();
    let mut compat = [0];
    File::open(image.path())
        .unwrap()
        .read_exact_at(&mut compat, 1024 + 0x5C)
        .unwrap();
    file.write_all_at(&[compat[0] | 4], 1024 + 0x5C).unwrap();
    let error = image.recover().unwrap_err();
    assert!(
        matches!(error, ExtError::Journal(JournalError::External)),
        "{error}"
    );
}

/// Files of 40 blocks, to become orphans, and the number of the first.
fn with_files(image: &Image) -> u64 {
    let blocks: Vec<&[u8]> = vec![b"content"; 40];
    let source = image.blocks_file("source", &blocks);
    image.debugfs_write(&format!("write {source} a\nwrite {source} b\nwrite {source} c\n"));
    debugfs_number(&image.path(), "stat /a", "Inode:")
}

#[test]
fn a_list_of_orphans_is_freed_and_cut() {
    for options in ["-t ext3 -b 1024 -J size=1", "-t ext4 -b 4096 -J size=4"] {
        let image = Image::new(options);
        let a = with_files(&image);
        let (b, c) = (a + 1, a + 2);
        image.debugfs_write(&format!(
            "unlink /a\nsif <{a}> links_count 0\nsif <{a}> dtime @{b}\nsif <{b}> size 5000\nsif <{b}> dtime @{c}\n\
             sif <{c}> size 0\nssv last_orphan {a}\n"
        ));
        assert_eq!(
            recovers_to_the_same_tree(&image.path()),
            report(0, 0, 0, 3),
            "{options}"
        );
        assert_eq!(debugfs_number(&image.path(), "stat /b", "Size:"), 5000);
        assert_eq!(debugfs(&image.path(), "cat /b").len(), 5000);
    }
}

#[test]
fn a_list_of_orphans_that_does_not_end_is_refused() {
    let image = Image::new("-t ext4 -b 1024 -J size=1");
    let a = with_files(&image);
    let b = a + 1;
    image.debugfs_write(&format!(
        "sif <{a}> dtime @{b}\nsif <{b}> dtime @{a}\nssv last_orphan {a}\n"
    ));
    let error = image.recover().unwrap_err();
    assert!(error.to_string().contains("a loop"), "{error}");
    for outside in [1, 999_999] {
        image.debugfs_write(&format!("ssv last_orphan {outside}\n"));
        let error = image.recover().unwrap_err();
        assert!(error.to_string().contains("orphan's inode number"), "{error}");
    }
}

#[test]
fn the_orphan_file_is_worked_through_and_cleared() {
    let image = Image::new("-t ext4 -b 1024 -J size=1 -O orphan_file,^metadata_csum");
    let a = with_files(&image);
    let b = u32::try_from(a + 1).unwrap();
    image.debugfs_write(&format!(
        "unlink /a\nsif <{a}> links_count 0\nsif <{b}> size 1500\n"
    ));
    let orphan_file = debugfs_number(&image.path(), "stats", "Orphan file inode:");
    let block = debugfs_number(&image.path(), &format!("bmap <{orphan_file}> 1"), "") * image.block_len;
    let file = File::options().write(true).open(image.path()).unwrap();
    file.write_all_at(&u32::try_from(a).unwrap().to_le_bytes(), block + 40)
        .unwrap();
    file.write_all_at(&b.to_le_bytes(), block).unwrap();
    let mut ro_compat = [0; 4];
    let place = 1024 + 0x64;
    File::open(image.path())
        .unwrap()
        .read_exact_at(&mut ro_compat, place)
        .unwrap();
    let ro_compat = u32::from_le_bytes(ro_compat) | 0x1_0000;
    file.write_all_at(&ro_compat.to_le_bytes(), place).unwrap();
    assert_eq!(recovers_to_the_same_tree(&image.path()), report(0, 0, 0, 2));
    assert_eq!(debugfs(&image.path(), "cat /b").len(), 1500);
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
