//! Copies of images that stay sparse, with their digest on the way.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;

use crate::base::digest::Sha256Digest;

/// A run of zeros of this length and alignment is left as a hole.
const HOLE_BYTES: usize = 4096;

/// Makes the empty file `to` a copy of `from` and gives the digest of the content.
///
/// Where the host's file system can share data between files, it does; else every block of zeros becomes a hole, even
/// where `from` stores it.
pub(super) fn copy_sparse(from: &File, to: &File) -> io::Result<Sha256Digest> {
    let len_bytes = from.metadata()?.len();
    let is_shared = rustix::fs::ioctl_ficlone(to, from).is_ok();
    if !is_shared {
        to.set_len(len_bytes)?;
    }
    Sha256Digest::of_reader(Tee {
        from,
        to: (!is_shared).then_some(to),
        offset: 0,
    })
}

/// Reads `from` and writes what it reads, but for zeros, to the same place of `to`.
struct Tee<'a> {
    from: &'a File,
    to: Option<&'a File>,
    offset: u64,
}

impl Read for Tee<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.from.read_at(buffer, self.offset)?;
        if let Some(to) = self.to {
            write_data(to, &buffer[..length], self.offset)?;
        }
        self.offset += u64::try_from(length).map_err(io::Error::other)?;
        Ok(length)
    }
}

/// Writes the runs of `bytes` that are not zero; `offset` is where `bytes` begin in the file.
pub(super) fn write_data(to: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    let mut place = offset;
    let is_zero = |chunk: &&[u8]| crate::block::is_zero(chunk);
    let mut chunks = bytes.chunks(HOLE_BYTES).peekable();
    let mut rest = bytes;
    while chunks.peek().is_some() {
        let holes: usize = std::iter::from_fn(|| chunks.next_if(is_zero))
            .map(<[u8]>::len)
            .sum();
        let data: usize = std::iter::from_fn(|| chunks.next_if(|chunk| !is_zero(chunk)))
            .map(<[u8]>::len)
            .sum();
        let (run, after) = rest[holes..].split_at(data);
        to.write_all_at(run, place + u64::try_from(holes).map_err(io::Error::other)?)?;
        place += u64::try_from(holes + data).map_err(io::Error::other)?;
        rest = after;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt as _;

    #[test]
    fn a_copy_is_equal_and_its_zeros_are_holes() {
        let directory = tempfile::tempdir().unwrap();
        let create = |name: &str| {
            File::options()
                .read(true)
                .write(true)
                .create_new(true)
                .open(directory.path().join(name))
                .unwrap()
        };
        let mut content = vec![0; (3 << 20) + 777];
        for place in [0, 5000, 1 << 20, (3 << 20) + 776] {
            content[place] = 7;
        }
        let (from, to) = (create("from"), create("to"));
        from.write_all_at(&content, 0).unwrap();
        assert_eq!(copy_sparse(&from, &to).unwrap(), Sha256Digest::of(&content));
        assert_eq!(std::fs::read(directory.path().join("to")).unwrap(), content);
        assert!(to.metadata().unwrap().blocks() * 512 <= 5 * 4096);
    }
}
