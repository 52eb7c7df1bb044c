//! What tells a machine from all others: its machine-id and its ssh host keys. A template's never survive, unless the
//! project asks for them.

mod host_keys;
mod left_overs;
mod machine_id;

pub use host_keys::HostKeys;

use crate::base::{IdentityKey, Origin};
use crate::edit::{EditList, EditedView, GuestView};
use crate::project::{Host, IdentityChoice, Project};

use super::error::GuestError;

/// What a guest is known by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GuestIdentity {
    /// Its machine-id, 32 hexadecimal digits; `None` where it has none, or makes its own.
    pub machine_id: Option<String>,
    /// Its ssh host keys, the public halves as in a `.pub` file without the comment; none if they were only foreseen.
    pub host_keys: Vec<String>,
    /// The beginnings of what its keys follow from, which no other guest may have.
    pub key_seeds: Vec<[u8; 16]>,
}

/// Gives the guest its identity.
pub(super) fn configure(
    project: &Project,
    host: &Host,
    view: &dyn GuestView,
    key: &IdentityKey,
    keys: HostKeys,
) -> Result<(GuestIdentity, EditList), GuestError> {
    let mut edits = EditList::new();
    let mut identity = GuestIdentity::default();
    let origin = match host.identity.origin.line {
        0 => &host.origin,
        _ => &host.identity.origin,
    };
    let names = [project.name.as_str(), host.name.as_str()];
    match host.identity.value {
        IdentityChoice::Template => return Ok((identity, edits)),
        IdentityChoice::FirstStart => {
            edits.extend(machine_id::forget(view, origin)?);
            edits.extend(host_keys::remove_others(view, &[], origin)?);
        }
        IdentityChoice::Own => {
            let (id, made) = machine_id::configure(view, &names, key, origin)?;
            edits.extend(made);
            let keys = host_keys::configure(host, view, &names, (key, keys), origin)?;
            edits.extend(keys.edits);
            identity.machine_id = id;
            identity.host_keys = keys.public;
            identity.key_seeds = keys.seeds;
        }
    }
    let more = left_overs::remove(&EditedView::new(view, &edits), &implied(origin))?;
    edits.extend(more);
    Ok((identity, edits))
}

/// The origin of what goes because a copy must not have it.
fn implied(_: &Origin) -> Origin {
    Origin::implied("the template's own, which no copy may share (`identity template` keeps it)")
}
