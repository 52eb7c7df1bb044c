//! What the fuzz targets share: small images made by mke2fs, patched where a target's structures lie, and everything
//! that the engine can do with the result.
//!
//! An input is one byte that chooses the image, then patches: two bytes say where, one how long (1 to 4 bytes), and
//! those bytes follow. Whatever an image holds, nothing may panic, hang or take memory without bounds.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use mln_image::base::{FileKind, Timestamp};
use mln_image::block::{BlockDevice, MemoryDevice, Overlay};
use mln_image::ext::{self, ExtError, Fs, GroupNo, InodeNo, NewNode};

/// How many files of one image are looked at, at the most.
const FILES: usize = 500;
/// The time of every edit.
const NOW: Timestamp = Timestamp {
    seconds: 1_800_000_000,
    nanoseconds: 0,
};

/// An image as it was made.
pub struct Image {
    device: Arc<MemoryDevice>,
    fs: Fs,
}

/// The images that `make-images` made, sorted by name.
pub fn images() -> &'static [Image] {
    static IMAGES: OnceLock<Vec<Image>> = OnceLock::new();
    IMAGES.get_or_init(|| {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/images");
        let entries = std::fs::read_dir(directory).expect("scripts/fuzz makes the images first");
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
            .iter()
            .map(|path| {
                let device = Arc::new(MemoryDevice::from_bytes(std::fs::read(path).unwrap()));
                let fs = Fs::open(device.clone()).unwrap();
                Image { device, fs }
            })
            .collect()
    })
}

impl Image {
    /// The superblock, and the blocks behind it that hold the descriptors.
    pub fn descriptors(&self) -> Vec<Range<u64>> {
        let geometry = self.fs.superblock().geometry();
        let block = u64::from(geometry.block_size.bytes());
        let start = (u64::from(geometry.first_data_block) + 1) * block;
        vec![1024..2048, start..start + u64::from(geometry.groups_count) * u64::from(geometry.descriptor_size)]
    }

    /// The first inodes, the reserved ones included.
    pub fn inodes(&self) -> Vec<Range<u64>> {
        let geometry = self.fs.superblock().geometry();
        let start = self.fs.group(GroupNo(0)).unwrap().inode_table.byte_offset(geometry.block_size);
        vec![start..start + 40 * u64::from(geometry.inode_size)]
    }

    /// The data of the file or directory `name` of the root, read back from where its bytes lie.
    pub fn content_of(&self, name: &[u8]) -> Vec<Range<u64>> {
        let block = u64::from(self.fs.block_size().bytes());
        let Ok(Some(inode)) = self.fs.find_entry(InodeNo::ROOT, name) else {
            return Vec::new();
        };
        let mut ranges = Vec::new();
        let _all = self.fs.dump::<ExtError>(|record| {
            if record.what == format!("inode {inode}") {
                for (_, value) in record.fields.iter().filter(|(field, _)| *field == "run" || *field == "i_file_acl") {
                    ranges.extend(range_of(value, block));
                }
            }
            Ok(())
        });
        ranges
    }

    /// Everything that is in use, the start of the image included.
    pub fn used(&self) -> Vec<Range<u64>> {
        self.fs.used_ranges().unwrap()
    }

    /// The journal, or nothing.
    pub fn journal(&self) -> Vec<Range<u64>> {
        let block = u64::from(self.fs.block_size().bytes());
        let mut ranges = vec![1024..2048];
        let Some(inode) = self.fs.superblock().journal_inode() else {
            return ranges;
        };
        let _all = self.fs.dump::<ExtError>(|record| {
            if record.what == format!("inode {inode}") {
                for (_, value) in record.fields.iter().filter(|(field, _)| *field == "run") {
                    // What lies far behind the log's start is rarely looked at.
                    ranges.extend(range_of(value, block).map(|range| range.start..range.end.min(range.start + 40 * block)));
                }
            }
            Ok(())
        });
        ranges
    }
}

/// The bytes of a run as a dump tells it, or of a single block.
fn range_of(text: &str, block: u64) -> Option<Range<u64>> {
    let (start, count) = match text.split_once(" -> ") {
        Some((_, rest)) => {
            let (start, count) = rest.split_once(" +")?;
            let count = count.split(' ').next()?;
            (start.parse::<u64>().ok()?, count.parse::<u64>().ok()?)
        }
        None => (text.parse::<u64>().ok()?, 1),
    };
    Some(start * block..(start + count) * block)
}

/// An image with the patches that `input` has for what `regions` gives; `None` if there is none to choose.
pub fn patched(input: &[u8], regions: impl Fn(&Image) -> Vec<Range<u64>>) -> Option<Arc<Overlay>> {
    let (choice, mut patches) = input.split_first()?;
    let images = images();
    let image = images.get(usize::from(*choice) % images.len())?;
    let regions = regions(image);
    let total: u64 = regions.iter().map(|range| range.end - range.start).sum();
    if total == 0 {
        return None;
    }
    let overlay = Arc::new(Overlay::new(image.device.clone()));
    while let [low, high, len, rest @ ..] = patches {
        let len = usize::from(len % 4 + 1).min(rest.len());
        let mut place = u64::from(u16::from_le_bytes([*low, *high])) * scale(total) % total;
        let (bytes, after) = rest.split_at(len);
        patches = after;
        for range in &regions {
            let size = range.end - range.start;
            if place < size {
                let _may_lie_at_the_end = overlay.write_at(range.start + place, bytes);
                break;
            }
            place -= size;
        }
    }
    Some(overlay)
}

/// The distance between neighbouring places of a region that has more bytes than two bytes can count.
fn scale(total: u64) -> u64 {
    total.div_ceil(1 << 16)
}

/// Reads everything that can be read.
pub fn read_everything(device: Arc<dyn BlockDevice>) {
    drop(ext::check(device.clone()));
    let Ok(fs) = Fs::open(device) else {
        return;
    };
    drop(fs.used_ranges());
    drop(fs.dump::<ExtError>(|_| Ok(())));
    let mut seen = BTreeSet::from([InodeNo::ROOT]);
    let mut waiting = vec![InodeNo::ROOT];
    let mut files = 0;
    while let Some(directory) = waiting.pop() {
        for entry in fs.read_dir(directory).unwrap_or_default() {
            files += 1;
            if files > FILES {
                return;
            }
            drop(fs.find_entry(directory, &entry.name));
            drop(fs.xattrs(entry.inode));
            drop(fs.read_link(entry.inode));
            drop(fs.read_file(entry.inode, 1 << 20));
            drop(fs.data_ranges(entry.inode));
            if entry.kind == FileKind::Directory && seen.insert(entry.inode) {
                waiting.push(entry.inode);
            }
        }
    }
}

/// Recovers, edits whatever there is, commits, and checks.
pub fn edit_everything(device: Arc<dyn BlockDevice>) {
    let Ok((mut fs, _)) = Fs::recover(device.clone(), NOW) else {
        return;
    };
    let new = NewNode {
        mode: 0o755,
        uid: 1,
        gid: 2,
    };
    for entry in fs.read_dir(InodeNo::ROOT).unwrap_or_default().into_iter().take(20) {
        drop(fs.link(entry.inode, InodeNo::ROOT, &[&entry.name[..], b" again"].concat()));
        drop(fs.set_owner(entry.inode, 70_000, 70_000));
        drop(fs.set_xattr(entry.inode, b"user.test", &[7; 100]));
        drop(fs.remove_xattr(entry.inode, b"user.colour"));
        drop(fs.append(entry.inode, &[5; 3000]));
        drop(fs.truncate(entry.inode, 5));
        for below in fs.read_dir(entry.inode).unwrap_or_default().into_iter().take(20) {
            drop(fs.rename((entry.inode, &below.name), (InodeNo::ROOT, &below.name)));
        }
        drop(fs.mkdir(entry.inode, b"new directory", new));
        if let Ok(inode) = fs.create_file(entry.inode, b"new file", new) {
            drop(fs.write_at(inode, 100_000, &[3; 5000]));
        }
    }
    let blocks_count = fs.superblock().geometry().blocks_count;
    drop(fs.resize(blocks_count.saturating_add(3000)));
    for entry in fs.read_dir(InodeNo::ROOT).unwrap_or_default().into_iter().take(20) {
        drop(fs.remove_tree(InodeNo::ROOT, &entry.name));
    }
    if let Ok(least) = fs.minimum_blocks() {
        drop(fs.resize(least));
    }
    drop(fs.commit());
    drop(ext::check(device));
}
