//! A file system of 600 MiB grown to 2 GiB as a bake does it, changes collected in memory, against `resize2fs` on a copy.
//!
//! `cargo bench --bench growing` prints the ratio; it ends with an error beyond 0.05. It needs `mke2fs` and `resize2fs`.
#![allow(clippy::print_stdout, reason = "a bench prints its answer")]

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mln_image::base::Timestamp;
use mln_image::block::{BlockDevice, FileDevice, Overlay};
use mln_image::ext::Fs;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const OLD_BYTES: u64 = 600 << 20;
const NEW_BYTES: u64 = 2 << 30;
const ROUNDS: usize = 9;
const RATIO_MAX: f64 = 0.05;

/// Runs a program of e2fsprogs, wherever it lies.
fn run(program: &str, arguments: &[&str]) -> Outcome<()> {
    let path = std::env::var("PATH")? + ":/usr/sbin:/sbin";
    let status = Command::new(program)
        .env("PATH", path)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{program} {arguments:?}: {status}").into())
    }
}

/// Grows the file system in `image`, in memory.
fn ours(image: &Path) -> Outcome<Duration> {
    let begin = Instant::now();
    let overlay = Arc::new(Overlay::new(Arc::new(FileDevice::open(image)?)));
    let device: Arc<dyn BlockDevice> = Arc::clone(&overlay) as _;
    let mut fs = Fs::open_for_edit(device, Timestamp::from_seconds(1_760_000_000))?;
    let blocks = NEW_BYTES / u64::from(fs.block_size().bytes());
    fs.resize(blocks)?;
    fs.commit()?;
    drop(fs);
    let overlay = Arc::try_unwrap(overlay).map_err(|_| "the overlay is still in use")?;
    drop(overlay.finish()?);
    Ok(begin.elapsed())
}

/// Has resize2fs grow a copy of it, on the disk.
fn theirs(image: &Path, copy: &Path) -> Outcome<Duration> {
    std::fs::copy(image, copy)?;
    let begin = Instant::now();
    std::fs::OpenOptions::new()
        .write(true)
        .open(copy)?
        .set_len(NEW_BYTES)?;
    run("resize2fs", &["-f", &copy.display().to_string()])?;
    Ok(begin.elapsed())
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64()
}

fn main() -> Outcome<ExitCode> {
    let directory = tempfile::tempdir()?;
    let mut is_good = true;
    for kind in ["ext3", "ext4"] {
        let image = directory.path().join(kind);
        std::fs::File::create_new(&image)?.set_len(OLD_BYTES)?;
        run("mke2fs", &["-q", "-F", "-t", kind, &image.display().to_string()])?;
        let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            our_times.push(ours(&image)?);
            their_times.push(theirs(&image, &directory.path().join("copy"))?);
        }
        let ratio = median(our_times) / median(their_times);
        println!("{kind} from 600 MiB to 2 GiB, ours to resize2fs: {ratio:.3} (at most {RATIO_MAX})");
        is_good &= ratio <= RATIO_MAX;
    }
    Ok(if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
