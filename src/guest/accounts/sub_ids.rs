//! Numbers that an account may use inside its user namespaces: subuid(5), subgid(5).

use crate::base::{Origin, Sourced};
use crate::edit::{Attributes, Edit, EditList, GuestView};
use crate::guest::error::GuestError;
use crate::guest::target::Target;
use crate::guest::text::lines;
use crate::project::Account;

/// Gives each account the ranges that the project names.
pub(super) fn configure(accounts: &[Sourced<Account>], view: &dyn GuestView) -> Result<EditList, GuestError> {
    let mut edits = EditList::new();
    for (path, range) in [
        (
            "/etc/subuid",
            (|account| account.subuid) as fn(&Account) -> Option<(u32, u32)>,
        ),
        ("/etc/subgid", |account| account.subgid),
    ] {
        let wanted: Vec<(&str, (u32, u32), &Origin)> = accounts
            .iter()
            .filter_map(|Sourced { value, origin }| Some((value.name.as_str(), range(value)?, origin)))
            .collect();
        if !wanted.is_empty() {
            edits.push(file(path, &wanted, view)?);
        }
    }
    Ok(edits)
}

/// The file with one row for each wanted range; rows of others stay.
fn file(
    path: &'static str,
    wanted: &[(&str, (u32, u32), &Origin)],
    view: &dyn GuestView,
) -> Result<Edit, GuestError> {
    let target = Target::open(view, path)?;
    let old = target.content.unwrap_or_default();
    let mut rows: Vec<Vec<u8>> = lines(&old).into_iter().map(<[u8]>::to_vec).collect();
    rows.retain(|row| {
        let owner = row.split(|byte| *byte == b':').next();
        !wanted.iter().any(|(name, _, _)| owner == Some(name.as_bytes()))
    });
    let mut taken: Vec<(String, (u32, u32))> = rows.iter().filter_map(|row| parse(row)).collect();
    for (name, (first, count), origin) in wanted {
        let overlaps = |(_, (other, many)): &&(String, (u32, u32))| {
            u64::from(*first) < u64::from(*other) + u64::from(*many)
                && u64::from(*other) < u64::from(*first) + u64::from(*count)
        };
        if let Some((other, _)) = taken.iter().find(overlaps) {
            return Err(GuestError::SharedNumbers {
                file: path,
                user: (*name).to_owned(),
                other: other.clone(),
                origin: (*origin).clone(),
            });
        }
        taken.push(((*name).to_owned(), (*first, *count)));
        rows.push(format!("{name}:{first}:{count}").into_bytes());
    }
    let mut content = rows.join(&b'\n');
    content.push(b'\n');
    let mut edit = Edit::file(target.path, content, Attributes::default(), wanted[0].2.clone());
    edit.origins = wanted.iter().map(|(_, _, origin)| (*origin).clone()).collect();
    Ok(edit)
}

/// The owner and the range of a row.
fn parse(row: &[u8]) -> Option<(String, (u32, u32))> {
    let mut fields = std::str::from_utf8(row).ok()?.split(':');
    let owner = fields.next()?.to_owned();
    Some((
        owner,
        (
            fields.next()?.parse().ok()?,
            fields.next()?.trim_end().parse().ok()?,
        ),
    ))
}
