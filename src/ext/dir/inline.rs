//! Directories that lie in their inode: their names in two areas (drawn in [`inline`](crate::ext::inline)).

use super::block::{EntryHead, put_entry};
use super::build::Target;
use super::entry::needed_len;
use super::state::Directory;
use crate::ext::error::ExtError;
use crate::ext::feature;
use crate::ext::fs::Fs;
use crate::ext::inline::Inline;
use crate::ext::inode::Node;
use crate::ext::types::InodeNo;
use crate::ext::xattr;

/// Makes the new inode `node`, which holds its content itself, an empty directory below `parent`.
pub(crate) fn put_empty_directory(node: &mut Node, parent: InodeNo) -> Result<(), ExtError> {
    let [first_len, _] = Inline::area_lens(0);
    let areas = [Area::new(first_len).close(), Vec::new()];
    let content = Inline::directory(parent, areas);
    node.put_inline(&content)?;
    node.set_size_in_bytes(content.len_bytes());
    Ok(())
}

impl Fs {
    /// Stores a changed directory in its inode; answers whether it fits there.
    pub(super) fn store_inline_directory(
        &mut self,
        inode: InodeNo,
        directory: &Directory,
    ) -> Result<bool, ExtError> {
        let mut node = self.node(inode)?;
        let lens = Inline::area_lens(xattr::data_room(&node)?);
        let has_filetype = self.superblock.features().has(feature::FILETYPE);
        let Some(areas) = lay_out(directory.names(), lens, has_filetype) else {
            return Ok(false);
        };
        let content = Inline::directory(directory.parent(), areas);
        if !node.put_inline(&content)? {
            return Ok(false);
        }
        node.set_size_in_bytes(content.len_bytes());
        self.store_node(node)?;
        Ok(true)
    }
}

/// Lays names out in two areas of at most `lens` bytes, the first of which is always whole; `None` if they do not fit.
fn lay_out<'a>(
    names: impl Iterator<Item = (&'a [u8], Target)>,
    [first_len, second_len]: [usize; 2],
    has_filetype: bool,
) -> Option<[Vec<u8>; 2]> {
    let (mut first, mut second) = (Area::new(first_len), Area::new(second_len));
    for (name, (inode, code)) in names {
        let code = if has_filetype { code } else { 0 };
        if !first.push(name, inode, code) && !second.push(name, inode, code) {
            return None;
        }
    }
    // The second area is no longer than what it holds.
    second.bytes.truncate(second.used);
    Some([first.close(), second.close()])
}

/// An area while it is filled.
#[derive(Debug)]
struct Area {
    bytes: Vec<u8>,
    used: usize,
    /// The last entry, which takes all the room that is left when the area is closed.
    last: Option<(usize, Vec<u8>, EntryHead)>,
}

impl Area {
    fn new(len: usize) -> Self {
        Self {
            bytes: vec![0; len],
            used: 0,
            last: None,
        }
    }

    /// Adds a name, if there is room.
    fn push(&mut self, name: &[u8], inode: InodeNo, code: u8) -> bool {
        let len = needed_len(name.len());
        let end = self.used.saturating_add(len);
        if end > self.bytes.len() {
            return false;
        }
        let head = EntryHead {
            inode: Some(inode),
            len,
            code,
        };
        put_entry(&mut self.bytes, self.used, head, name);
        self.last = Some((self.used, name.to_vec(), head));
        self.used = end;
        true
    }

    fn close(mut self) -> Vec<u8> {
        let unused = EntryHead {
            inode: None,
            len: 0,
            code: 0,
        };
        let (start, name, head) = self.last.unwrap_or((0, Vec::new(), unused));
        let len = self.bytes.len().saturating_sub(start);
        if len > 0 {
            put_entry(&mut self.bytes, start, EntryHead { len, ..head }, &name);
        }
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::FileKind;
    use crate::ext::dir::{code_of, entries};
    use crate::ext::error::Place;

    #[test]
    fn names_fill_the_first_area_and_then_the_second() {
        let target = (InodeNo::new(20).unwrap(), code_of(FileKind::Regular));
        let long = [b'x'; 60];
        let names = [&b"a"[..], &long, b"b"];
        let all = names.into_iter().map(|name| (name, target));
        let areas = lay_out(all.clone(), [56, 80], true).unwrap();
        let found = areas.each_ref().map(|area| {
            let found = entries(area, true, Place::Superblock).map(|entry| entry.unwrap().name.to_vec());
            found.collect::<Vec<_>>()
        });
        assert_eq!(found, [vec![b"a".to_vec(), b"b".to_vec()], vec![long.to_vec()]]);
        assert_eq!((areas[0].len(), areas[1].len()), (56, 68));
        assert_eq!(lay_out(all, [56, 64], true), None);
    }
}
