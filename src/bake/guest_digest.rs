//! The digests of the files that a bake has written into a guest, as the guest will read them.

use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use super::error::HostError;
use super::host_plan::{FilePlan, HostPlan};
use crate::base::digest::Sha256Digest;
use crate::base::{FileKind, PathError};
use crate::edit::{Change, Content};
use crate::ext::{Follow, Fs};

/// How much of a guest's file is held against what it should be at a time.
const COMPARED_BYTES: usize = 32 << 10;

/// Tells digests. What many guests' files begin with is hashed once.
#[derive(Debug, Default)]
pub(super) struct GuestDigests {
    last: Mutex<Option<Beginning>>,
}

/// The pieces that a file begins with, and the state of the hash behind them.
#[derive(Debug)]
struct Beginning {
    pieces: Vec<Arc<[u8]>>,
    hasher: Sha256,
}

impl GuestDigests {
    /// The digest of the regular file that `file` of `plan` made in `fs`; `None` if it made something else. It is read back
    /// whole.
    pub(super) fn of(
        &self,
        fs: &Fs,
        file: &FilePlan,
        plan: &HostPlan,
    ) -> Result<Option<Sha256Digest>, HostError> {
        let failed = |source| HostError::Edit {
            path: file.path.clone(),
            source,
        };
        if file.kind != Some(FileKind::Regular) {
            return Ok(None);
        }
        let Some(inode) = fs.lookup(&file.path, Follow::NotLast).map_err(failed)? else {
            return Ok(None);
        };
        let content = || fs.reader(inode, 0).map_err(failed);
        let wanted = plan.edits.get(&file.path).map(|edit| &edit.change);
        let digest = match wanted {
            Some(Change::File {
                content: Content::Joined(pieces),
                ..
            }) if is_joined(&mut content()?, pieces) => Ok(self.joined(pieces)),
            _ => Sha256Digest::of_reader(content()?),
        };
        let digest = digest.map_err(PathError::on("read back", file.path.to_string()))?;
        Ok(Some(digest))
    }

    /// The digest of `pieces` one behind the other.
    fn joined(&self, pieces: &[Arc<[u8]>]) -> Sha256Digest {
        let (last, beginning) = pieces
            .split_last()
            .map_or((&[][..], pieces), |(last, rest)| (&**last, rest));
        let mut known = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let mut hasher = match &*known {
            Some(known) if is_alike(&known.pieces, beginning) => known.hasher.clone(),
            _ => {
                let mut hasher = Sha256::new();
                for piece in beginning {
                    hasher.update(piece);
                }
                *known = Some(Beginning {
                    pieces: beginning.to_vec(),
                    hasher: hasher.clone(),
                });
                hasher
            }
        };
        drop(known);
        hasher.update(last);
        hasher.into()
    }
}

/// Whether the pieces are the same; those that are shared are not looked at.
fn is_alike(one: &[Arc<[u8]>], other: &[Arc<[u8]>]) -> bool {
    one.len() == other.len()
        && one
            .iter()
            .zip(other)
            .all(|(one, other)| Arc::ptr_eq(one, other) || one == other)
}

/// Whether `reader` yields `pieces` and nothing else; what cannot be read is not that.
fn is_joined(reader: &mut impl Read, pieces: &[Arc<[u8]>]) -> bool {
    let mut buffer = vec![0; COMPARED_BYTES];
    for expected in pieces.iter().flat_map(|piece| piece.chunks(COMPARED_BYTES)) {
        let read = buffer.get_mut(..expected.len()).unwrap_or_default();
        if reader.read_exact(read).is_err() || read != expected {
            return false;
        }
    }
    matches!(reader.read(&mut buffer), Ok(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_pieces_have_the_digest_of_the_whole() {
        let digests = GuestDigests::default();
        let long: Arc<[u8]> = vec![7; 100_000].into();
        let other: Arc<[u8]> = vec![8; 100_000].into();
        let short = |text: &str| Arc::from(text.as_bytes());
        for pieces in [
            vec![short("head"), long.clone(), short("a")],
            vec![short("head"), long.clone(), short("bcd")],
            vec![short("other"), long.clone(), short("a")],
            vec![short("head"), other, short("a")],
            vec![short("head"), long.clone(), short("a")],
            vec![short("head")],
            vec![],
        ] {
            let whole = pieces.concat();
            assert_eq!(digests.joined(&pieces), Sha256Digest::of(&whole));
            assert!(is_joined(&mut &*whole, &pieces));
            let longer = [&*whole, b"x"].concat();
            assert!(!is_joined(&mut &*longer, &pieces));
            if let Some((_, shorter)) = whole.split_last() {
                assert!(!is_joined(&mut &*shorter, &pieces));
            }
        }
        let mut damaged = long.to_vec();
        damaged[99_999] = 0;
        assert!(!is_joined(&mut &*damaged, &[long]));
    }
}
