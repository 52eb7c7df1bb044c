//! How long a host's root image becomes.
//!
//! ```text
//!   size N        N, shorter than the template too, as long as its files and the host's changes fit
//!   free_space N  the template and N more; for 0 the smallest that is sensible
//!   neither       the default size, but never less than the template
//! ```
//!
//! A whole disk never becomes shorter.

use super::error::HostError;
use super::need::Needed;
use super::template::Source;
use crate::base::{ByteSize, Sourced};
use crate::project::SizeRequest;

/// What a machine gets to write in, whatever else was asked for, where its image is to be as small as possible.
const LEAST_FREE_BYTES: u64 = 8 << 20;

/// A host's image length, and what a person should know about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ImageLen {
    /// The length in bytes, a whole number of blocks.
    pub(super) len_bytes: u64,
    pub(super) warning: Option<String>,
}

/// The length that `request` gives over the template of `source`, for changes that need `needed`.
///
/// # Errors
/// [`HostError::TooShort`].
pub(super) fn image_len(
    request: &Sourced<SizeRequest>,
    source: &Source,
    needed: Needed,
) -> Result<ImageLen, HostError> {
    let template_bytes = source.len_bytes();
    let block_bytes = u64::from(source.fs().block_size().bytes());
    let can_shrink = source.root().partition().is_none();
    let wished = match request.value {
        SizeRequest::Total(size) => size.0,
        SizeRequest::FreeSpace(ByteSize(0)) if can_shrink => {
            let smallest = smallest(source, needed)?.saturating_mul(block_bytes);
            return Ok(ImageLen {
                len_bytes: smallest,
                warning: None,
            });
        }
        SizeRequest::FreeSpace(size) => template_bytes.saturating_add(size.0),
    };
    let whole_blocks = wished - wished % block_bytes.max(1);
    if wished >= template_bytes {
        return Ok(ImageLen {
            len_bytes: whole_blocks.max(template_bytes),
            warning: None,
        });
    }
    if !can_shrink || request.origin.line == 0 {
        let why = if can_shrink {
            ""
        } else {
            ", which as a whole disk cannot shrink"
        };
        return Ok(ImageLen {
            len_bytes: template_bytes,
            warning: Some(format!(
                "the size asked for is smaller than the template{why}, so the image is as long as that: {} ({})",
                ByteSize(template_bytes),
                request.origin
            )),
        });
    }
    let least = source.minimum_blocks()?.saturating_add(needed.blocks);
    if whole_blocks / block_bytes.max(1) < least {
        // What is named has room for indirect blocks and grown directories too, and is a round number.
        let named = least.saturating_add(needed.blocks / 32).saturating_add(64);
        return Err(HostError::TooShort {
            wanted: request.clone().map(|_| ByteSize(wished)),
            least: ByteSize(named.saturating_mul(block_bytes).next_multiple_of(1 << 20)),
        });
    }
    Ok(ImageLen {
        len_bytes: whole_blocks,
        warning: None,
    })
}

/// The least number of blocks that holds the template and the changes, and leaves a machine room to work in: a
/// sixteenth, or 8 MiB where that is more.
fn smallest(source: &Source, needed: Needed) -> Result<u64, HostError> {
    let geometry = source.fs().superblock().geometry();
    let usage = source.fs().usage();
    // Files take indirect blocks too, and directories grow.
    let changes = needed.blocks.saturating_add(needed.blocks / 32);
    let held = source.minimum_blocks()?.saturating_add(changes);
    let room = (held / 16).max(LEAST_FREE_BYTES / u64::from(geometry.block_size.bytes()));
    let inodes = usage
        .inodes
        .saturating_sub(usage.free_inodes)
        .saturating_add(needed.inodes);
    let whole_groups = inodes
        .div_ceil(u64::from(geometry.inodes_per_group))
        .saturating_sub(1);
    // Inodes may need a further group, which has to be long enough for its own tables.
    let group = u64::from(geometry.blocks_per_group);
    let by_inodes = match whole_groups {
        0 => 0,
        groups => groups.saturating_mul(group).saturating_add(group / 4),
    };
    Ok(held.saturating_add(room).max(by_inodes))
}
