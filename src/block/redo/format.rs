//! The bytes of a redo file, written and read.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Seek as _, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::Path;

use super::{RUN_BYTES, RedoError, runs};
use crate::base::atomic::Durability;
use crate::base::{AtomicFile, PathError};
use crate::block::delta::Delta;
use crate::block::device::{BlockDevice as _, len_of};
use crate::block::file::FileDevice;
use crate::block::unit::{UNIT_BYTES, read_base};

const MAGIC: [u8; 8] = *b"MLNREDO\n";
const VERSION: u32 = 1;
const HEADER_BYTES: u64 = 48;
const DIGEST_BYTES: usize = blake3::OUT_LEN;
const BACK_RECORD_BYTES: u64 = 16;
const FORWARD_RECORD_BYTES: u64 = 4136;
/// The piece of a unit that a disk writes whole.
pub(super) const SECTOR_BYTES: usize = 512;
/// How many of them a unit has.
pub(super) const SECTORS: usize = 8;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Make ranges holes again.
    Back,
    /// Write units.
    Forward,
}

/// What stands before the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) old_len_bytes: u64,
    pub(super) new_len_bytes: u64,
    pub(super) base_end_bytes: u64,
    pub(super) count: u64,
}

/// One unit of a file that rolls forward.
pub(super) struct UnitRecord {
    pub(super) offset_bytes: u64,
    pub(super) old: [u32; SECTORS],
    pub(super) new: Box<[u8; UNIT_BYTES]>,
}

/// The checksums of a unit's sectors.
pub(super) fn sums(unit: &[u8]) -> [u32; SECTORS] {
    let mut sums = [0; SECTORS];
    for (sum, sector) in sums.iter_mut().zip(unit.chunks(SECTOR_BYTES)) {
        *sum = crc32c::crc32c(sector);
    }
    sums
}

impl Header {
    fn encode(self) -> Vec<u8> {
        let kind: u32 = match self.kind {
            Kind::Back => 1,
            Kind::Forward => 2,
        };
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        for number in [
            self.old_len_bytes,
            self.new_len_bytes,
            self.base_end_bytes,
            self.count,
        ] {
            bytes.extend(number.to_le_bytes());
        }
        bytes
    }

    /// How long the whole file has to be.
    fn file_bytes(self) -> Option<u64> {
        let record = match self.kind {
            Kind::Back => BACK_RECORD_BYTES,
            Kind::Forward => FORWARD_RECORD_BYTES,
        };
        let records = self.count.checked_mul(record)?;
        records
            .checked_add(HEADER_BYTES)?
            .checked_add(len_of(&[0; DIGEST_BYTES]))
    }
}

/// A writer that digests what goes through it.
struct Digesting<W> {
    inner: W,
    hasher: blake3::Hasher,
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = self.inner.write(bytes)?;
        self.hasher.update(bytes.get(..len).unwrap_or_default());
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Writes a file that makes `ranges` of `image` holes again.
pub(super) fn write_back(image: &FileDevice, path: &Path, ranges: &[Range<u64>]) -> Result<(), RedoError> {
    let len_bytes = image.len_bytes();
    let header = Header {
        kind: Kind::Back,
        old_len_bytes: len_bytes,
        new_len_bytes: len_bytes,
        base_end_bytes: len_bytes,
        count: u64::try_from(ranges.len()).unwrap_or(u64::MAX),
    };
    write(image.file(), path, header, Durability::Sync, |to| {
        for range in ranges {
            to(&range.start.to_le_bytes())?;
            to(&range.end.to_le_bytes())?;
        }
        Ok(())
    })
}

/// Writes a file that puts the changes of `delta` into `image`, which still has its old bytes there.
pub(super) fn write_forward(
    image: &FileDevice,
    path: &Path,
    delta: &Delta,
    durability: Durability,
) -> Result<(), RedoError> {
    let old_len_bytes = image.len_bytes();
    let header = Header {
        kind: Kind::Forward,
        old_len_bytes,
        new_len_bytes: delta.len_bytes(),
        base_end_bytes: delta.base_end_bytes(),
        count: u64::try_from(delta.changed_units()).unwrap_or(u64::MAX),
    };
    write(image.file(), path, header, durability, |to| {
        each_unit(image, delta, |offset_bytes, old, new| {
            to(&offset_bytes.to_le_bytes())?;
            for sum in sums(old) {
                to(&sum.to_le_bytes())?;
            }
            to(new)
        })
    })
}

/// Shows `visit` each changed unit's offset, its bytes in `image`, read in runs, and those in `delta`.
fn each_unit(
    image: &FileDevice,
    delta: &Delta,
    mut visit: impl FnMut(u64, &[u8], &[u8]) -> Result<(), RedoError>,
) -> Result<(), RedoError> {
    let len_bytes = image.len_bytes();
    let mut units = delta.units();
    let mut old = Vec::new();
    for (start, end) in runs(delta.units().map(|(offset, _)| offset)) {
        for place in (start..end).step_by(RUN_BYTES) {
            let rest = usize::try_from(end.saturating_sub(place)).unwrap_or(usize::MAX);
            old.resize(rest.min(RUN_BYTES), 0);
            read_base(image, len_bytes, place, &mut old)?;
            for (old, (offset_bytes, new)) in old.chunks(UNIT_BYTES).zip(&mut units) {
                visit(offset_bytes, old, &new[..])?;
            }
        }
    }
    Ok(())
}

fn write(
    image: &File,
    path: &Path,
    header: Header,
    durability: Durability,
    records: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<(), RedoError>) -> Result<(), RedoError>,
) -> Result<(), RedoError> {
    let file = AtomicFile::create_private(path)?;
    share(file.file(), image).map_err(PathError::on("share", path))?;
    let temporary = file.temporary_path().to_path_buf();
    let failed = || PathError::on("write", &temporary);
    {
        let mut writer = Digesting {
            inner: BufWriter::with_capacity(1 << 18, file.file()),
            hasher: blake3::Hasher::new(),
        };
        writer.write_all(&header.encode()).map_err(failed())?;
        records(&mut |bytes| Ok(writer.write_all(bytes).map_err(failed())?))?;
        let digest = writer.hasher.finalize();
        writer
            .inner
            .write_all(digest.as_bytes())
            .and_then(|()| writer.inner.flush())
            .map_err(failed())?;
    }
    Ok(file.persist(durability)?)
}

/// Lets those into the new `file` who may use `image`, whose bytes it holds.
fn share(file: &File, image: &File) -> io::Result<()> {
    let (own, theirs) = (file.metadata()?, image.metadata()?);
    // Only root makes files that belong to others.
    if own.uid() != theirs.uid() || own.gid() != theirs.gid() {
        match fchown(file, Some(theirs.uid()), Some(theirs.gid())) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return Ok(()),
            outcome => outcome?,
        }
    }
    file.set_permissions(theirs.permissions())
}

/// A redo file that was read whole once and found intact.
pub(super) struct Reader<'a> {
    path: &'a Path,
    file: File,
    pub(super) header: Header,
}

impl<'a> Reader<'a> {
    /// Reads the whole file and holds it against its digest.
    pub(super) fn open(path: &'a Path, file: File) -> Result<Self, RedoError> {
        let damaged = |what| RedoError::Damaged {
            path: path.to_path_buf(),
            what,
        };
        let failed = || PathError::on("read", path);
        let len_bytes = file.metadata().map_err(failed())?.len();
        let mut input = BufReader::with_capacity(1 << 18, &file);
        let mut head = [0; 48];
        match input.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Err(damaged("it is cut off")),
            Err(error) => return Err(failed()(error).into()),
        }
        let header = decode_header(&head).map_err(damaged)?;
        if header.file_bytes() != Some(len_bytes) {
            return Err(damaged("its length is wrong"));
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(&head);
        let body = len_bytes
            .saturating_sub(HEADER_BYTES)
            .saturating_sub(len_of(&[0; DIGEST_BYTES]));
        io::copy(&mut (&mut input).take(body), &mut hasher).map_err(failed())?;
        let mut digest = [0; DIGEST_BYTES];
        input.read_exact(&mut digest).map_err(failed())?;
        drop(input);
        if hasher.finalize() != digest {
            return Err(damaged("its digest is wrong"));
        }
        Ok(Self { path, file, header })
    }

    /// Shows `visit` the ranges of a file that rolls back.
    pub(super) fn ranges(
        &self,
        mut visit: impl FnMut(Range<u64>) -> Result<(), RedoError>,
    ) -> Result<(), RedoError> {
        let mut input = self.records()?;
        for _ in 0..self.header.count {
            let (start, end) = (self.number(&mut input)?, self.number(&mut input)?);
            visit(start..end)?;
        }
        Ok(())
    }

    /// Shows `visit` the units of a file that rolls forward.
    pub(super) fn units(
        &self,
        mut visit: impl FnMut(&UnitRecord) -> Result<(), RedoError>,
    ) -> Result<(), RedoError> {
        let mut input = self.records()?;
        let mut record = UnitRecord {
            offset_bytes: 0,
            old: [0; SECTORS],
            new: Box::new([0; UNIT_BYTES]),
        };
        for _ in 0..self.header.count {
            record.offset_bytes = self.number(&mut input)?;
            for sum in &mut record.old {
                let mut bytes = [0; 4];
                self.fill(&mut input, &mut bytes)?;
                *sum = u32::from_le_bytes(bytes);
            }
            self.fill(&mut input, &mut record.new[..])?;
            visit(&record)?;
        }
        Ok(())
    }

    fn records(&self) -> Result<BufReader<&File>, RedoError> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(HEADER_BYTES))
            .map_err(PathError::on("read", self.path))?;
        Ok(BufReader::with_capacity(1 << 18, &self.file))
    }

    fn number(&self, input: &mut impl Read) -> Result<u64, RedoError> {
        let mut bytes = [0; 8];
        self.fill(input, &mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn fill(&self, input: &mut impl Read, bytes: &mut [u8]) -> Result<(), RedoError> {
        Ok(input
            .read_exact(bytes)
            .map_err(PathError::on("read", self.path))?)
    }
}

fn decode_header(bytes: &[u8; 48]) -> Result<Header, &'static str> {
    let word = |place: usize| {
        let word = bytes.get(place..).and_then(|rest| rest.first_chunk());
        word.map_or(0, |word| u32::from_le_bytes(*word))
    };
    let number = |place: usize| {
        let number = bytes.get(place..).and_then(|rest| rest.first_chunk());
        number.map_or(0, |number| u64::from_le_bytes(*number))
    };
    if !bytes.starts_with(&MAGIC) {
        return Err("it does not begin as such a file");
    }
    if word(8) != VERSION {
        return Err("it is of an unknown version");
    }
    let kind = match word(12) {
        1 => Kind::Back,
        2 => Kind::Forward,
        _ => return Err("it is of an unknown kind"),
    };
    Ok(Header {
        kind,
        old_len_bytes: number(16),
        new_len_bytes: number(24),
        base_end_bytes: number(32),
        count: number(40),
    })
}
