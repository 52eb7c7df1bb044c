//! What a host's description means inside its guest: a pure function from the project's host and a view of the
//! template to a list of edits.
//!
//! Every stage sees the guest as the stages before it left it, and names states rather than steps, so that the edits
//! of a guest that is configured already change nothing. Nothing of the guest is run. Templates are foreign data:
//! links lead inside the image only, files are read with a limit, and anything that is no regular file is refused.
//!
//! ```text
//!   family -> hostname -> users, groups -> hosts -> ...        one EditList in the end
//! ```

mod accounts;
mod error;
mod family;
mod hostname;
mod hosts;
mod target;
mod text;
mod warning;

pub use error::GuestError;
pub use warning::GuestWarning;

use crate::base::Timestamp;
use crate::edit::{EditList, EditedView, GuestView};
use crate::project::{Host, Project};

/// What the configuration of a guest depends on beside its project and its template.
#[derive(Debug, Clone, Copy)]
pub struct GuestContext {
    /// The day that a changed password gets.
    pub now: Timestamp,
}

/// How a host's guest is to be changed, and on what evidence.
#[derive(Debug)]
pub struct Configured {
    /// The edits, in order.
    pub edits: EditList,
    /// The family of distributions that the template belongs to.
    pub family: Detected<Family>,
    /// What a person should know.
    pub warnings: Vec<GuestWarning>,
}

/// Something told from the template's files, with the evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected<T> {
    /// What it is.
    pub value: T,
    /// By what it was told, for a person.
    pub reason: String,
}

/// The families of distributions that can be configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Debian and what is made from it.
    Debian,
    /// Ubuntu and what is made from it.
    Ubuntu,
}

impl<T> Detected<T> {
    /// Pairs `value` with the evidence for it.
    pub(crate) fn new(value: T, reason: &str) -> Self {
        Self {
            value,
            reason: reason.to_owned(),
        }
    }
}

/// Configures the guest of `host`, a machine of `project`, which `view` shows.
pub fn configure(
    project: &Project,
    host: &Host,
    view: &dyn GuestView,
    context: &GuestContext,
) -> Result<Configured, GuestError> {
    let family = family::detect(view)?;
    let now = context.now;
    let mut warnings = Vec::new();
    let mut edits = EditList::new();
    let mut stage = |run: &mut dyn FnMut(&dyn GuestView) -> Result<EditList, GuestError>| {
        let made = run(&EditedView::new(view, &edits))?;
        edits.extend(made);
        Ok::<(), GuestError>(())
    };
    stage(&mut |view| hostname::configure(host, view))?;
    stage(&mut |view| accounts::configure(host, view, now, &mut warnings))?;
    stage(&mut |view| hosts::configure(project, host, view))?;
    stage(&mut |view| accounts::root_password(host, view, now))?;
    Ok(Configured {
        edits,
        family,
        warnings,
    })
}
