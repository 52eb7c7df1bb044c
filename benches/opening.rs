//! What one host costs once its template is open: a file system on an overlay, ten files edited, the overlay's changes
//! collected; and how much memory it holds.
//!
//! `cargo bench --bench opening` prints both; it ends with an error beyond 2 ms or 3 MiB a host.
#![allow(clippy::print_stdout, reason = "a bench prints its answer")]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mln_image::base::Timestamp;
use mln_image::block::{BlockDevice, Delta, MemoryDevice, Overlay, UNIT_BYTES};
use mln_image::ext::{self, ExtKind, FormatOptions, Fs, InodeNo, NewNode};

const TIME_MAX: Duration = Duration::from_millis(2);
const MEMORY_MAX_BYTES: u64 = 3 << 20;
/// Enough that what building the template left free in the heap does not hide what they take.
const HOSTS: u32 = 2000;
const EDITED: [&str; 10] = [
    "hostname",
    "hosts",
    "fstab",
    "passwd",
    "shadow",
    "group",
    "interfaces",
    "resolv.conf",
    "machine-id",
    "new",
];
const NODE: NewNode = NewNode {
    mode: 0o755,
    uid: 0,
    gid: 0,
};

/// A template of 20,000 files in 200 directories, with room for a system, and the files that hosts edit in `/etc`.
fn template() -> Result<Arc<dyn BlockDevice>, Box<dyn std::error::Error>> {
    let now = Timestamp::from_seconds(1_750_000_000);
    let device: Arc<dyn BlockDevice> = Arc::new(MemoryDevice::from_bytes(vec![0; 512 << 20]));
    let options = FormatOptions {
        kind: ExtKind::Ext4,
        block_size: 4096,
        inode_len_bytes: 256,
        bytes_per_inode: 16384,
        uuid: [7; 16],
        hash_seed: [8; 16],
        label: String::new(),
        now,
        reserved_percent: 5,
        journal_blocks: 4096,
    };
    ext::format(&device, &options)?;
    let mut fs = Fs::open_for_edit(Arc::clone(&device), now)?;
    for directory in 0..200 {
        let parent = fs.mkdir(InodeNo::ROOT, format!("directory {directory}").as_bytes(), NODE)?;
        for file in 0..100 {
            let inode = fs.create_file(parent, format!("file {file}").as_bytes(), NODE)?;
            fs.replace_content(inode, &[5; 3000])?;
        }
    }
    let etc = fs.mkdir(InodeNo::ROOT, b"etc", NODE)?;
    for name in &EDITED[..9] {
        let inode = fs.create_file(etc, name.as_bytes(), NODE)?;
        fs.replace_content(inode, &[6; 1500])?;
    }
    fs.commit()?;
    Ok(device)
}

/// Everything for one host: nine files get another content, one comes into being.
fn host(
    template: &Fs,
    device: &Arc<dyn BlockDevice>,
    number: u32,
) -> Result<Delta, Box<dyn std::error::Error>> {
    let overlay = Arc::new(Overlay::new(Arc::clone(device)));
    let mut fs = template.with_device(Arc::clone(&overlay) as _);
    let etc = fs.find_entry(InodeNo::ROOT, b"etc")?.ok_or("no etc")?;
    let content = format!("host number {number}\n").repeat(90);
    for name in EDITED {
        let inode = match fs.find_entry(etc, name.as_bytes())? {
            Some(inode) => inode,
            None => fs.create_file(etc, name.as_bytes(), NODE)?,
        };
        fs.replace_content(inode, content.as_bytes())?;
    }
    fs.commit()?;
    drop(fs);
    let overlay = Arc::try_unwrap(overlay).map_err(|_| "the overlay is still in use")?;
    Ok(overlay.finish()?)
}

/// The memory that this process has in use, in bytes.
fn resident_bytes() -> Result<u64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("no VmRSS")?.parse::<u64>()? * 1024)
}

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let device = template()?;
    let open = Instant::now();
    let template = Fs::open_for_edit(Arc::clone(&device), Timestamp::from_seconds(1_760_000_000))?;
    let open = open.elapsed();
    drop(host(&template, &device, 0)?);
    let before = resident_bytes()?;
    let mut deltas = Vec::new();
    let mut times = Vec::new();
    for number in 0..HOSTS {
        let begin = Instant::now();
        deltas.push(host(&template, &device, number)?);
        times.push(begin.elapsed());
    }
    let resident = resident_bytes()?.saturating_sub(before) / u64::from(HOSTS);
    let units = deltas.iter().map(|delta| delta.units().count()).max();
    let held = u64::try_from(units.unwrap_or(0) * UNIT_BYTES)?;
    let memory = resident.max(held);
    times.sort();
    let median = times[times.len() / 2];
    println!(
        "opening the template: {open:?}; a host with ten edited files: {median:?} (at most {TIME_MAX:?})"
    );
    println!(
        "memory of a host: {} KiB (at most {} KiB)",
        memory >> 10,
        MEMORY_MAX_BYTES >> 10
    );
    println!("of that {} KiB are changed bytes", held >> 10);
    let is_good = median <= TIME_MAX && memory <= MEMORY_MAX_BYTES;
    Ok(if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
