//! Names of the project's machines: hosts(5), in a marked block, so that the template's own lines stay.

use std::fmt::Write as _;

use crate::base::Origin;
use crate::edit::{Attributes, Edit, EditList, GuestView};
use crate::project::{AddressBook, Host, Project};

use super::error::GuestError;
use super::target::Target;
use super::text::{lines, with_block, words};

/// What a template without the file gets, as Debian's installer writes it.
const DEFAULT: &[u8] = b"127.0.0.1\tlocalhost\n\
    ::1\tlocalhost ip6-localhost ip6-loopback\n\
    ff02::1\tip6-allnodes\n\
    ff02::2\tip6-allrouters\n";

/// The address by which Debian lets a host know its own name.
const OWN_NAME: &[u8] = b"127.0.1.1";

/// Writes `/etc/hosts`.
pub(super) fn configure(
    project: &Project,
    host: &Host,
    view: &dyn GuestView,
    addresses: &AddressBook,
) -> Result<EditList, GuestError> {
    let target = Target::open(view, "/etc/hosts")?;
    let mut content = target.content.unwrap_or_else(|| DEFAULT.to_vec());
    if !lines(&content).into_iter().any(names_localhost) {
        content.splice(..0, *b"127.0.0.1\tlocalhost\n");
    }
    let mut origins = vec![host.origin.clone()];
    let block = block(project, host, addresses, &mut origins);
    // Another name for the own address is the template's, from before it was copied.
    let content = with_block(&content, &block, |line| words(line).next() != Some(OWN_NAME));
    let mut edit = Edit::file(target.path, content, Attributes::default(), host.origin.clone());
    edit.origins = origins;
    let mut edits = EditList::new();
    edits.push(edit);
    Ok(edits)
}

/// Whether a line gives `localhost` an IPv4 address.
fn names_localhost(line: &[u8]) -> bool {
    let mut words = words(line);
    words.next().is_some_and(|address| address.starts_with(b"127.")) && words.any(|name| name == b"localhost")
}

/// The host's own name, then every static address of the project. A machine's first static interface has its bare
/// name, the others have `NAME-INTERFACE`.
fn block(project: &Project, host: &Host, addresses: &AddressBook, origins: &mut Vec<Origin>) -> String {
    let mut block = format!("127.0.1.1\t{}\n", host.name);
    for other in &project.hosts {
        let mut first = true;
        let mut is_known = false;
        for interface in &other.interfaces {
            let known = addresses.addresses(other, interface);
            let name = &other.name;
            for (ip, origin) in known {
                let written = if first {
                    writeln!(block, "{ip}\t{name} {name}.{}", project.name)
                } else {
                    writeln!(block, "{ip}\t{name}-{}", interface.name)
                };
                written.expect("writing to a string does not fail");
                is_known = true;
                origins.push(origin);
            }
            first &= !is_known;
        }
    }
    block
}
