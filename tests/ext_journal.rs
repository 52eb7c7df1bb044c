//! Recovery of file systems that were not unmounted, judged by what e2fsck makes of the same images.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use mln_image::base::Timestamp;
use mln_image::block::FileDevice;
use mln_image::ext::{ExtError, Fs, RecoveryReport};
use tempfile::TempDir;

use crate::support::{debugfs, e2fsck_clean, tool};

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

/// Recovers the image, and holds the result against what e2fsck makes of a copy: all bytes must be the same but
/// those of the two superblocks.
#[track_caller]
fn recovers_as_e2fsck(image: &Path) -> RecoveryReport {
    let copy = image.with_extension("judged");
    fs::copy(image, &copy).unwrap();
    let output = tool("e2fsck", "e2fsprogs")
        .arg("-fy")
        .arg(&copy)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{text}");
    let report = recover(image).unwrap();
    e2fsck_clean(image);
    let block_len = debugfs_number(image, "stats", "Block size:");
    let journal = debugfs_number(image, "bmap <8> 0", "") * block_len;
    let different = differences(image, &copy, &[1024..2048, journal..journal + block_len]);
    assert!(different.is_empty(), "{different:x?}\n{text}");
    fs::remove_file(copy).unwrap();
    report
}

/// Where two files differ, outside `ignored`, by blocks of 1024 bytes.
fn differences(left: &Path, right: &Path, ignored: &[Range<u64>]) -> Vec<u64> {
    let (left, right) = (fs::read(left).unwrap(), fs::read(right).unwrap());
    assert_eq!(left.len(), right.len());
    let places = (0_u64..).step_by(1024);
    let blocks = places.zip(left.chunks(1024).zip(right.chunks(1024)));
    let different = blocks
        .filter(|(_, (left, right))| left != right)
        .map(|(place, _)| place);
    different
        .filter(|place| !ignored.iter().any(|range| range.contains(place)))
        .collect()
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
