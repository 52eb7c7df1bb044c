//! Images of file systems that were not unmounted, and what e2fsck makes of them.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use mln_image::base::Timestamp;
use mln_image::block::FileDevice;
use mln_image::ext::{ExtError, Fs, RecoveryReport};
use tempfile::TempDir;

use super::{Tree, debugfs, e2fsck_clean, tool};

pub(crate) const NOW: Timestamp = Timestamp {
    seconds: 1_700_000_000,
    nanoseconds: 0,
};

/// An image in a directory of its own.
pub(crate) struct Image {
    directory: TempDir,
    pub(crate) block_len: u64,
}

impl Image {
    /// What mke2fs makes of `options`, with a journal of 1024 blocks.
    pub(crate) fn new(options: &str) -> Self {
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

    /// A copy of the image at `original`.
    pub(crate) fn of(original: &Path) -> Self {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("image");
        fs::copy(original, &path).unwrap();
        let block_len = debugfs_number(&path, "stats", "Block size:");
        Self { directory, block_len }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("image")
    }

    /// Runs requests of debugfs that write.
    #[track_caller]
    pub(crate) fn debugfs_write(&self, requests: &str) {
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
    pub(crate) fn blocks_file(&self, name: &str, blocks: &[&[u8]]) -> String {
        let path = self.directory.path().join(name);
        let mut file = File::create(&path).unwrap();
        for block in blocks {
            let mut bytes = block.to_vec();
            bytes.resize(usize::try_from(self.block_len).unwrap(), 0x5A);
            file.write_all(&bytes).unwrap();
        }
        path.display().to_string()
    }

    pub(crate) fn block(&self, number: u64) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(self.block_len).unwrap()];
        let offset = number * self.block_len;
        File::open(self.path())
            .unwrap()
            .read_exact_at(&mut bytes, offset)
            .unwrap();
        bytes
    }

    /// Recovers the image in place.
    pub(crate) fn recover(&self) -> Result<RecoveryReport, ExtError> {
        recover(&self.path())
    }
}

pub(crate) fn recover(path: &Path) -> Result<RecoveryReport, ExtError> {
    let device = Arc::new(FileDevice::open_writable(path).unwrap());
    Fs::recover(device, NOW).map(|(_, report)| report)
}

/// The number behind `label` in debugfs's answer.
#[track_caller]
pub(crate) fn debugfs_number(image: &Path, request: &str, label: &str) -> u64 {
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
pub(crate) fn recovers_as_e2fsck(image: &Path) -> RecoveryReport {
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
pub(crate) fn recovers_to_the_same_tree(image: &Path) -> RecoveryReport {
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
pub(crate) fn fixture(name: &str) -> Vec<u8> {
    let path = format!(
        "{}/tests/fixtures/journal/{name}.img.gz",
        env!("CARGO_MANIFEST_DIR")
    );
    let output = tool("gzip", "gzip").arg("-dc").arg(path).output().unwrap();
    assert!(output.status.success());
    output.stdout
}

pub(crate) fn put(path: &Path, bytes: &[u8]) {
    File::create(path).unwrap().write_all(bytes).unwrap();
}

/// What a recovery says that it did.
pub(crate) const fn report(transactions: u32, blocks: u64, revoked: u64, orphans: u64) -> RecoveryReport {
    RecoveryReport {
        transactions,
        blocks,
        revoked,
        orphans,
    }
}
