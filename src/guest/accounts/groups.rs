//! The groups of a project: new ones made, existing ones extended. Nobody is taken out of a group.

use crate::base::Sourced;
use crate::guest::error::GuestError;
use crate::project::{Account, Group};

use super::check_name;
use super::database::Database;

/// Makes and extends `groups` in `database`, which has the project's users already.
pub(super) fn apply(database: &mut Database, groups: &[Sourced<Group>]) -> Result<(), GuestError> {
    for Sourced { value: group, origin } in groups {
        check_name("group", &group.name, origin)?;
        if database.gid(&group.name).is_none() {
            database.add_group(&group.name, None, origin)?;
        }
        for member in &group.members {
            if database.passwd.find(&member.value).is_none() {
                return Err(GuestError::UnknownMember {
                    group: group.name.clone(),
                    member: member.value.clone(),
                    origin: member.origin.clone(),
                });
            }
            database.add_member(&group.name, &member.value, &member.origin);
        }
    }
    Ok(())
}

/// Makes each account a member of its further groups, which the guest or the project has.
pub(super) fn join(database: &mut Database, accounts: &[Sourced<Account>]) -> Result<(), GuestError> {
    for Sourced { value, origin } in accounts {
        for group in &value.groups {
            if database.gid(group).is_none() {
                return Err(GuestError::UnknownGroup {
                    user: value.name.clone(),
                    group: group.clone(),
                    origin: origin.clone(),
                });
            }
            database.add_member(group, &value.name, origin);
        }
    }
    Ok(())
}
