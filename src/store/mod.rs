//! What exists on disk of a project over time: layout, lock, versions.
//!
//! ```text
//!   PROJECTS/
//!     <project>/
//!       manifest.json      written last: a project without it is unfinished
//! ```

mod layout;

pub use layout::Projects;
