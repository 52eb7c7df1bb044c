//! The list of attributes in an inode or a block, from and to its bytes.

use zerocopy::FromBytes as _;

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
