//! Access control lists between the form of the system calls and that of ext4
//! (`system.posix_acl_access` and `_default`; <https://docs.kernel.org/filesystems/ext4/attributes.html>).

/// The version of the system calls' form.
const CALL_VERSION: u32 = 2;
/// The version of ext4's form.
const DISK_VERSION: u32 = 1;
/// The tags whose entries name a user or a group.
const NAMED: [u16; 2] = [0x02, 0x08];

/// The value as ext4 stores it; values of other attributes, and lists that are none, stay as they are.
pub(super) fn on_disk(name: &[u8], value: Vec<u8>) -> Vec<u8> {
    if !matches!(name, b"system.posix_acl_access" | b"system.posix_acl_default") {
        return value;
    }
    shortened(&value).unwrap_or(value)
}

fn shortened(value: &[u8]) -> Option<Vec<u8>> {
    let (version, entries) = value.split_first_chunk::<4>()?;
    if u32::from_le_bytes(*version) != CALL_VERSION || entries.len() % 8 != 0 {
        return None;
    }
    let mut short = DISK_VERSION.to_le_bytes().to_vec();
    for entry in entries.chunks(8) {
        let (tag_and_permissions, id) = entry.split_at(4);
        short.extend(tag_and_permissions);
        let tag = u16::from_le_bytes(*tag_and_permissions.first_chunk()?);
        if NAMED.contains(&tag) {
            short.extend(id);
        }
    }
    Some(short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_named_entries_keep_their_number() {
        let call = [
            2, 0, 0, 0, 1, 0, 6, 0, 0xFF, 0xFF, 0xFF, 0xFF, 2, 0, 4, 0, 0xE8, 3, 0, 0, 0x20, 0, 4, 0, 0xFF,
            0xFF, 0xFF, 0xFF,
        ];
        let disk = [1, 0, 0, 0, 1, 0, 6, 0, 2, 0, 4, 0, 0xE8, 3, 0, 0, 0x20, 0, 4, 0];
        assert_eq!(on_disk(b"system.posix_acl_access", call.to_vec()), disk);
        assert_eq!(on_disk(b"user.x", call.to_vec()), call);
        assert_eq!(on_disk(b"system.posix_acl_access", vec![9]), [9]);
    }
}
