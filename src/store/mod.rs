//! What exists on disk of a project over time: layout, lock, versions.
//!
//! ```text
//!   PROJECTS/
//!     .<project>.lock      held by whoever works on the project
//!     <project>/
//!       <project>.mln      the project as baked
//!       launch.json        how its machines are started
//!       manifest.json      written last: a project without it is unfinished
//!       <host>/
//!         root.img or root.qcow2 or root.cow  swap.img  xl.cfg  start  stop
//!         .baked           what these were made from, so that a later bake can keep them
//!       .removed/<host>/   what an upgrade was to keep of hosts that the project has no more
//!       .backing/          grown copies of templates that several hosts' images lie over
//! ```
//!
//! Every file appears under its name whole or not at all; what a killed run left behind has names of its own and goes
//! when the next run has the lock.

mod aside;
mod backings;
mod error;
mod incoming;
mod layout;
mod present;
mod workspace;

pub use error::StoreError;
pub use incoming::Incoming;
pub use layout::{HostPlaces, ProjectPlaces, Projects};
pub use workspace::{Existing, Finish, Workspace};
