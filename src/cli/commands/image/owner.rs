//! Owners as `chown` takes them: numbers, or names that the image's own accounts have.

use std::str::FromStr;

use crate::base::GuestPath;
use crate::edit::Attributes;
use crate::ext::{ExtError, Follow, Fs};

/// The longest account file that is read, in bytes.
const LIMIT_BYTES: u64 = 16 << 20;

/// `OWNER`, `OWNER:GROUP`, `OWNER:` (its own group) or `:GROUP`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnerArg {
    owner: Option<String>,
    group: Group,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Group {
    Stays,
    OfOwner,
    Named(String),
}

/// Says why an owner is not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OwnerError {
    /// The image has no such name.
    #[error("the image has no {what} `{name}`")]
    Unknown { what: &'static str, name: String },
    /// The image's accounts cannot be read.
    #[error("cannot read the accounts")]
    File(#[from] ExtError),
}

impl FromStr for OwnerArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let some = |name: &str| Some(name.to_owned()).filter(|name| !name.is_empty());
        let (owner, group) = match text.split_once(':') {
            None => (some(text), Group::Stays),
            Some((owner, "")) if !owner.is_empty() => (some(owner), Group::OfOwner),
            Some((owner, group)) => (some(owner), some(group).map_or(Group::Stays, Group::Named)),
        };
        if owner.is_none() && group == Group::Stays {
            return Err("an owner has the form OWNER, OWNER:GROUP, OWNER: or :GROUP".to_owned());
        }
        Ok(Self { owner, group })
    }
}

impl OwnerArg {
    /// The ids that the names stand for in the guest.
    pub(crate) fn resolve(&self, fs: &Fs) -> Result<Attributes, OwnerError> {
        let unknown = |what, name: &str| OwnerError::Unknown {
            what,
            name: name.to_owned(),
        };
        let mut own_group = None;
        let uid = match &self.owner {
            None => None,
            Some(name) => {
                let account = find(fs, "/etc/passwd", name)?;
                own_group = account.as_ref().and_then(|fields| id(fields, 3));
                let found = account
                    .and_then(|fields| id(&fields, 2))
                    .or_else(|| name.parse().ok());
                Some(found.ok_or_else(|| unknown("user", name))?)
            }
        };
        let gid = match &self.group {
            Group::Stays => None,
            Group::OfOwner => {
                let name = self.owner.as_deref().unwrap_or_default();
                Some(own_group.ok_or_else(|| unknown("user", name))?)
            }
            Group::Named(name) => {
                let found = find(fs, "/etc/group", name)?.and_then(|fields| id(&fields, 2));
                let found = found.or_else(|| name.parse().ok());
                Some(found.ok_or_else(|| unknown("group", name))?)
            }
        };
        Ok(Attributes { mode: None, uid, gid })
    }
}

/// The fields of the line of `file` that begins with `name`.
fn find(fs: &Fs, file: &str, name: &str) -> Result<Option<Vec<String>>, ExtError> {
    let Some(inode) = fs.lookup(&GuestPath::literal(file), Follow::All)? else {
        return Ok(None);
    };
    let text = fs.read_file(inode, LIMIT_BYTES)?;
    let text = String::from_utf8_lossy(&text);
    let mut lines = text
        .lines()
        .map(|line| line.split(':').map(ToOwned::to_owned).collect());
    Ok(lines.find(|fields: &Vec<String>| fields.first().is_some_and(|first| first == name)))
}

fn id(fields: &[String], place: usize) -> Option<u32> {
    fields.get(place)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_have_four_forms() {
        let owner = |owner: Option<&str>, group| OwnerArg {
            owner: owner.map(ToOwned::to_owned),
            group,
        };
        for (text, expected) in [
            ("ada", owner(Some("ada"), Group::Stays)),
            ("ada:", owner(Some("ada"), Group::OfOwner)),
            ("7:adm", owner(Some("7"), Group::Named("adm".to_owned()))),
            (":adm", owner(None, Group::Named("adm".to_owned()))),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        OwnerArg::from_str("").unwrap_err();
        OwnerArg::from_str(":").unwrap_err();
    }
}
