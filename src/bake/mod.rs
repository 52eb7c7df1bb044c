//! The bake: from a project and its templates to finished images.
//!
//! ```text
//!   Request --plan--> Plan            pure data: every host's files, sizes and needs; nothing is written
//!                      |  \--diff-->  what changes in each guest file, and which project line caused it
//!                      v
//!                    bake             per host, in parallel: overlay, grow, apply, check, write, finish
//!                      |
//!                      v
//!                 manifest.json       what went in, what came out, with digests
//! ```

mod apply;
mod archive;
mod carry_over;
mod changes;
mod closing;
mod compare;
mod content;
mod diff;
mod edit_delta;
mod error;
mod esp;
mod fs_uuid;
mod ground;
mod group;
mod grown;
mod guest_digest;
mod guest_view;
mod host_files;
mod host_plan;
mod identity;
mod kept;
mod key;
mod labels;
mod lain_over;
mod listing;
mod losses;
mod manifest;
mod memory;
mod merge;
#[cfg(feature = "mount")]
mod mount;
mod need;
mod network_files;
mod offline;
mod others;
mod plan;
mod prove;
mod run;
mod selection;
mod size;
mod spool;
mod template;
mod told;
mod vacant;
mod verify;
mod wanted;
mod worker;
mod written;

pub use archive::{ArchiveError, Packed, Unpacked, pack, unpack};
pub use changes::{Action, HostChange, Obstacle, Upgrade, changes};
pub use diff::{FileDiff, diff};
pub use error::{BakeError, HostError, HostFailure};
pub use host_files::FilesDirectory;
pub use host_plan::{FilePlan, HostPlan};
pub use identity::{Identity, IdentitySource};
pub use labels::label_new;
pub use manifest::{
    BackingRecord, Baked, FORMAT, ImageDigest, ImageRecord, LaunchRecord, PluginRecord, ProjectRecord,
    SwapRecord, TemplateRecord,
};
pub use merge::{MergeError, merge};
#[cfg(feature = "mount")]
pub use mount::{MountError, mount_image};
pub use need::Need;
pub use offline::{
    Edited, OfflineError, OpenImage, change_image, check_image, open_image, open_image_being_edited,
};
pub use plan::{HELD_BYTES, Plan, Request, plan};
pub use prove::{Fault, Proof, ProveError, image_of, prove};
pub use run::{Execution, Verify, Written, bake, threads};
pub use selection::{Selection, Shard, ShardError};
pub use told::Told;
