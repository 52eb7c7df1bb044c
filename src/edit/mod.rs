//! What can be done to a guest's files: the common vocabulary of `guest`, the plugins and `bake`.
//!
//! A stage looks at the guest through a [`GuestView`] and answers with an [`EditList`]. An edit names the state that a
//! path shall have, never a step, so that applying a list twice changes nothing. Nothing here reads or writes an image.
//!
//! ```text
//!   GuestView (template) --stage 1--> EditList --+
//!        ^                                       | EditedView: the guest as it will be
//!        +--------------- stage 2 sees ----------+
//! ```

mod change;
mod effect;
mod list;
mod view;

pub use change::{Attributes, Change, Content, Edit};
pub use effect::{Effect, effective};
pub use list::EditList;
pub(crate) use view::resolve_with;
pub use view::{EditedView, GuestView, NodeInfo, ViewError};
