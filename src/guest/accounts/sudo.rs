//! What accounts may do as root: one file of sudoers(5) in `/etc/sudoers.d`.

use std::fmt::Write as _;

use crate::base::{GuestPath, Origin, Sourced};
use crate::edit::{Attributes, Edit, EditList, GuestView};
use crate::guest::HEAD;
use crate::guest::error::GuestError;
use crate::guest::target;
use crate::guest::text::lines;
use crate::guest::warning::GuestWarning;
use crate::project::{Account, Sudo};

/// The file; sudo passes over names with a dot.
const PATH: &str = "/etc/sudoers.d/mln-image";

/// Writes the rules of every account that has one.
pub(super) fn configure(
    accounts: &[Sourced<Account>],
    view: &dyn GuestView,
    warnings: &mut Vec<GuestWarning>,
) -> Result<EditList, GuestError> {
    let mut edits = EditList::new();
    let mut content = String::from(HEAD);
    let mut origins: Vec<Origin> = Vec::new();
    for Sourced { value, origin } in accounts {
        let rule = match &value.sudo {
            None => continue,
            Some(Sudo::Password) => "ALL=(ALL:ALL) ALL",
            Some(Sudo::NoPassword) => "ALL=(ALL:ALL) NOPASSWD: ALL",
            Some(Sudo::Rule(rule)) => rule,
        };
        if rule.contains(char::is_control) || !rule.contains('=') || rule.ends_with('\\') {
            return Err(GuestError::BadSudoRule {
                user: value.name.clone(),
                rule: rule.to_owned(),
                origin: origin.clone(),
            });
        }
        let _infallible = writeln!(content, "{} {rule}", value.name);
        origins.push(origin.clone());
    }
    let Some(first) = origins.first() else {
        return Ok(edits);
    };
    let Some(sudoers) = target::read(view, "/etc/sudoers")? else {
        return Err(GuestError::NoSudo {
            origin: first.clone(),
        });
    };
    if !lines(&sudoers).into_iter().any(includes_directory) {
        warnings.push(GuestWarning::SudoersNotIncluded);
    }
    let place = target::place(view, &GuestPath::literal(PATH))?;
    let mut edit = Edit::file(place, content, Attributes::owned(0o440, 0, 0), first.clone());
    edit.origins = origins;
    edits.push(edit);
    Ok(edits)
}

/// Whether a line reads the directory; in this file `#` begins an order too.
fn includes_directory(line: &[u8]) -> bool {
    let text = String::from_utf8_lossy(line);
    let mut words = text.split_ascii_whitespace();
    matches!(words.next(), Some("@includedir" | "#includedir")) && words.next() == Some("/etc/sudoers.d")
}
