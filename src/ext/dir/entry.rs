//! The entries of one directory block.

use zerocopy::FromBytes as _;

use crate::base::FileKind;
use crate::ext::error::{ExtError, Place};
use crate::ext::raw::RawDirEntry;
use crate::ext::types::InodeNo;

/// The head of an entry, and the shortest entry there can be.
pub(crate) const HEAD_LEN: usize = 8;
const SHORTEST: usize = 12;
/// The length of an entry that fills a block of 64 KiB, and how the field of 16 bits says it.
const WHOLE_LEN: usize = 0x1_0000;
const WHOLE_CODE: u16 = 0xFFFF;

/// One entry of a block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EntryView<'a> {
    /// Where it begins in the block, in bytes.
    pub(crate) start: usize,
    /// How long it is, the room behind its name included.
    pub(crate) len: usize,
    /// What it names; `None` for an unused entry.
    pub(crate) inode: Option<InodeNo>,
    /// The kind's code; 0 if unknown.
    pub(crate) code: u8,
    /// The name.
    pub(crate) name: &'a [u8],
}

/// The entries of the block `bytes`, unused ones included; ends with the first that contradicts itself.
pub(crate) fn entries(
    bytes: &[u8],
    has_filetype: bool,
    place: Place,
) -> impl Iterator<Item = Result<EntryView<'_>, ExtError>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        if start >= bytes.len() {
            return None;
        }
        let entry = parse(bytes, start, has_filetype, place);
        start = entry
            .as_ref()
            .map_or(bytes.len(), |entry| start.saturating_add(entry.len));
        Some(entry)
    })
}

fn parse(bytes: &[u8], start: usize, has_filetype: bool, place: Place) -> Result<EntryView<'_>, ExtError> {
    let rest = bytes.get(start..).unwrap_or_default();
    let wrong = |what, expected: &str, found: usize| Err(ExtError::corrupt(place, what, expected, found));
    let Ok((raw, after)) = RawDirEntry::ref_from_prefix(rest) else {
        return wrong("room for an entry", "8 bytes", rest.len());
    };
    let len = decode_len(raw.rec_len.get());
    if len < SHORTEST || len > rest.len() || len.trailing_zeros() < 2 {
        return wrong("length of an entry", "a multiple of 4 within the block", len);
    }
    let high = if has_filetype {
        0
    } else {
        usize::from(raw.file_type).wrapping_shl(8)
    };
    let name_len = usize::from(raw.name_len) | high;
    let inode = InodeNo::new(raw.inode.get());
    let name = match after.get(..name_len) {
        Some(name) if name_len.saturating_add(HEAD_LEN) <= len && (name_len > 0 || inode.is_none()) => name,
        _ if inode.is_none() => &[],
        _ => return wrong("length of a name", "within its entry", name_len),
    };
    Ok(EntryView {
        start,
        len,
        inode,
        code: if has_filetype { raw.file_type } else { 0 },
        name,
    })
}

/// The length that the field `rec_len` stands for.
fn decode_len(field: u16) -> usize {
    match field {
        0 | WHOLE_CODE => WHOLE_LEN,
        len => len.into(),
    }
}

/// What the field `rec_len` holds for an entry of `len` bytes.
pub(crate) fn encode_len(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(WHOLE_CODE)
}

/// How many bytes an entry needs for a name of `name_len` bytes.
pub(crate) fn needed_len(name_len: usize) -> usize {
    name_len.saturating_add(HEAD_LEN).next_multiple_of(4)
}

/// The kind that an entry's code stands for.
pub(crate) fn kind_of(code: u8) -> Option<FileKind> {
    Some(match code {
        1 => FileKind::Regular,
        2 => FileKind::Directory,
        3 => FileKind::CharDevice,
        4 => FileKind::BlockDevice,
        5 => FileKind::Fifo,
        6 => FileKind::Socket,
        7 => FileKind::Symlink,
        _ => return None,
    })
}

/// The code for a kind.
pub(crate) fn code_of(kind: FileKind) -> u8 {
    match kind {
        FileKind::Regular => 1,
        FileKind::Directory => 2,
        FileKind::CharDevice => 3,
        FileKind::BlockDevice => 4,
        FileKind::Fifo => 5,
        FileKind::Socket => 6,
        FileKind::Symlink => 7,
    }
}
