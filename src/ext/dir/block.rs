//! Changing one directory block in place, and closing it with its checksum.

use zerocopy::{FromBytes as _, IntoBytes as _};

use super::entry::{EntryView, HEAD_LEN, encode_len, entries, needed_len};
use crate::ext::checksum::crc32c_raw;
use crate::ext::error::{ExtError, Place};
use crate::ext::raw::{RawDirEntry, RawDirTail, RawDxCountLimit, RawDxTail};
use crate::ext::types::{InodeNo, index};

/// The length of a leaf's checksum tail.
pub(crate) const TAIL_LEN: usize = 12;
/// The code that marks the tail.
const TAIL_CODE: u8 = 0xDE;

/// An entry's fixed part.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EntryHead {
    pub(crate) inode: Option<InodeNo>,
    /// The whole length of the entry.
    pub(crate) len: usize,
    /// The kind's code; 0 where the file system does not store kinds.
    pub(crate) code: u8,
}

/// Writes an entry at `start`.
pub(crate) fn put_entry(bytes: &mut [u8], start: usize, head: EntryHead, name: &[u8]) {
    let raw = RawDirEntry {
        inode: head.inode.map_or(0, InodeNo::get).into(),
        rec_len: encode_len(head.len).into(),
        name_len: u8::try_from(name.len()).unwrap_or(u8::MAX),
        file_type: head.code,
    };
    let place = bytes.get_mut(start..).unwrap_or_default();
    for (to, from) in place.iter_mut().zip(raw.as_bytes().iter().chain(name)) {
        *to = *from;
    }
}

/// The room for a new name behind an entry, or in an unused one.
pub(crate) fn room(entry: &EntryView<'_>) -> usize {
    let used = if entry.inode.is_some() {
        needed_len(entry.name.len())
    } else {
        0
    };
    entry.len.saturating_sub(used)
}

/// Adds a name to the entries in `bytes`; answers whether there was room.
pub(crate) fn insert(
    bytes: &mut [u8],
    has_filetype: bool,
    place: Place,
    name: &[u8],
    (inode, code): (InodeNo, u8),
) -> Result<bool, ExtError> {
    let needed = needed_len(name.len());
    let mut found = None;
    for entry in entries(bytes, has_filetype, place) {
        let entry = entry?;
        if room(&entry) >= needed {
            let used = entry.len.saturating_sub(room(&entry));
            found = Some((entry.start, used, entry.len));
            break;
        }
    }
    let Some((start, used, len)) = found else {
        return Ok(false);
    };
    if used > 0 {
        set_len(bytes, start, used);
    }
    let head = EntryHead {
        inode: Some(inode),
        len: len.saturating_sub(used),
        // Without the feature the byte is the upper half of the name's length.
        code: if has_filetype { code } else { 0 },
    };
    put_entry(bytes, start.saturating_add(used), head, name);
    Ok(true)
}

/// Takes a name out of the entries in `bytes`: the entry before it grows over it, or it becomes unused.
pub(crate) fn remove(
    bytes: &mut [u8],
    has_filetype: bool,
    place: Place,
    name: &[u8],
) -> Result<(), ExtError> {
    let mut before: Option<(usize, usize)> = None;
    let mut found = None;
    for entry in entries(bytes, has_filetype, place) {
        let entry = entry?;
        if entry.inode.is_some() && entry.name == name {
            found = Some((entry.start, entry.len));
            break;
        }
        before = Some((entry.start, entry.len));
    }
    match (found, before) {
        (Some((_, len)), Some((start, before_len))) => set_len(bytes, start, before_len.saturating_add(len)),
        (Some((start, _)), None) => set_inode(bytes, start, None),
        (None, _) => {}
    }
    Ok(())
}

/// Makes the second entry, `..`, name another inode.
pub(crate) fn set_parent(bytes: &mut [u8], parent: InodeNo) {
    set_inode(bytes, needed_len(1), Some(parent));
}

fn head_mut(bytes: &mut [u8], start: usize) -> Option<&mut RawDirEntry> {
    RawDirEntry::mut_from_prefix(bytes.get_mut(start..)?)
        .ok()
        .map(|(head, _)| head)
}

fn set_len(bytes: &mut [u8], start: usize, len: usize) {
    if let Some(head) = head_mut(bytes, start) {
        head.rec_len.set(encode_len(len));
    }
}

pub(super) fn set_inode(bytes: &mut [u8], start: usize, inode: Option<InodeNo>) {
    if let Some(head) = head_mut(bytes, start) {
        head.inode.set(inode.map_or(0, InodeNo::get));
    }
}

/// The checksum of a leaf block.
pub(crate) fn leaf_checksum(bytes: &[u8], seed: u32) -> u32 {
    let covered = bytes.len().saturating_sub(TAIL_LEN);
    crc32c_raw(seed, bytes.get(..covered).unwrap_or_default())
}

/// Closes a leaf block with its tail.
pub(crate) fn seal_leaf(bytes: &mut [u8], seed: Option<u32>) {
    let Some(seed) = seed else { return };
    let tail = RawDirTail {
        det_reserved_zero1: 0.into(),
        det_rec_len: 12.into(),
        det_reserved_zero2: 0,
        det_reserved_ft: TAIL_CODE,
        det_checksum: leaf_checksum(bytes, seed).into(),
    };
    if let Some(place) = bytes.last_chunk_mut::<TAIL_LEN>() {
        *place = zerocopy::transmute!(tail);
    }
}

/// The checksum that a leaf block carries; `None` without a tail.
pub(crate) fn stored_leaf_checksum(bytes: &[u8]) -> Option<u32> {
    let tail = RawDirTail::ref_from_bytes(bytes.last_chunk::<TAIL_LEN>()?).ok()?;
    (tail.det_reserved_ft == TAIL_CODE && tail.det_rec_len.get() == 12).then(|| tail.det_checksum.get())
}

/// Closes a block of a hash tree whose entries begin at `start` with its tail.
pub(crate) fn seal_index(bytes: &mut [u8], start: usize, seed: Option<u32>) {
    let Some(seed) = seed else { return };
    let Some((count_limit, _)) = bytes
        .get(start..)
        .and_then(|rest| RawDxCountLimit::ref_from_prefix(rest).ok())
    else {
        return;
    };
    let entries_end = |count: u16| start.saturating_add(index(count).saturating_mul(HEAD_LEN));
    let (covered_end, tail_start) = (
        entries_end(count_limit.count.get()),
        entries_end(count_limit.limit.get()),
    );
    let register = crc32c_raw(seed, bytes.get(..covered_end).unwrap_or_default());
    if let Some(rest) = bytes.get_mut(tail_start..)
        && let Ok((tail, _)) = RawDxTail::mut_from_prefix(rest)
    {
        let register = crc32c_raw(register, tail.dt_reserved.as_bytes());
        tail.dt_checksum.set(crc32c_raw(register, &[0; 4]));
    }
}
