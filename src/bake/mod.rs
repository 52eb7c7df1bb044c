//! The bake: from a project and its templates to finished images.
//!
//! ```text
//!   Request --plan--> Plan            pure data: every host's files, sizes and needs; nothing is written
//!                      |  \--diff-->  what changes in each guest file, and which project line caused it
//!                      v
//!                    bake             per host, in parallel: overlay, grow, apply, check, write, finish
//!                      |
//!                      v
//!                   Manifest          what went in, what came out, with digests
//! ```

mod apply;
mod diff;
mod error;
mod guest_view;
mod host_files;
mod identity;
mod manifest;
mod need;
mod network_files;
mod offline;
mod plan;
mod run;
mod size;
mod template;
mod told;
mod verify;
mod worker;

pub use diff::{FileDiff, diff};
pub use error::{BakeError, HostError, HostFailure};
pub use host_files::FilesDirectory;
pub use identity::{Identity, IdentitySource};
pub use manifest::{
    FORMAT, FileRecord, HostRecord, ImageRecord, LaunchRecord, Manifest, ProjectRecord, SwapRecord,
    TemplateRecord, Tool,
};
pub use need::Need;
pub use network_files::NetworkFile;
pub use offline::{
    Edited, OfflineError, OpenImage, change_image, check_image, open_image, open_image_being_edited,
};
pub use plan::{FilePlan, HostPlan, Plan, Request, plan};
pub use run::{Execution, Verify, bake, threads};
pub use told::Told;
