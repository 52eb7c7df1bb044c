//! Access control lists in the two forms that Linux has: that of the system calls
//! (`include/uapi/linux/posix_acl_xattr.h`: version 2, every entry with an id), and that of ext on disk
//! (<https://docs.kernel.org/filesystems/ext4/attributes.html>: version 1, an id only where it means something).

/// The attributes that hold such lists.
const NAMES: [&[u8]; 2] = [b"system.posix_acl_access", b"system.posix_acl_default"];

const CALL_VERSION: u32 = 2;
const DISK_VERSION: u32 = 1;
const USER: u16 = 0x02;
const GROUP: u16 = 0x08;
/// The id of entries that have none.
const NOBODY: u32 = u32::MAX;

/// Whether `name` is that of an access control list.
pub(super) fn is_acl(name: &[u8]) -> bool {
    NAMES.contains(&name)
}

/// The list in ext's form; nothing for what is no such list.
pub(super) fn to_disk(value: &[u8]) -> Option<Vec<u8>> {
    let (version, rest) = value.split_first_chunk::<4>()?;
    if u32::from_le_bytes(*version) != CALL_VERSION {
        return None;
    }
    let mut disk = DISK_VERSION.to_le_bytes().to_vec();
    for entry in rest.chunks(8) {
        let (tag, after) = entry.split_first_chunk::<2>()?;
        let (permissions, id) = after.split_first_chunk::<2>()?;
        disk.extend(tag);
        disk.extend(permissions);
        if has_id(*tag) {
            disk.extend(<[u8; 4]>::try_from(id).ok()?);
        }
    }
    Some(disk)
}

/// The list in the form of the system calls; nothing for what is no such list.
pub(super) fn to_call(value: &[u8]) -> Option<Vec<u8>> {
    let (version, mut rest) = value.split_first_chunk::<4>()?;
    if u32::from_le_bytes(*version) != DISK_VERSION {
        return None;
    }
    let mut call = CALL_VERSION.to_le_bytes().to_vec();
    while !rest.is_empty() {
        let (tag, after) = rest.split_first_chunk::<2>()?;
        let (permissions, after) = after.split_first_chunk::<2>()?;
        call.extend(tag);
        call.extend(permissions);
        rest = after;
        if has_id(*tag) {
            let (id, after) = rest.split_first_chunk::<4>()?;
            call.extend(id);
            rest = after;
        } else {
            call.extend(NOBODY.to_le_bytes());
        }
    }
    Some(call)
}

fn has_id(tag: [u8; 2]) -> bool {
    matches!(u16::from_le_bytes(tag), USER | GROUP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_goes_to_disk_and_back() {
        let call = [
            &[2, 0, 0, 0][..],
            &[1, 0, 6, 0, 0xFF, 0xFF, 0xFF, 0xFF],
            &[2, 0, 4, 0, 0xE8, 3, 0, 0],
            &[4, 0, 4, 0, 0xFF, 0xFF, 0xFF, 0xFF],
            &[0x10, 0, 4, 0, 0xFF, 0xFF, 0xFF, 0xFF],
            &[0x20, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF],
        ]
        .concat();
        let disk = to_disk(&call).unwrap();
        assert_eq!(disk.len(), 4 + 4 + 8 + 4 + 4 + 4);
        assert_eq!(to_call(&disk).unwrap(), call);
        assert_eq!(to_disk(&disk), None);
        assert_eq!(to_call(&call[..9]), None);
        assert_eq!(to_call(&[1, 0, 0, 0, 2, 0, 1]), None);
    }
}
