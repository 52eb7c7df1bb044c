//! The list of attributes in an inode or a block, from and to its bytes.

use zerocopy::{FromBytes as _, IntoBytes as _};

use crate::ext::error::{ExtError, Place};
use crate::ext::raw::RawXattrEntry;
use crate::ext::types::{InodeNo, index};

/// The numbers that stand for the beginnings of names; longer ones first, where one begins like another.
const PREFIXES: [(u8, &[u8]); 7] = [
    (2, b"system.posix_acl_access"),
    (3, b"system.posix_acl_default"),
    (8, b"system.richacl"),
    (1, b"user."),
    (4, b"trusted."),
    (6, b"security."),
    (7, b"system."),
];

/// The fixed part of an entry, in bytes.
const ENTRY_LEN: usize = 16;

/// An attribute as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attribute {
    /// The number of the name's beginning.
    pub(crate) index: u8,
    /// The rest of the name.
    pub(crate) name: Vec<u8>,
    /// The value.
    pub(crate) value: Value,
}

/// A value, or where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// Its bytes.
    Bytes(Vec<u8>),
    /// An inode of its own has it.
    Inode {
        inode: InodeNo,
        /// How long the value is.
        len: u32,
        /// The hash of name and value that the entry carries.
        entry_hash: u32,
    },
}

/// Whether entries carry hashes; those in an inode have none, since content there changes without them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hashes {
    With,
    Without,
}

impl Attribute {
    /// The name that users see; a beginning that nobody knows is shown as its number.
    pub(crate) fn full_name(&self) -> Vec<u8> {
        let known = PREFIXES.iter().find(|(index, _)| *index == self.index);
        let mut name = match known {
            Some((_, prefix)) => prefix.to_vec(),
            None if self.index == 0 => Vec::new(),
            None => format!("{}.", self.index).into_bytes(),
        };
        name.extend_from_slice(&self.name);
        name
    }

    /// The inode that holds the value.
    pub(crate) fn value_inode(&self) -> Option<InodeNo> {
        match self.value {
            Value::Bytes(_) => None,
            Value::Inode { inode, .. } => Some(inode),
        }
    }

    /// The value's bytes in the area of attributes.
    fn bytes(&self) -> &[u8] {
        match &self.value {
            Value::Bytes(bytes) => bytes,
            Value::Inode { .. } => &[],
        }
    }

    /// The hash of name and value that the entry carries.
    fn hash(&self, hashes: Hashes) -> u32 {
        let bytes = match &self.value {
            Value::Inode { entry_hash, .. } => return *entry_hash,
            Value::Bytes(_) if hashes == Hashes::Without => return 0,
            Value::Bytes(bytes) => bytes,
        };
        let words = bytes.chunks(4).map(|chunk| {
            let mut word = [0; 4];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            u32::from_le_bytes(word)
        });
        words.fold(name_hash(&self.name), |hash, word| hash.rotate_left(16) ^ word)
    }

    /// The fixed part of the entry of an attribute whose value, if it has one there, lies at `place`.
    fn entry(&self, place: usize, hash: u32) -> Option<RawXattrEntry> {
        let has_bytes = !self.bytes().is_empty();
        let (value_inode, len) = match &self.value {
            Value::Bytes(bytes) => (0, u32::try_from(bytes.len()).ok()?),
            Value::Inode { inode, len, .. } => (inode.get(), *len),
        };
        Some(RawXattrEntry {
            e_name_len: u8::try_from(self.name.len()).ok()?,
            e_name_index: self.index,
            e_value_offs: u16::try_from(if has_bytes { place } else { 0 }).ok()?.into(),
            e_value_inum: value_inode.into(),
            e_value_size: len.into(),
            e_hash: hash.into(),
        })
    }

    /// How many bytes entry and value take.
    fn encoded_len(&self) -> usize {
        let entry_len = ENTRY_LEN.saturating_add(self.name.len()).next_multiple_of(4);
        entry_len.saturating_add(self.bytes().len().next_multiple_of(4))
    }
}

/// The part of an entry's hash that comes from the name.
pub(super) fn name_hash(name: &[u8]) -> u32 {
    name.iter()
        .fold(0_u32, |hash, byte| hash.rotate_left(5) ^ u32::from(*byte))
}

/// How many bytes the attributes take, the four zero bytes that end the list included.
pub(super) fn encoded_len(attributes: &[Attribute]) -> usize {
    attributes
        .iter()
        .fold(4, |sum, attribute| sum.saturating_add(attribute.encoded_len()))
}

/// The attributes whose entries begin `entries`; the places of values are counted from the start of `values`.
pub(super) fn attributes(entries: &[u8], values: &[u8], place: Place) -> Result<Vec<Attribute>, ExtError> {
    let mut found = Vec::new();
    let mut rest = entries;
    // Four zero bytes end the list.
    while rest.first_chunk::<4>().is_some_and(|word| *word != [0; 4]) {
        let wrong = |what| ExtError::corrupt(place, what, "within its area", "beyond it");
        let (raw, after) = RawXattrEntry::ref_from_prefix(rest).map_err(|_| wrong("extended attribute"))?;
        let name_len = usize::from(raw.e_name_len);
        let name = after
            .get(..name_len)
            .ok_or_else(|| wrong("name of an extended attribute"))?;
        let len = raw.e_value_size.get();
        let start = index(raw.e_value_offs.get());
        let end = start.saturating_add(index(len));
        let value = match InodeNo::new(raw.e_value_inum.get()) {
            Some(inode) => Value::Inode {
                inode,
                len,
                entry_hash: raw.e_hash.get(),
            },
            None if len == 0 => Value::Bytes(Vec::new()),
            None => {
                let bytes = values.get(start..end);
                Value::Bytes(
                    bytes
                        .ok_or_else(|| wrong("value of an extended attribute"))?
                        .to_vec(),
                )
            }
        };
        found.push(Attribute {
            index: raw.e_name_index,
            name: name.to_vec(),
            value,
        });
        rest = after.get(name_len.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(found)
}

/// Writes entries from `start` on and values from the end of `bytes` down; places of values are counted from
/// `origin`. Answers the hash of all attributes; `None` if they do not fit.
pub(super) fn encode(
    attributes: &[Attribute],
    bytes: &mut [u8],
    start: usize,
    origin: usize,
    hashes: Hashes,
) -> Option<u32> {
    let mut entry_start = start;
    let mut value_start = bytes.len() & !3;
    let mut total = Some(0_u32);
    for attribute in attributes {
        let value = attribute.bytes();
        let entry_len = ENTRY_LEN.checked_add(attribute.name.len())?.next_multiple_of(4);
        let entry_end = entry_start.checked_add(entry_len)?;
        let new_start = value_start.checked_sub(value.len().next_multiple_of(4))?;
        // Four zero bytes must be left to end the list.
        if entry_end.checked_add(4)? > new_start {
            return None;
        }
        bytes
            .get_mut(new_start..new_start.checked_add(value.len())?)?
            .copy_from_slice(value);
        let hash = attribute.hash(hashes);
        let entry = attribute.entry(new_start.checked_sub(origin)?, hash)?;
        let name_start = entry_start.checked_add(ENTRY_LEN)?;
        bytes
            .get_mut(entry_start..name_start)?
            .copy_from_slice(entry.as_bytes());
        let name_end = name_start.checked_add(attribute.name.len())?;
        bytes
            .get_mut(name_start..name_end)?
            .copy_from_slice(&attribute.name);
        // An attribute without a hash keeps the whole block from being shared.
        total = total
            .filter(|_| hash != 0)
            .map(|total| total.rotate_left(16) ^ hash);
        entry_start = entry_end;
        value_start = new_start;
    }
    Some(total.unwrap_or(0))
}

/// The number and the rest of a whole name.
pub(crate) fn split_name(name: &[u8]) -> Result<(u8, &[u8]), ExtError> {
    let split = PREFIXES
        .iter()
        .find_map(|(index, prefix)| Some((*index, name.strip_prefix(*prefix)?)));
    let is_name = |rest: &[u8], index: u8| {
        // Three beginnings are whole names themselves.
        rest.len() <= 255 && !rest.contains(&0) && (rest.is_empty() == matches!(index, 2 | 3 | 8))
    };
    split
        .filter(|(index, rest)| is_name(rest, *index) && name != b"system.data")
        .ok_or_else(|| ExtError::InvalidName {
            name: String::from_utf8_lossy(name).into_owned(),
        })
}
