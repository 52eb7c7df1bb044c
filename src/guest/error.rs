//! What can be wrong with a guest or with what a project asks of it.

use crate::base::{ByteSize, FileKind, GuestPath, Origin};
use crate::edit::ViewError;

/// Says why a guest cannot be configured as its project asks.
#[derive(Debug, thiserror::Error)]
pub enum GuestError {
    /// The image does not yield a file.
    #[error(transparent)]
    View(#[from] ViewError),
    /// The template holds another family of distributions.
    #[error("the template holds {found}, and only Debian and Ubuntu can be configured ({reason})")]
    NotDebian {
        /// The distribution's name for itself.
        found: String,
        /// The file that says so.
        reason: String,
    },
    /// The template holds nothing by which a distribution is known.
    #[error(
        "the template has none of `/etc/os-release`, `/usr/lib/os-release`, `/etc/debian_version`: no Debian or \
         Ubuntu system"
    )]
    UnknownFamily,
    /// A configuration file is something else than a regular file.
    #[error("`{path}` is {} in the guest, where a regular file is needed{}", kind_name(*kind), via(path, resolved))]
    NotRegular {
        /// The configuration file.
        path: GuestPath,
        /// Where its symbolic links lead.
        resolved: GuestPath,
        /// What is there.
        kind: FileKind,
    },
    /// A configuration file is a link to where no file of an image may lie.
    #[error("`{path}` is a symbolic link to `{resolved}` in the guest, where files do not outlive a start")]
    Volatile {
        /// The configuration file.
        path: GuestPath,
        /// Where its symbolic links lead.
        resolved: GuestPath,
    },
    /// The way to a file leads through something else than a directory.
    #[error("`{path}` cannot be made, since `{parent}` is {} in the guest", kind_name(*kind))]
    NotADirectory {
        /// The file to be made.
        path: GuestPath,
        /// What lies on the way.
        parent: GuestPath,
        /// What it is.
        kind: FileKind,
    },
    /// A configuration file is larger than any real one.
    #[error("`{path}` is {len_bytes} bytes long in the guest, and at most {} are read", ByteSize(*limit_bytes))]
    TooLarge {
        /// The file.
        path: GuestPath,
        /// Its length in bytes.
        len_bytes: u64,
        /// The longest that is read, in bytes.
        limit_bytes: u64,
    },
    /// A tree has more entries than any real one.
    #[error("`{path}` holds more than {limit} files in the guest")]
    TooManyFiles {
        /// The tree.
        path: GuestPath,
        /// How many are read at most.
        limit: usize,
    },
    /// A file that every system has is not there.
    #[error("the template has no `{path}`, which `{keyword}` needs")]
    MissingFile {
        /// The file.
        path: GuestPath,
        /// The keyword that needs it.
        keyword: &'static str,
    },
    /// A user or group cannot be called so.
    #[error("`{name}` cannot be the name of a {what} ({origin})")]
    BadName {
        /// `user`, `group` or `network interface`.
        what: &'static str,
        /// The name.
        name: String,
        /// The project's line.
        origin: Origin,
    },
    /// A value would break the line that it is written to.
    #[error("the {what} of `{name}` has a colon, a line break or another control character ({origin})")]
    BadField {
        /// `password hash` or `home directory`.
        what: &'static str,
        /// Whose it is.
        name: String,
        /// The project's line.
        origin: Origin,
    },
    /// The guest has the user by another number.
    #[error("user `{name}` has uid {found} in the template, and the project asks for {wanted} ({origin})")]
    UidDiffers {
        /// The user.
        name: String,
        /// The template's number.
        found: String,
        /// The project's number.
        wanted: u32,
        /// The project's line.
        origin: Origin,
    },
    /// No number is left for a new user or group.
    #[error("no free {what} from {minimum} to {maximum} for `{name}` ({origin})")]
    NoFreeId {
        /// `uid` or `gid`.
        what: &'static str,
        /// Who needs one.
        name: String,
        /// The lowest allowed.
        minimum: u32,
        /// The highest allowed.
        maximum: u32,
        /// The project's line.
        origin: Origin,
    },
    /// A group lists someone who is no user of the guest.
    #[error(
        "group `{group}` lists `{member}`, who is a user of neither the template nor the project ({origin})"
    )]
    UnknownMember {
        /// The group.
        group: String,
        /// The member.
        member: String,
        /// The project's line.
        origin: Origin,
    },
}

/// The kind of a file in words.
pub(super) fn kind_name(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Regular => "a regular file",
        FileKind::Directory => "a directory",
        FileKind::Symlink => "a symbolic link",
        FileKind::CharDevice => "a character device",
        FileKind::BlockDevice => "a block device",
        FileKind::Fifo => "a named pipe",
        FileKind::Socket => "a socket",
    }
}

/// Where a path's links lead, if they lead elsewhere.
fn via(path: &GuestPath, resolved: &GuestPath) -> String {
    if path == resolved {
        String::new()
    } else {
        format!(" (its links lead to `{resolved}`)")
    }
}
