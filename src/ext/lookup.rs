//! From a path to an inode. Links resolve inside the image only: nothing leads above its root.

use super::error::ExtError;
use super::fs::Fs;
use super::types::{Follow, InodeNo};
use crate::base::{FileKind, GuestPath};

/// How many links one path may lead through, as in the kernel.
const LINK_LIMIT: u32 = 40;

impl Fs {
    /// The inode that `path` names; `None` if there is none, a dangling link and a file on the way included.
    ///
    /// # Errors
    /// [`ExtError::LinkLoop`]; [`ExtError::Corrupt`].
    pub fn lookup(&self, path: &GuestPath, follow: Follow) -> Result<Option<InodeNo>, ExtError> {
        let mut rest: Vec<Vec<u8>> = path.components().rev().map(<[u8]>::to_vec).collect();
        // The directories from the root down; the last is where the search stands.
        let mut place = vec![InodeNo::ROOT];
        let mut links = 0_u32;
        while let Some(name) = rest.pop() {
            let current = place.last().copied().unwrap_or(InodeNo::ROOT);
            match name.as_slice() {
                b"" | b"." => continue,
                b".." => {
                    place.pop();
                    continue;
                }
                _ => {}
            }
            if self.inode(current)?.kind != FileKind::Directory {
                return Ok(None);
            }
            let Some(found) = self.find_entry(current, &name)? else {
                return Ok(None);
            };
            let is_followed = follow == Follow::All || !rest.is_empty();
            if !is_followed || self.inode(found)?.kind != FileKind::Symlink {
                place.push(found);
                continue;
            }
            links = links.saturating_add(1);
            if links > LINK_LIMIT {
                return Err(ExtError::LinkLoop {
                    path: path.to_string(),
                });
            }
            let target = self.read_link(found)?;
            if target.first() == Some(&b'/') {
                place.clear();
            }
            rest.extend(target.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec));
        }
        Ok(Some(place.last().copied().unwrap_or(InodeNo::ROOT)))
    }
}
