//! The guest's network: which program configures it, told by evidence and never guessed, and that program's files.
//!
//! ```text
//!   Host --link--> Links: what is meant, in no program's words --renderer--> that program's files
//! ```
//!
//! The project describes the whole network, so that the template's own descriptions in the renderer's words go.

mod ifcfg;
mod ifupdown;
mod link;
mod names;
mod netplan;
mod network_manager;
mod networkd;
mod renderer;
mod wicked;

use crate::base::{FileKind, GuestPath, Origin};
use crate::edit::{Attributes, Edit, EditList, GuestView};
use crate::project::Renderer;

use super::HEAD;
use super::error::GuestError;
use super::warning::GuestWarning;
use super::{Detected, Guest, target};

use link::Link;

/// The renderer that is used and the edits that it needs. A host without interfaces leaves the template's network as
/// it is, whatever that is.
pub(super) fn configure(
    guest: &Guest<'_>,
    view: &dyn GuestView,
    warnings: &mut Vec<GuestWarning>,
) -> Result<(Option<Detected<Renderer>>, EditList), GuestError> {
    if guest.host.interfaces.is_empty() {
        let renderer = match renderer::detect(guest, view) {
            Err(GuestError::NoRenderer { .. } | GuestError::SeveralRenderers { .. }) => None,
            other => Some(other?),
        };
        return Ok((renderer, EditList::new()));
    }
    let renderer = renderer::detect(guest, view)?;
    let links = link::all(guest, warnings)?;
    let mut edits = match renderer.value {
        Renderer::Ifupdown => ifupdown::configure(guest, &links, view, warnings)?,
        Renderer::Networkd => networkd::configure(guest, &links, view)?,
        Renderer::Netplan => netplan::configure(&links, view)?,
        Renderer::NetworkManager => network_manager::configure(guest, &links, view)?,
        Renderer::Ifcfg => ifcfg::configure(guest, &links, view)?,
        Renderer::Wicked => wicked::configure(guest, &links, view)?,
    };
    edits.extend(names::configure(guest, &links, view)?);
    Ok((Some(renderer), edits))
}

/// A file that is ours alone, for one interface.
fn file(
    view: &dyn GuestView,
    path: &str,
    content: String,
    mode: u16,
    link: &Link<'_>,
) -> Result<Edit, GuestError> {
    let place = target::place(view, &GuestPath::literal(path))?;
    let attributes = Attributes::owned(mode, 0, 0);
    let mut edit = Edit::file(place, content, attributes, link.interface.origin.clone());
    edit.origins.clone_from(&link.origins);
    Ok(edit)
}

/// A file of one interface: its name in the renderer's directory, its text, and its mode.
struct Part {
    name: String,
    text: String,
    mode: u16,
}

impl Part {
    /// A file that everybody may read.
    fn new(name: String, text: String) -> Self {
        Self {
            name,
            text,
            mode: 0o644,
        }
    }
}

/// Writes the `parts` of every interface into `directory`, and removes the template's own files there that `is_one`.
fn write_parts(
    view: &dyn GuestView,
    directory: &str,
    links: &[Link<'_>],
    parts: impl Fn(&Link<'_>) -> Result<Vec<Part>, GuestError>,
    is_one: impl Fn(&[u8]) -> bool,
) -> Result<EditList, GuestError> {
    let mut edits = EditList::new();
    for link in links {
        for Part { name, text, mode } in parts(link)? {
            edits.push(file(view, &format!("{directory}/{name}"), text, mode, link)?);
        }
    }
    let others = remove_others(view, directory, &edits, is_one)?;
    edits.extend(others);
    Ok(edits)
}

/// The edits that remove the template's own files in `directory`: those that `is_one` and that `edits` do not write.
/// Links stay, since by a link to nowhere a system switches a file of its own off.
fn remove_others(
    view: &dyn GuestView,
    directory: &str,
    edits: &EditList,
    is_one: impl Fn(&[u8]) -> bool,
) -> Result<Vec<Edit>, GuestError> {
    let directory = view.resolve(&GuestPath::literal(directory))?;
    let mut removed = Vec::new();
    for name in view.list(&directory)?.unwrap_or_default() {
        let path = directory
            .join(&name)
            .expect("a name of a directory is a component");
        let is_file = view
            .info(&path)?
            .is_some_and(|info| info.kind == FileKind::Regular);
        if is_file && is_one(&name) && edits.get(&path).is_none() {
            let origin = Origin::implied("the project describes the whole network");
            removed.push(Edit::absent(path, origin));
        }
    }
    Ok(removed)
}
