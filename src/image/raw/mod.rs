//! The raw image: a file that is the disk, byte for byte, with holes where there is nothing but zeros.
//!
//! Where the host's file system can share blocks between files (a reflink), the image starts as a clone of the
//! template and only differences are written. Elsewhere the kernel copies the template's data, run by run, and
//! everything that a host changed is written from memory. Both ways give the same bytes.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{FallocateFlags, copy_file_range, fallocate, ioctl_ficlone};
use rustix::io::Errno;

use super::base_image::{BaseImage, failed_on};
use super::error::ImageError;
use super::ranges::{Ranges, len_of, pieces};
use super::scan::is_zero;
use crate::base::{AtomicFile, PathError};
use crate::block::{BlockDevice as _, Delta, UNIT_BYTES};

/// How many bytes are read and written at once where the kernel does not copy: small enough for a processor's cache.
const BUFFER_BYTES: usize = 1 << 18;

/// Writes raw images of one project. Any number of threads may share it.
#[derive(Debug, Default)]
pub struct RawWriter {
    /// Set once a clone was refused, so that the other hosts need not try.
    cannot_clone: AtomicBool,
    /// Set once the kernel refused to copy between the two files.
    cannot_copy: AtomicBool,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Whether the file shares blocks with the template.
    pub is_clone: bool,
    /// How many bytes were written or copied.
    pub written_bytes: u64,
}

/// An image under construction.
struct Target<'a> {
    base: &'a BaseImage,
    delta: &'a Delta,
    file: &'a File,
    path: &'a Path,
}

impl RawWriter {
    /// A writer that does not know yet what the file system can do.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes the image that differs from `base` by `delta`, ready to be persisted as `destination`.
    pub fn write(
        &self,
        base: &BaseImage,
        delta: &Delta,
        destination: &Path,
    ) -> Result<(AtomicFile, Written), ImageError> {
        let unfinished = AtomicFile::create(destination)?;
        let target = Target {
            base,
            delta,
            file: unfinished.file(),
            path: unfinished.temporary_path(),
        };
        let written = if self.clone_base(&target)? {
            target.finish_clone()?
        } else {
            self.copy(&target)?
        };
        Ok((unfinished, written))
    }

    /// Makes the file a clone of the base if the file system can.
    fn clone_base(&self, target: &Target<'_>) -> Result<bool, ImageError> {
        if self.cannot_clone.load(Ordering::Relaxed) {
            return Ok(false);
        }
        match ioctl_ficlone(target.file, target.base.file()) {
            Ok(()) => Ok(true),
            Err(
                Errno::OPNOTSUPP | Errno::XDEV | Errno::INVAL | Errno::NOTTY | Errno::NOSYS | Errno::PERM,
            ) => {
                self.cannot_clone.store(true, Ordering::Relaxed);
                Ok(false)
            }
            Err(errno) => Err(failed_on("clone the template to", target.path)(errno)),
        }
    }

    /// Fills an empty file.
    fn copy(&self, target: &Target<'_>) -> Result<Written, ImageError> {
        target.set_len()?;
        let shown = Ranges::whole(target.delta.base_end_bytes());
        let changed = target.changed().union(&target.base.mixed().intersection(&shown));
        let unchanged = target.base.plain().intersection(&shown).difference(&changed);
        for run in unchanged.iter() {
            self.copy_run(target, run)?;
        }
        let written = target.write_changes(&changed, |_| Ok(()))?;
        Ok(Written {
            is_clone: false,
            written_bytes: written.saturating_add(unchanged.total_bytes()),
        })
    }

    /// Copies a run of the base's file to the same place of the new file.
    fn copy_run(&self, target: &Target<'_>, run: Range<u64>) -> Result<(), ImageError> {
        let (mut from, mut to) = (run.start, run.start);
        while from < run.end && !self.cannot_copy.load(Ordering::Relaxed) {
            let rest = len_of(&(from..run.end));
            match copy_file_range(
                target.base.file(),
                Some(&mut from),
                target.file,
                Some(&mut to),
                rest,
            ) {
                // Nothing copied before the end: the buffered way below finds out why.
                Ok(0) => break,
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::OPNOTSUPP | Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::PERM) => {
                    self.cannot_copy.store(true, Ordering::Relaxed);
                }
                Err(errno) => return Err(failed_on("write", target.path)(errno)),
            }
        }
        target.copy_buffered(from..run.end)
    }
}

impl Target<'_> {
    fn set_len(&self) -> Result<(), ImageError> {
        Ok(self
            .file
            .set_len(self.delta.len_bytes())
            .map_err(PathError::on("set the length of", self.path))?)
    }

    /// The changed units, cut at the image's end.
    fn changed(&self) -> Ranges {
        let mut changed = Ranges::default();
        for (offset, unit) in self.delta.units() {
            let end = offset.saturating_add(u64::try_from(unit.len()).unwrap_or(u64::MAX));
            changed.push(offset..end.min(self.delta.len_bytes()));
        }
        changed
    }

    /// Turns a clone of the base's file into the image.
    fn finish_clone(&self) -> Result<Written, ImageError> {
        self.set_len()?;
        let base_end = self.delta.base_end_bytes();
        let cut = Ranges::of(base_end..self.base.len_bytes());
        let stale = self.base.free().union(&cut).intersection(self.base.allocated());
        for range in stale.below(self.delta.len_bytes()).iter() {
            self.punch(&range)?;
        }
        Ok(Written {
            is_clone: true,
            written_bytes: self.write_changes(&self.changed(), |range| self.punch(range))?,
        })
    }

    /// Copies a run of the base through a buffer.
    fn copy_buffered(&self, run: Range<u64>) -> Result<(), ImageError> {
        if run.is_empty() {
            return Ok(());
        }
        let mut buffer = vec![0; BUFFER_BYTES.min(len_of(&run))];
        for piece in pieces(&run, BUFFER_BYTES) {
            let bytes = front(&mut buffer, &piece);
            self.base.read_at(piece.start, bytes)?;
            self.write_all(piece.start, bytes)?;
        }
        Ok(())
    }

    /// Writes what the image holds at `changed`; units that are all zero go to `zeros` instead. Gives the number of
    /// bytes written.
    fn write_changes(
        &self,
        changed: &Ranges,
        zeros: impl Fn(&Range<u64>) -> Result<(), ImageError>,
    ) -> Result<u64, ImageError> {
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut written = 0_u64;
        for piece in changed
            .iter()
            .flat_map(|range| pieces(&range, BUFFER_BYTES).collect::<Vec<_>>())
        {
            let bytes = front(&mut buffer, &piece);
            self.delta.read_at(self.base, piece.start, bytes)?;
            let mut data = Ranges::default();
            for (unit, bytes) in pieces(&piece, UNIT_BYTES).zip(bytes.chunks(UNIT_BYTES)) {
                if is_zero(bytes) {
                    zeros(&unit)?;
                } else {
                    data.push(unit);
                }
            }
            for run in data.iter() {
                let skipped = len_of(&(piece.start..run.start));
                let bytes = bytes.get(skipped..).and_then(|rest| rest.get(..len_of(&run)));
                self.write_all(run.start, bytes.expect("a run lies within its piece"))?;
            }
            written = written.saturating_add(data.total_bytes());
        }
        Ok(written)
    }

    fn write_all(&self, offset_bytes: u64, bytes: &[u8]) -> Result<(), ImageError> {
        Ok(self
            .file
            .write_all_at(bytes, offset_bytes)
            .map_err(PathError::on("write", self.path))?)
    }

    /// Makes `range` read as zero, as a hole where the file system can.
    fn punch(&self, range: &Range<u64>) -> Result<(), ImageError> {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        match fallocate(
            self.file,
            flags,
            range.start,
            range.end.saturating_sub(range.start),
        ) {
            Ok(()) => Ok(()),
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
                let zeros = vec![0; BUFFER_BYTES.min(len_of(range))];
                pieces(range, BUFFER_BYTES).try_for_each(|piece| {
                    self.write_all(piece.start, zeros.get(..len_of(&piece)).unwrap_or_default())
                })
            }
            Err(errno) => Err(failed_on("punch a hole into", self.path)(errno)),
        }
    }
}

/// The first bytes of `buffer`, as many as `range` holds.
fn front<'a>(buffer: &'a mut [u8], range: &Range<u64>) -> &'a mut [u8] {
    buffer
        .get_mut(..len_of(range))
        .expect("pieces are cut to the buffer's length")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::atomic::Durability;
    use crate::block::{FileDevice, Overlay};
    use proptest::prelude::*;
    use std::os::unix::fs::MetadataExt as _;
    use std::sync::Arc;
    use std::{fs, io};

    /// The image's whole bytes as the delta tells them.
    fn expected(base: &BaseImage, delta: &Delta) -> Vec<u8> {
        let mut whole = vec![0; delta.len_bytes() as usize];
        delta.read_at(base, 0, &mut whole).unwrap();
        whole
    }

    /// Makes an image in the way that `writer` can; a clone is stood in for by a plain copy of the file.
    fn write(
        writer: &RawWriter,
        as_clone: bool,
        base: &BaseImage,
        delta: &Delta,
        path: &Path,
    ) -> io::Result<Vec<u8>> {
        if as_clone {
            let unfinished = AtomicFile::create(path).unwrap();
            let mut whole = vec![0; base.len_bytes() as usize];
            base.file().read_exact_at(&mut whole, 0)?;
            unfinished.file().write_all_at(&whole, 0)?;
            let target = Target {
                base,
                delta,
                file: unfinished.file(),
                path,
            };
            target.finish_clone().unwrap();
            unfinished.persist(Durability::NoSync).unwrap();
        } else {
            let (unfinished, _) = writer.write(base, delta, path).unwrap();
            unfinished.persist(Durability::NoSync).unwrap();
        }
        fs::read(path)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_way_of_writing_gives_the_same_bytes(
            data in prop::collection::vec((0_u64..80, any::<u8>()), 0..10),
            free in prop::collection::vec((0_u64..400_000, 0_u64..30_000), 0..4),
            cut in prop::option::of(0_u64..400_000),
            new_len in 0_u64..900_000,
            writes in prop::collection::vec((0_u64..900_000, any::<u8>()), 0..8),
        ) {
            let directory = tempfile::tempdir().unwrap();
            let template = directory.path().join("template");
            let file = File::create_new(&template).unwrap();
            file.set_len(333_333).unwrap();
            for (unit, fill) in data {
                file.write_all_at(&[fill; 4096], unit * 4096).unwrap();
            }
            let free = Ranges::from_unsorted(free.into_iter().map(|(start, len)| start..start + len));
            let device = Arc::new(FileDevice::open(&template).unwrap());
            let base = Arc::new(BaseImage::scan(device, &free.complement(u64::MAX), new_len).unwrap());
            let overlay = Overlay::new(base.clone());
            if let Some(cut) = cut {
                overlay.set_len_bytes(cut).unwrap();
            }
            overlay.set_len_bytes(new_len).unwrap();
            for (place, fill) in writes {
                if place + 9000 <= new_len {
                    overlay.write_at(place, &[fill; 9000]).unwrap();
                }
            }
            let delta = overlay.finish().unwrap();
            let whole = expected(&base, &delta);
            let by_kernel = RawWriter::new();
            let by_buffer = RawWriter::new();
            by_buffer.cannot_copy.store(true, Ordering::Relaxed);
            by_buffer.cannot_clone.store(true, Ordering::Relaxed);
            let before = fs::read(&template).unwrap();
            for (writer, as_clone) in [(&by_kernel, false), (&by_buffer, false), (&by_kernel, true)] {
                let path = directory.path().join("image");
                prop_assert!(write(writer, as_clone, &base, &delta, &path).unwrap() == whole);
            }
            prop_assert!(fs::read(&template).unwrap() == before);
        }
    }

    #[test]
    fn an_image_is_as_sparse_as_its_data() {
        let directory = tempfile::tempdir().unwrap();
        let template = directory.path().join("template");
        let file = File::create_new(&template).unwrap();
        file.write_all_at(&[7; 8192], 0).unwrap();
        file.write_all_at(&vec![0; 1 << 20], 8192).unwrap();
        let base = BaseImage::scan(
            Arc::new(FileDevice::open(&template).unwrap()),
            &Ranges::whole(u64::MAX),
            0,
        );
        let base = Arc::new(base.unwrap());
        let overlay = Overlay::new(base.clone());
        overlay.set_len_bytes(1 << 30).unwrap();
        overlay.write_at(4096, &[0; 4096]).unwrap();
        overlay.write_at(1 << 29, &[9; 10]).unwrap();
        let delta = overlay.finish().unwrap();
        let image = directory.path().join("image");
        let (unfinished, written) = RawWriter::new().write(&base, &delta, &image).unwrap();
        assert!(!image.exists());
        unfinished.persist(Durability::Sync).unwrap();
        assert_eq!(written.written_bytes, 8192);
        let metadata = fs::metadata(&image).unwrap();
        assert_eq!(metadata.len(), 1 << 30);
        assert!(
            metadata.blocks() * 512 <= 64 << 10,
            "{} sectors",
            metadata.blocks()
        );
    }
}
