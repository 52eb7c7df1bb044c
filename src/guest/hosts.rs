//! Names of the project's machines: hosts(5), in a marked block, so that the template's own lines stay.

use std::sync::Arc;

use crate::base::{GuestPath, Origin};
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

/// Lists shorter than this are not worth being written once for all machines.
const LONG_LIST_BYTES: usize = 64 << 10;

/// The file as far as the template has it.
struct HostsFile {
    path: GuestPath,
    /// What stands before the project's lines, and what behind them.
    before: Arc<[u8]>,
    after: Vec<u8>,
}

/// Writes `/etc/hosts`. What all machines of the project have in common is one text that they share.
///
/// The host's line comes last: a host that has a fixed address knows itself by that rather than by its loop.
pub(super) fn configure(
    host: &Host,
    view: &dyn GuestView,
    addresses: &AddressBook,
) -> Result<EditList, GuestError> {
    let mut file = HostsFile::read(view)?;
    let own = [OWN_NAME, format!("\t{}\n", host.name).as_bytes()].concat();
    file.after.splice(..0, own);
    let mut edits = EditList::new();
    edits.push(file.with(addresses, origins(host, addresses)));
    Ok(edits)
}

/// `/etc/hosts` as it is in all machines but for their own lines, where it is long.
pub(super) fn in_common(view: &dyn GuestView, addresses: &AddressBook) -> Result<EditList, GuestError> {
    let mut edits = EditList::new();
    if addresses.lines().len() >= LONG_LIST_BYTES {
        edits.push(HostsFile::read(view)?.with(addresses, Vec::new()));
    }
    Ok(edits)
}

impl HostsFile {
    fn read(view: &dyn GuestView) -> Result<Self, GuestError> {
        let target = Target::open(view, "/etc/hosts")?;
        let content = target.content.unwrap_or_else(|| DEFAULT.to_vec());
        // Another name for the own address is the template's, from before it was copied.
        let (mut before, after) = around_block(&content, |line| words(line).next() != Some(OWN_NAME));
        // A line that goes, or that is in the block, names nothing.
        let mut kept = lines(&before).into_iter().chain(lines(&after));
        if !kept.any(names_localhost) {
            before.splice(..0, *b"127.0.0.1\tlocalhost\n");
        }
        Ok(Self {
            path: target.path,
            before: before.into(),
            after,
        })
    }

    /// The edit that writes it with the project's lines.
    fn with(self, addresses: &AddressBook, origins: Vec<Origin>) -> Edit {
        let pieces = [self.before, addresses.lines(), self.after.into()];
        Edit {
            path: self.path,
            change: Change::File {
                content: Content::Joined(Arc::new(pieces)),
                attributes: Attributes::default(),
            },
            origins,
        }
    }
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
