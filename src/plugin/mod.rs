//! Plugins: Lua programs that add blocks to the language, hosts to a project, and edits to guests.
//!
//! ```text
//!   NAME.lua --sandbox--> describe()                    the blocks that it knows
//!                         post_parse(project)           once, on the draft of the project
//!                         check(project)                once, on the whole project; tells faults
//!                         configure(host, guest)        for each host; edits, as every other stage makes them
//! ```
//!
//! A plugin is data in, data out. Its state is made anew for each hook and host, so that nothing depends on the order
//! of hosts or the number of threads; it has no files, processes, network, clock, randomness or environment, and its
//! memory and its steps are limited. `docs/plugins.md` is the guide; the bundled plugins in `bundled/` use the same
//! calls as anyone's.

mod describe;
mod error;
mod guest_api;
mod hooks;
mod lua_text;
mod pattern;
mod project_api;
mod registry;
mod sandbox;
mod swap;

pub use error::{Failure, PluginError};
pub use hooks::Guests;
pub use registry::{Plugin, Registry};

/// The longest text of a plugin, in bytes.
pub const TEXT_MAX: usize = 1 << 20;
