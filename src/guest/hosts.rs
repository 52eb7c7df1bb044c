//! Names of the project's machines: hosts(5), in a marked block, so that the template's own lines stay.

use std::sync::Arc;

use crate::base::Origin;
use crate::edit::{Attributes, Change, Content, Edit, EditList, GuestView};
use crate::project::{AddressBook, Host};

use super::error::GuestError;
use super::target::Target;
use super::text::{around_block, lines, words};

/// What a template without the file gets, as Debian's installer writes it.
const DEFAULT: &[u8] = b"127.0.0.1\tlocalhost\n\
    ::1\tlocalhost ip6-localhost ip6-loopback\n\
    ff02::1\tip6-allnodes\n\
    ff02::2\tip6-allrouters\n";

/// The address by which Debian lets a host know its own name.
const OWN_NAME: &[u8] = b"127.0.1.1";

/// Writes `/etc/hosts`. What all machines of the project have in common is one text that they share.
pub(super) fn configure(
    host: &Host,
    view: &dyn GuestView,
    addresses: &AddressBook,
) -> Result<EditList, GuestError> {
    let target = Target::open(view, "/etc/hosts")?;
    let mut content = target.content.unwrap_or_else(|| DEFAULT.to_vec());
    if !lines(&content).into_iter().any(names_localhost) {
        content.splice(..0, *b"127.0.0.1\tlocalhost\n");
    }
    // Another name for the own address is the template's, from before it was copied.
    let (mut before, after) = around_block(&content, |line| words(line).next() != Some(OWN_NAME));
    before.extend_from_slice(OWN_NAME);
    before.extend_from_slice(format!("\t{}\n", host.name).as_bytes());
    let pieces = [before.into(), addresses.lines(), after.into()];
    let mut edits = EditList::new();
    edits.push(Edit {
        path: target.path,
        change: Change::File {
            content: Content::Joined(Arc::new(pieces)),
            attributes: Attributes::default(),
        },
        origins: origins(host, addresses),
    });
    Ok(edits)
}

/// The host's own line, then those of the addresses: all of them, or of a large project the host's own.
fn origins(host: &Host, addresses: &AddressBook) -> Vec<Origin> {
    let mut origins = vec![host.origin.clone()];
    match addresses.origins() {
        Ok(all) => origins.extend(all.iter().cloned()),
        Err(count) => {
            let own = host.interfaces.iter();
            let own = own.flat_map(|interface| addresses.addresses(host, interface));
            origins.extend(own.map(|(_, origin)| origin));
            origins.push(Origin::implied(&format!("the {count} addresses of the project")));
        }
    }
    origins
}

/// Whether a line gives `localhost` an IPv4 address.
fn names_localhost(line: &[u8]) -> bool {
    let mut words = words(line);
    words.next().is_some_and(|address| address.starts_with(b"127.")) && words.any(|name| name == b"localhost")
}
