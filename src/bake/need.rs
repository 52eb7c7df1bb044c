//! Whether the changes of a host fit its file system, told before anything is written.
//!
//! The counts are bounds that never refuse what would fit: the need leaves out what only the engine knows (indirect
//! blocks, directories that grow), and the free count what new block groups take for themselves, and what those cut off give back. What slips through is
//! found when the changes are applied in memory, still before the host's image is written.

use super::error::HostError;
use super::guest_view::ExtView;
use super::host_plan::FilePlan;
use super::template::Source;
use crate::base::FileKind;
use crate::edit::{Effect, GuestView as _};

/// A symbolic link's text up to this many bytes lies in its inode.
const SHORT_LINK_BYTES: u64 = 60;

/// How many of something are needed, and how many are free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Need {
    /// How many the changes take at least.
    pub needed: u64,
    /// How many there are at most once the file system has its length.
    pub free: u64,
}

/// The needs of one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Needs {
    pub(super) blocks: Need,
    pub(super) inodes: Need,
}

/// What changes take, less what they give back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Needed {
    pub(super) blocks: u64,
    pub(super) inodes: u64,
}

/// Counts what `files` need in the file system that `view` shows.
pub(super) fn count<'f>(
    view: &ExtView<'_>,
    files: impl Iterator<Item = &'f FilePlan>,
) -> Result<Needed, HostError> {
    let block_bytes = u64::from(view.block_bytes());
    let (mut needed, mut given_back) = (Count::default(), Count::default());
    for file in files {
        let old = view.info(&file.path)?;
        if let Some(kind) = file.kind.filter(|_| file.effect != Effect::Attributes) {
            needed.add(kind, file.len_bytes, block_bytes, u64::from(old.is_none()));
        }
        if let Some(old) = old.filter(|_| matches!(file.effect, Effect::Modify | Effect::Remove)) {
            given_back.add(old.kind, old.len_bytes, block_bytes, 0);
        }
    }
    Ok(Needed {
        blocks: needed.blocks.saturating_sub(given_back.blocks),
        inodes: needed.inodes.saturating_sub(given_back.inodes),
    })
}

/// Holds what `files` need against what is free in the template of `source` once its file system is `len_bytes` long;
/// more than there is is an error.
pub(super) fn of(
    source: &Source,
    needed: Needed,
    files: &[FilePlan],
    len_bytes: u64,
) -> Result<Needs, HostError> {
    let geometry = source.fs().superblock().geometry();
    let usage = source.fs().usage();
    let blocks = len_bytes / u64::from(geometry.block_size.bytes());
    let groups = blocks.div_ceil(geometry.blocks_per_group.into());
    let inodes = groups.saturating_mul(geometry.inodes_per_group.into());
    let free_blocks = if blocks < usage.blocks {
        blocks.saturating_sub(source.minimum_blocks()?)
    } else {
        usage
            .free_blocks
            .saturating_add(blocks.saturating_sub(usage.blocks))
    };
    let free_inodes = usage
        .free_inodes
        .saturating_add(inodes)
        .saturating_sub(usage.inodes);
    let needs = Needs {
        blocks: Need {
            needed: needed.blocks,
            free: free_blocks,
        },
        inodes: Need {
            needed: needed.inodes,
            free: free_inodes,
        },
    };
    // Nobody counts here what a whole tree gives back that goes, so that there is no bound then.
    if files.iter().any(|file| file.effect == Effect::Remove) {
        return Ok(needs);
    }
    for (what, need) in [("blocks", needs.blocks), ("inodes", needs.inodes)] {
        if need.needed > need.free {
            return Err(HostError::Full {
                what,
                needed: need.needed,
                free: need.free,
            });
        }
    }
    Ok(needs)
}

/// Blocks and inodes.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    blocks: u64,
    inodes: u64,
}

impl Count {
    /// Counts a file of `kind` with `len_bytes`, which takes `inodes`.
    fn add(&mut self, kind: FileKind, len_bytes: u64, block_bytes: u64, inodes: u64) {
        let blocks = match kind {
            FileKind::Regular => len_bytes.div_ceil(block_bytes),
            FileKind::Directory => inodes,
            FileKind::Symlink => u64::from(len_bytes >= SHORT_LINK_BYTES),
            _ => 0,
        };
        self.blocks = self.blocks.saturating_add(blocks);
        self.inodes = self.inodes.saturating_add(inodes);
    }
}
