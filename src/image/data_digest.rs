//! The digest of what a sparse file holds, without its holes.
//!
//! A copy-on-write file is as long as its guest's disk, nearly all of it holes, so that a digest of every byte would
//! take longer than making a hundred of them. This one is the BLAKE3 of, for each unit of 4096 bytes that is not all
//! zero, in ascending order: the unit's number as 64 bits, big-endian, and its bytes, filled up with zeros at the end of
//! the file. It does not depend on which zeros are stored.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use super::base_image::allocated;
use super::digest::Blake3Digest;
use super::ranges::{Ranges, UNIT, len_of, pieces, whole_units};
use crate::block::{BlockDevice, Delta, DeviceError, UNIT_BYTES, is_zero};

/// How many bytes are read at once.
const BUFFER_BYTES: usize = 1 << 18;

/// The digest of what `file` holds.
pub fn data_digest(file: &File) -> io::Result<Blake3Digest> {
    data_digest_of(file, &allocated(file, file.metadata()?.len())?)
}

/// The same of a file of which only what is `stored` was ever written.
pub fn data_digest_of(file: &File, stored: &Ranges) -> io::Result<Blake3Digest> {
    digest_of(stored, file.metadata()?.len(), |start, bytes| {
        file.read_exact_at(bytes, start)
    })
}

/// The same of the image that differs from `base`, whose data lies in `data`, by `delta`.
pub(super) fn delta_data_digest(
    base: &dyn BlockDevice,
    data: &Ranges,
    delta: &Delta,
) -> Result<Blake3Digest, DeviceError> {
    let changed = delta.units().map(|(start, _)| start..start.saturating_add(UNIT));
    let stored = Ranges::from_unsorted(data.iter().chain(changed));
    digest_of(&stored, delta.len_bytes(), |start, bytes| {
        delta.read_at(base, start, bytes)
    })
}

fn digest_of<E>(
    stored: &Ranges,
    len_bytes: u64,
    read: impl Fn(u64, &mut [u8]) -> Result<(), E>,
) -> Result<Blake3Digest, E> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    let units = Ranges::from_unsorted(stored.iter().map(|range| whole_units(&range)));
    for range in units.iter() {
        for piece in pieces(&range, BUFFER_BYTES) {
            let bytes = buffer.split_at_mut(len_of(&piece)).0;
            let inside = len_of(&(piece.start..len_bytes.max(piece.start))).min(bytes.len());
            let (held, beyond) = bytes.split_at_mut(inside);
            read(piece.start, held)?;
            beyond.fill(0);
            for (unit, bytes) in pieces(&piece, UNIT_BYTES).zip(bytes.chunks(UNIT_BYTES)) {
                if !is_zero(bytes) {
                    hasher.update(&(unit.start / UNIT).to_be_bytes());
                    hasher.update(bytes);
                }
            }
        }
    }
    Ok(Blake3Digest::of_hash(hasher.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_and_stored_zeros_are_the_same() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(1 << 30).unwrap();
        file.write_all_at(b"one", 8192).unwrap();
        file.write_all_at(b"two", (1 << 30) - 3).unwrap();
        let before = data_digest(&file).unwrap();
        file.write_all_at(&[0; 10_000], 100_000).unwrap();
        assert_eq!(data_digest(&file).unwrap(), before);
        let mut expected = blake3::Hasher::new();
        let mut unit = vec![0; 4096];
        unit[..3].copy_from_slice(b"one");
        expected.update(&2_u64.to_be_bytes()).update(&unit);
        unit.fill(0);
        unit[4093..].copy_from_slice(b"two");
        expected.update(&262_143_u64.to_be_bytes()).update(&unit);
        assert_eq!(before.to_string(), expected.finalize().to_string());
        file.write_all_at(b"x", 4096).unwrap();
        assert_ne!(data_digest(&file).unwrap(), before);
    }
}
