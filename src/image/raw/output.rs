//! Where an image's bytes go: through the page cache, or past it where the file system allows that.
//!
//! Copying into the page cache and having it written back later costs some five to fifteen times the processor time of
//! handing the same bytes to the disk directly, and makes a fleet of images wait for the kernel's throttling; but what
//! fits into it is there at the speed of memory. `O_DIRECT` ([open(2)](https://man7.org/linux/man-pages/man2/open.2.html)) wants offsets, lengths and memory to be aligned; what
//! is not goes the ordinary way, and so does everything where a file system refuses.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::routes::Stream;
use crate::image::ranges::UNIT;

/// What direct writes are aligned to: no disk has larger blocks.
const ALIGNMENT_BYTES: usize = 4096;

/// How much is written through the page cache at once. Longer writes make the kernel look for longer runs of free
/// memory: 4 MiB at once took two to five times the processor time.
const CACHED_BYTES: usize = 128 << 10;

/// Memory that direct writes accept.
pub(super) struct AlignedBuffer {
    bytes: Vec<u8>,
    start: usize,
}

impl AlignedBuffer {
    /// `len_bytes` zeros.
    pub(super) fn new(len_bytes: usize) -> Self {
        let bytes = vec![0; len_bytes.saturating_add(ALIGNMENT_BYTES)];
        Self {
            // Memory that cannot be aligned would only mean that the kernel refuses it.
            start: bytes.as_ptr().align_offset(ALIGNMENT_BYTES).min(ALIGNMENT_BYTES),
            bytes,
        }
    }

    /// The first `len_bytes`, of which there are enough.
    pub(super) fn front(&mut self, len_bytes: usize) -> &mut [u8] {
        self.bytes
            .get_mut(self.start..)
            .and_then(|bytes| bytes.get_mut(..len_bytes))
            .expect("pieces are cut to the buffer's length")
    }
}

/// What is known of writing past the page cache.
#[derive(Debug, Clone, Copy)]
pub(super) struct Direct<'a> {
    /// Set once the file system refused that, so that other files need not try.
    pub(super) is_refused: &'a AtomicBool,
    /// What decides whether that is the better way; nothing if all of it has to be on the disk anyway.
    pub(super) stream: Option<&'a Stream<'a>>,
}

impl Direct<'_> {
    fn is_wanted(&self) -> bool {
        self.stream.is_none_or(Stream::goes_direct)
    }

    /// Takes note of what was written.
    fn wrote(&self, bytes: &[u8], is_direct: bool, begun: Instant) {
        if let Some(stream) = self.stream {
            stream.wrote(bytes.len(), is_direct, begun);
        }
    }
}

/// A file that is being made.
pub(super) struct Output<'a> {
    ordinary: &'a File,
    /// The same file past the page cache.
    direct: Option<(File, Direct<'a>)>,
}

impl<'a> Output<'a> {
    /// Opens `file`, which lies at `path`, a second time, to write it past the page cache.
    pub(super) fn open(file: &'a File, path: &Path, known: Direct<'a>) -> Self {
        let open = || {
            let flags = i32::try_from(OFlags::DIRECT.bits()).ok()?;
            OpenOptions::new().write(true).custom_flags(flags).open(path).ok()
        };
        let is_refused = known.is_refused.load(Ordering::Relaxed);
        Self {
            ordinary: file,
            direct: if is_refused {
                None
            } else {
                open().map(|file| (file, known))
            },
        }
    }

    /// Writes `bytes` at `offset_bytes`.
    pub(super) fn write(&mut self, offset_bytes: u64, bytes: &[u8]) -> io::Result<()> {
        let ragged = bytes.len().checked_rem(ALIGNMENT_BYTES).unwrap_or_default();
        let (whole, rest) = bytes.split_at(bytes.len().saturating_sub(ragged));
        self.write_whole(offset_bytes, whole)?;
        if rest.is_empty() {
            return Ok(());
        }
        let written = u64::try_from(whole.len()).unwrap_or(u64::MAX);
        self.write_cached(offset_bytes.saturating_add(written), rest)
    }

    fn write_whole(&mut self, offset_bytes: u64, bytes: &[u8]) -> io::Result<()> {
        let begun = Instant::now();
        let Some((direct, known)) = &self.direct else {
            return self.write_cached(offset_bytes, bytes);
        };
        if known.is_wanted() && offset_bytes.is_multiple_of(UNIT) {
            match direct.write_all_at(bytes, offset_bytes) {
                Err(error) if is_refusal(&error) => {
                    known.is_refused.store(true, Ordering::Relaxed);
                    self.direct = None;
                    return self.write_cached(offset_bytes, bytes);
                }
                done => {
                    known.wrote(bytes, true, begun);
                    return done;
                }
            }
        }
        self.write_cached(offset_bytes, bytes)?;
        known.wrote(bytes, false, begun);
        Ok(())
    }

    /// Writes through the page cache.
    fn write_cached(&self, offset_bytes: u64, bytes: &[u8]) -> io::Result<()> {
        let places = (offset_bytes..).step_by(CACHED_BYTES);
        places
            .zip(bytes.chunks(CACHED_BYTES))
            .try_for_each(|(place, piece)| self.ordinary.write_all_at(piece, place))
    }
}

/// Whether the file system does not write directly, or not in our units.
fn is_refusal(error: &io::Error) -> bool {
    let refusals = [Errno::INVAL, Errno::OPNOTSUPP, Errno::NOTSUP];
    Errno::from_io_error(error).is_some_and(|errno| refusals.contains(&errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_aligned_and_a_refused_write_goes_the_ordinary_way() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("image");
        let file = File::create_new(&path).unwrap();
        let mut buffer = AlignedBuffer::new(20_000);
        let bytes = buffer.front(20_000);
        assert_eq!(bytes.as_ptr() as usize % ALIGNMENT_BYTES, 0);
        bytes.fill(7);
        let is_refused = AtomicBool::new(false);
        let known = Direct {
            is_refused: &is_refused,
            stream: None,
        };
        let mut output = Output::open(&file, &path, known);
        // Memory that is not aligned is refused by a file system that looks at it.
        output.write(0, &bytes[1..10_001]).unwrap();
        output.write(10_000, &bytes[..10_000]).unwrap();
        assert!(std::fs::read(&path).unwrap() == vec![7; 20_000]);
    }
}
