//! Ranges of an image on their way: compressed to be sent, decompressed as they come, proved both before and after.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;

use rustix::fs::FallocateFlags;
use sha2::{Digest as _, Sha256};
use zstd::bulk::Compressor;
use zstd::stream::read::Decoder;

use super::super::copy::write_data;
use super::client::{Client, again};
use super::contents::Chunk;
use super::document::Descriptor;
use super::error::OciError;
use crate::base::ByteSize;
use crate::base::digest::Sha256Digest;
use crate::base::read::fill;
use crate::block::is_zero;

/// How hard zstd tries. A change changes the bytes of every chunk, so that registries would have to take them anew.
const LEVEL: i32 = 3;

/// The largest window that a chunk may ask for: 8 MiB, where our own ask for 2.
const WINDOW_LOG_MAX: u32 = 23;

/// How much is written, or compared, at once.
const PIECE_BYTES: usize = 128 << 10;

/// Zeros to write where there can be no hole.
const ZEROS: [u8; 4096] = [0; 4096];

/// Compresses ranges, one after the other.
pub(super) struct Packer {
    compressor: Compressor<'static>,
    raw: Vec<u8>,
    packed: Vec<u8>,
}

/// Where a range lies in an image: its first byte, and its length, in bytes.
pub(super) type Range = (u64, u64);

impl Packer {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            compressor: Compressor::new(LEVEL)?,
            raw: Vec::new(),
            packed: Vec::new(),
        })
    }

    /// The digest of a range of `image`, and the range compressed; `None` if it is zeros.
    pub(super) fn pack(
        &mut self,
        image: &File,
        (start, len): Range,
    ) -> io::Result<Option<(Sha256Digest, &[u8])>> {
        self.raw
            .resize(usize::try_from(len).map_err(io::Error::other)?, 0);
        image.read_exact_at(&mut self.raw, start)?;
        if is_zero(&self.raw) {
            return Ok(None);
        }
        let room = zstd::zstd_safe::compress_bound(self.raw.len());
        self.packed.resize(room, 0);
        let packed_len = self
            .compressor
            .compress_to_buffer(&self.raw, &mut self.packed[..])?;
        Ok(Some((Sha256Digest::of(&self.raw), &self.packed[..packed_len])))
    }
}

/// Whether a range of `image` has the digest already.
pub(super) fn is_there(image: &File, (start, len): Range, expected: Sha256Digest) -> io::Result<bool> {
    let mut hasher = Sha256::new();
    copy_range(image, start, len, |piece, _| {
        hasher.update(piece);
        Ok(())
    })?;
    Ok(Sha256Digest::from(hasher) == expected)
}

/// Copies a range of `from` to the same place of `to`, zeros as holes.
pub(super) fn copy_data(from: &File, to: &File, (start, len): Range) -> io::Result<()> {
    copy_range(from, start, len, |piece, place| write_data(to, piece, place))
}

fn copy_range(
    from: &File,
    start: u64,
    len: u64,
    mut take: impl FnMut(&[u8], u64) -> io::Result<()>,
) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    let mut place = start;
    let end = start.saturating_add(len);
    while place < end {
        let count = usize::try_from(end - place).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES));
        from.read_exact_at(&mut piece[..count], place)?;
        take(&piece[..count], place)?;
        place += u64::try_from(count).map_err(io::Error::other)?;
    }
    Ok(())
}

/// Makes a range of `to` zeros, as a hole where the host's file system can.
pub(super) fn clear(to: &File, (start, len): Range) -> io::Result<()> {
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    if rustix::fs::fallocate(to, flags, start, len).is_ok() {
        return Ok(());
    }
    let mut place = start;
    let end = start.saturating_add(len);
    while place < end {
        let count = usize::try_from(end - place).map_or(ZEROS.len(), |left| left.min(ZEROS.len()));
        to.write_all_at(&ZEROS[..count], place)?;
        place += u64::try_from(count).map_err(io::Error::other)?;
    }
    Ok(())
}

/// Gets a range from the registry into `to`, where it is zeros, or becomes so before each try if `is_used`. A failure
/// leaves there what it wrote.
pub(super) fn fetch(
    client: &Client,
    layer: &Descriptor,
    chunk: Chunk,
    range: Range,
    to: &File,
    is_used: bool,
) -> Result<(), OciError> {
    let mut is_used = is_used;
    again(|_| {
        if is_used {
            clear(to, range).map_err(written)?;
        }
        is_used = true;
        let mut input = Proving {
            inner: client
                .open_blob(&layer.digest)?
                .take(layer.size.saturating_add(1)),
            sha256: Sha256::new(),
            failure: None,
        };
        let unpacked = unpack(&mut input, range, to);
        // Whatever came of it: first the bytes have to be those that were asked for.
        drop(io::copy(&mut input, &mut io::sink()));
        if let Some(source) = input.failure {
            return Err(OciError::Broken {
                action: "while a chunk was on its way",
                source,
            });
        }
        let found = Sha256Digest::from(input.sha256);
        if found != layer.digest.0 {
            return Err(OciError::Digest {
                what: "chunk",
                expected: layer.digest.0,
                found,
            });
        }
        match unpacked? {
            Some(sha256) if sha256 == chunk.sha256 => Ok(()),
            _ => Err(OciError::Chunk {
                index: chunk.index,
                expected: ByteSize(range.1),
            }),
        }
    })
}

/// Decompresses `input` into a range of `to`, and gives the digest; `None` if `input` is not what zstd makes of as many
/// bytes. No more of it is read, and nothing is written beyond the range, however much it would become.
fn unpack(input: &mut impl Read, (start, len): Range, to: &File) -> Result<Option<Sha256Digest>, OciError> {
    let Ok(mut decoder) = Decoder::new(input) else {
        return Ok(None);
    };
    if decoder.window_log_max(WINDOW_LOG_MAX).is_err() {
        return Ok(None);
    }
    let mut hasher = Sha256::new();
    let mut piece = vec![0; PIECE_BYTES];
    let mut place = start;
    let end = start.saturating_add(len);
    loop {
        let Ok(count) = fill(&mut decoder, &mut piece) else {
            return Ok(None);
        };
        let next = place.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        if next > end {
            return Ok(None);
        }
        if count == 0 {
            return Ok((place == end).then(|| hasher.into()));
        }
        hasher.update(&piece[..count]);
        write_data(to, &piece[..count], place).map_err(written)?;
        place = next;
    }
}

fn written(source: io::Error) -> OciError {
    OciError::Write(source)
}

/// A blob on its way: its digest, and whether the way failed.
struct Proving<R> {
    inner: R,
    sha256: Sha256,
    failure: Option<io::Error>,
}

impl<R: Read> Read for Proving<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.failure.is_some() {
            return Ok(0);
        }
        match self.inner.read(buffer) {
            Ok(count) => {
                self.sha256.update(&buffer[..count]);
                Ok(count)
            }
            Err(error) => {
                self.failure = Some(error);
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    const LEN: u64 = 300 << 10;

    fn image(content: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file
    }

    fn content() -> Vec<u8> {
        (0..LEN).map(|place| (place / 5000 * 7 % 251) as u8).collect()
    }

    #[test]
    fn what_was_packed_is_unpacked_in_its_place() {
        let content = content();
        let from = image(&content);
        let mut packer = Packer::new().unwrap();
        let (sha256, packed) = packer.pack(&from, (4096, LEN - 4096)).unwrap().unwrap();
        assert_eq!(sha256, Sha256Digest::of(&content[4096..]));
        let to = image(&[]);
        to.set_len(LEN).unwrap();
        let unpacked = unpack(&mut &packed[..], (4096, LEN - 4096), &to).unwrap();
        assert_eq!(unpacked, Some(sha256));
        assert!(is_there(&to, (4096, LEN - 4096), sha256).unwrap());
        assert!(!is_there(&to, (0, LEN), sha256).unwrap());
        clear(&to, (0, LEN)).unwrap();
        assert!(packer.pack(&to, (0, LEN)).unwrap().is_none());
        copy_data(&from, &to, (0, LEN)).unwrap();
        assert!(is_there(&to, (0, LEN), Sha256Digest::of(&content)).unwrap());
    }

    #[test]
    fn what_becomes_more_or_less_than_its_range_is_refused_and_writes_nothing_beyond() {
        let to = image(&[9; 8192]);
        to.set_len(1 << 20).unwrap();
        let bomb = zstd::bulk::compress(&vec![7; 64 << 20], LEVEL).unwrap();
        assert_eq!(unpack(&mut &bomb[..], (8192, 4096), &to).unwrap(), None);
        let short = zstd::bulk::compress(&[7; 4095], LEVEL).unwrap();
        assert_eq!(unpack(&mut &short[..], (8192, 4096), &to).unwrap(), None);
        for rubbish in [&b""[..], b"rubbish", &short[..short.len() - 1]] {
            assert_eq!(unpack(&mut &rubbish[..], (8192, 4096), &to).unwrap(), None);
        }
        let mut rest = vec![1; (1 << 20) - 12288];
        to.read_exact_at(&mut rest, 12288).unwrap();
        assert!(is_zero(&rest));
    }

    #[test]
    fn a_window_larger_than_any_of_ours_is_refused() {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 19).unwrap();
        encoder.window_log(27).unwrap();
        encoder.write_all(&content()).unwrap();
        let packed = encoder.finish().unwrap();
        let to = image(&[]);
        assert_eq!(unpack(&mut &packed[..], (0, LEN), &to).unwrap(), None);
    }
}
