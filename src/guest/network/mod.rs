//! The guest's network: which program configures it, told by evidence and never guessed, and that program's files.

mod ifupdown;
mod renderer;

use crate::edit::{EditList, GuestView};
use crate::project::{Host, Renderer};

use super::Detected;
use super::error::GuestError;
use super::warning::GuestWarning;

/// The renderer that is used and the edits that it needs. A host without interfaces leaves the template's network as
/// it is, whatever that is.
pub(super) fn configure(
    host: &Host,
    view: &dyn GuestView,
    warnings: &mut Vec<GuestWarning>,
) -> Result<(Option<Detected<Renderer>>, EditList), GuestError> {
    if host.interfaces.is_empty() {
        let renderer = match renderer::detect(host, view) {
            Err(GuestError::NoRenderer { .. } | GuestError::SeveralRenderers { .. }) => None,
            other => Some(other?),
        };
        return Ok((renderer, EditList::new()));
    }
    let renderer = renderer::detect(host, view)?;
    if renderer.value != Renderer::Ifupdown {
        return Err(GuestError::OtherRenderer {
            renderer: renderer.value,
            reason: renderer.reason,
            origin: host.origin.clone(),
        });
    }
    let edits = ifupdown::configure(host, view, warnings)?;
    Ok((Some(renderer), edits))
}
