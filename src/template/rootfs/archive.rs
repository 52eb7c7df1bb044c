//! A tar archive as a stream of nodes: ustar, GNU tar's and pax's extensions.
//!
//! The `tar` crate parses single headers. The chain of headers is followed here, since that crate divides extended
//! records at line ends, which attributes such as `security.capability` may hold.

use std::io::{self, Read};

use tar::{EntryType, Header};

use super::acl;
use super::content::{Content, Kind, Node};
use super::error::RootfsError;
use super::pax::Extended;
use super::place::shown;
use super::sparse::{self, SparseMap};
use crate::base::Timestamp;
use crate::ext::SpecialFile;

const BLOCK: usize = 512;
/// The longest extended header or long name.
const EXTENSION_MAX: u64 = 8 << 20;

/// An archive that is being read.
pub(super) struct Archive<'a> {
    input: &'a mut dyn Read,
    offset_bytes: u64,
}

/// Takes what an archive holds, node after node.
pub(super) trait Sink {
    /// Takes one node, with its content if it is a file.
    fn node(&mut self, node: Node, content: Option<Content<'_>>) -> Result<(), RootfsError>;
}

/// A header with what extends it.
struct Entry {
    header: Header,
    extended: Extended,
    start_bytes: u64,
}

impl<'a> Archive<'a> {
    pub(super) fn new(input: &'a mut dyn Read) -> Self {
        Self {
            input,
            offset_bytes: 0,
        }
    }

    /// Gives everything to `sink`.
    pub(super) fn read_all(mut self, sink: &mut dyn Sink) -> Result<(), RootfsError> {
        let mut extended = Extended::default();
        while let Some((header, start_bytes)) = self.header()? {
            let size = header
                .entry_size()
                .map_err(|_| damaged(start_bytes, "a length that is none"))?;
            match header.entry_type() {
                EntryType::XGlobalHeader => drop(self.extension(size)?),
                EntryType::XHeader => {
                    let records = self.extension(size)?;
                    let read = extended.read(&records);
                    read.ok_or_else(|| damaged(start_bytes, "an extended header that is none"))?;
                }
                EntryType::GNULongName => extended.path = Some(self.name(size)?),
                EntryType::GNULongLink => extended.link_path = Some(self.name(size)?),
                _ => {
                    let entry = Entry {
                        header,
                        extended: std::mem::take(&mut extended),
                        start_bytes,
                    };
                    self.entry(&entry, size, sink)?;
                }
            }
        }
        Ok(())
    }

    /// The next header; `None` at the end of the archive.
    fn header(&mut self) -> Result<Option<(Header, u64)>, RootfsError> {
        let start = self.offset_bytes;
        let mut block = [0; BLOCK];
        if !self.block(&mut block)? || block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let header = Header::from_byte_slice(&block).clone();
        let sum = header
            .cksum()
            .map_err(|_| damaged(start, "a checksum that is none"))?;
        if sum != checksum(&block) {
            return Err(damaged(start, "a wrong checksum"));
        }
        Ok(Some((header, start)))
    }

    /// Reads a block; `false` where the input has ended before it.
    fn block(&mut self, block: &mut [u8; BLOCK]) -> Result<bool, RootfsError> {
        let mut len = 0;
        while len < BLOCK {
            match self.input.read(&mut block[len..]) {
                Ok(0) if len == 0 => return Ok(false),
                Ok(0) => return Err(RootfsError::Read(io::ErrorKind::UnexpectedEof.into())),
                Ok(read) => len += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(RootfsError::Read(error)),
            }
        }
        self.offset_bytes += BLOCK as u64;
        Ok(true)
    }

    /// The data of an extension.
    fn extension(&mut self, size: u64) -> Result<Vec<u8>, RootfsError> {
        if size > EXTENSION_MAX {
            return Err(damaged(self.offset_bytes, "an extension that is too long"));
        }
        let mut data = Vec::new();
        let read = (&mut *self.input).take(size).read_to_end(&mut data);
        read.map_err(RootfsError::Read)?;
        if data.len() as u64 != size {
            return Err(RootfsError::Read(io::ErrorKind::UnexpectedEof.into()));
        }
        self.end_of_data(size, 0)?;
        Ok(data)
    }

    fn name(&mut self, size: u64) -> Result<Vec<u8>, RootfsError> {
        let mut name = self.extension(size)?;
        while name.last() == Some(&0) {
            name.pop();
        }
        Ok(name)
    }

    /// Skips what is left of `size` bytes of data, and the padding.
    fn end_of_data(&mut self, size: u64, left: u64) -> Result<(), RootfsError> {
        let padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
        let skipped = left + padding;
        let copied = io::copy(&mut (&mut *self.input).take(skipped), &mut io::sink());
        if copied.map_err(RootfsError::Read)? != skipped {
            return Err(RootfsError::Read(io::ErrorKind::UnexpectedEof.into()));
        }
        self.offset_bytes = self.offset_bytes.saturating_add(size).saturating_add(padding);
        Ok(())
    }

    fn entry(&mut self, entry: &Entry, header_size: u64, sink: &mut dyn Sink) -> Result<(), RootfsError> {
        let size = entry.extended.size.unwrap_or(header_size);
        if size > i64::MAX as u64 {
            return Err(damaged(entry.start_bytes, "a length that is none"));
        }
        let node = entry.node()?;
        if node.kind != Kind::File {
            sink.node(node, None)?;
            return self.end_of_data(size, size);
        }
        let own_map = self.gnu_map(entry)?;
        let mut data = (&mut *self.input).take(size);
        let map = match own_map {
            Some(map) => Some(map),
            None => entry.pax_map(&mut data)?,
        };
        let (pieces, len_bytes) = map.unwrap_or_else(|| (vec![(0, size)], size));
        let stored = pieces
            .iter()
            .try_fold(0_u64, |sum, (_, len)| sum.checked_add(*len));
        if stored.is_none_or(|stored| stored > data.limit()) {
            return Err(damaged(
                entry.start_bytes,
                "a sparse file with more pieces than data",
            ));
        }
        let content = Content {
            data: &mut data,
            pieces,
            len_bytes,
            start_bytes: self.offset_bytes,
        };
        sink.node(node, Some(content))?;
        let left = data.limit();
        self.end_of_data(size, left)
    }

    /// The map of a sparse file in GNU tar's own headers, whose further blocks are read here.
    fn gnu_map(&mut self, entry: &Entry) -> Result<Option<SparseMap>, RootfsError> {
        if entry.header.entry_type() != EntryType::GNUSparse {
            return Ok(None);
        }
        let wrong = || damaged(entry.start_bytes, "a sparse file that is none");
        let gnu = entry.header.as_gnu().ok_or_else(wrong)?;
        let mut numbers = Vec::new();
        push_pieces(&gnu.sparse, &mut numbers).ok_or_else(wrong)?;
        let mut goes_on = gnu.is_extended();
        while goes_on {
            let mut block = tar::GnuExtSparseHeader::new();
            let mut bytes = [0; BLOCK];
            if !self.block(&mut bytes)? || numbers.len() > 1 << 21 {
                return Err(wrong());
            }
            block.as_mut_bytes().copy_from_slice(&bytes);
            push_pieces(&block.sparse, &mut numbers).ok_or_else(wrong)?;
            goes_on = block.is_extended();
        }
        let len = gnu.real_size().map_err(|_| wrong())?;
        sparse::checked(&numbers, len).map(Some).ok_or_else(wrong)
    }
}

/// Adds offset and length of each used slot; `None` where one is no number.
fn push_pieces(slots: &[tar::GnuSparseHeader], numbers: &mut Vec<u64>) -> Option<()> {
    for slot in slots.iter().filter(|slot| !slot.is_empty()) {
        numbers.extend([slot.offset().ok()?, slot.length().ok()?]);
    }
    Some(())
}

impl Entry {
    fn node(&self) -> Result<Node, RootfsError> {
        let wrong = |what| damaged(self.start_bytes, what);
        let header = &self.header;
        let extended = &self.extended;
        let path = extended
            .sparse("name")
            .map(<[u8]>::to_vec)
            .or_else(|| extended.path.clone())
            .unwrap_or_else(|| header.path_bytes().into_owned());
        let owner = |extended: Option<u64>, own: io::Result<u64>| {
            let number = extended.map_or(own, Ok).ok();
            number
                .and_then(|number| u32::try_from(number).ok())
                .ok_or_else(|| wrong("an owner that is none"))
        };
        let mode = header.mode().map_err(|_| wrong("a mode that is none"))? & 0o7777;
        // A moment before the epoch is a complement of two, which the crate hands on as it is.
        let time = || header.mtime().map(u64::cast_signed).unwrap_or_default();
        let mtime = extended.mtime.unwrap_or_else(|| Timestamp::from_seconds(time()));
        let xattrs = extended.xattrs.iter().cloned();
        Ok(Node {
            kind: self.kind(&path)?,
            mode: u16::try_from(mode).map_err(|_| wrong("a mode that is none"))?,
            uid: owner(extended.uid, header.uid())?,
            gid: owner(extended.gid, header.gid())?,
            mtime,
            xattrs: xattrs
                .map(|(name, value)| {
                    let value = acl::on_disk(&name, value);
                    (name, value)
                })
                .collect(),
            path,
        })
    }

    fn kind(&self, path: &[u8]) -> Result<Kind, RootfsError> {
        let link = || {
            let own = self.header.link_name_bytes().map(std::borrow::Cow::into_owned);
            self.extended.link_path.clone().or(own).unwrap_or_default()
        };
        let device = || {
            let (major, minor) = (self.header.device_major(), self.header.device_minor());
            let numbers = major.ok().flatten().zip(minor.ok().flatten());
            numbers.ok_or_else(|| damaged(self.start_bytes, "a device without numbers"))
        };
        Ok(match self.header.entry_type() {
            // Old archives tell directories by the slash alone.
            EntryType::Regular if path.ends_with(b"/") => Kind::Directory,
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => Kind::File,
            EntryType::Directory => Kind::Directory,
            EntryType::Symlink => Kind::Symlink(link()),
            EntryType::Link => Kind::HardLink(link()),
            EntryType::Char => {
                device().map(|(major, minor)| Kind::Special(SpecialFile::CharDevice(major, minor)))?
            }
            EntryType::Block => {
                device().map(|(major, minor)| Kind::Special(SpecialFile::BlockDevice(major, minor)))?
            }
            EntryType::Fifo => Kind::Special(SpecialFile::Fifo),
            _ => {
                return Err(RootfsError::Unsupported {
                    path: shown(path),
                    what: "of a kind that only some tar programs know",
                });
            }
        })
    }

    /// The map of a sparse file in extended records, or before the data.
    fn pax_map(&self, data: &mut dyn Read) -> Result<Option<SparseMap>, RootfsError> {
        let wrong = || damaged(self.start_bytes, "a sparse file that is none");
        if self.extended.sparse.is_empty() {
            return Ok(None);
        }
        if sparse::is_in_data(&self.extended) {
            let map = sparse::from_data(data, &self.extended).map_err(RootfsError::Read)?;
            return map.map(Some).ok_or_else(wrong);
        }
        if self.extended.sparse("map").is_some() {
            return sparse::in_header(&self.extended).map(Some).ok_or_else(wrong);
        }
        Err(RootfsError::Unsupported {
            path: shown(&self.extended.path.clone().unwrap_or_default()),
            what: "a sparse file in the oldest form, 0.0",
        })
    }
}

/// The sum of all bytes, those of the sum itself taken for spaces.
fn checksum(block: &[u8; BLOCK]) -> u32 {
    block
        .iter()
        .enumerate()
        .map(|(place, byte)| {
            if (148..156).contains(&place) {
                32
            } else {
                u32::from(*byte)
            }
        })
        .sum()
}

fn damaged(offset_bytes: u64, what: &'static str) -> RootfsError {
    RootfsError::Damaged { offset_bytes, what }
}
