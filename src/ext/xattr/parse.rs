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
    /// The value, unless an inode of its own holds it.
    pub(crate) value: Vec<u8>,
    /// The inode that holds the value.
    pub(crate) value_inode: Option<InodeNo>,
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

    /// The hash of name and value that the entry carries.
    fn hash(&self) -> u32 {
        let named = self
            .name
            .iter()
            .fold(0_u32, |hash, byte| hash.rotate_left(5) ^ u32::from(*byte));
        let words = self.value.chunks(4).map(|chunk| {
            let mut word = [0; 4];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            u32::from_le_bytes(word)
        });
        words.fold(named, |hash, word| hash.rotate_left(16) ^ word)
    }
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
        let value_inode = InodeNo::new(raw.e_value_inum.get());
        let value = if value_inode.is_some() || raw.e_value_size.get() == 0 {
            &[]
        } else {
            let start = index(raw.e_value_offs.get());
            let end = start.saturating_add(index(raw.e_value_size.get()));
            values
                .get(start..end)
                .ok_or_else(|| wrong("value of an extended attribute"))?
        };
        found.push(Attribute {
            index: raw.e_name_index,
            name: name.to_vec(),
            value: value.to_vec(),
            value_inode,
        });
        rest = after.get(name_len.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(found)
}

/// Writes entries from `start` on and values from the end of `bytes` down; places of values are counted from
/// `origin`. Answers the hash of all attributes; `None` if they do not fit.
pub(super) fn encode(attributes: &[Attribute], bytes: &mut [u8], start: usize, origin: usize) -> Option<u32> {
    let mut entry_start = start;
    let mut value_start = bytes.len() & !3;
    let mut total = Some(0_u32);
    for attribute in attributes {
        let entry_len = ENTRY_LEN.checked_add(attribute.name.len())?.next_multiple_of(4);
        let entry_end = entry_start.checked_add(entry_len)?;
        let new_start = value_start.checked_sub(attribute.value.len().next_multiple_of(4))?;
        // Four zero bytes must be left to end the list.
        if entry_end.checked_add(4)? > new_start {
            return None;
        }
        let value_end = new_start.checked_add(attribute.value.len())?;
        bytes
            .get_mut(new_start..value_end)?
            .copy_from_slice(&attribute.value);
        let hash = attribute.hash();
        let has_value = !attribute.value.is_empty();
        let entry = RawXattrEntry {
            e_name_len: u8::try_from(attribute.name.len()).ok()?,
            e_name_index: attribute.index,
            e_value_offs: u16::try_from(if has_value {
                new_start.checked_sub(origin)?
            } else {
                0
            })
            .ok()?
            .into(),
            e_value_inum: attribute.value_inode.map_or(0, InodeNo::get).into(),
            e_value_size: u32::try_from(attribute.value.len()).ok()?.into(),
            e_hash: hash.into(),
        };
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
        .filter(|(index, rest)| is_name(rest, *index))
        .ok_or_else(|| ExtError::InvalidName {
            name: String::from_utf8_lossy(name).into_owned(),
        })
}
