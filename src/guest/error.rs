//! What can be wrong with a guest or with what a project asks of it.

use crate::base::{ByteSize, FileKind, GuestPath, GuestPathError, Origin};
use crate::edit::ViewError;
use crate::project::{Platform, Renderer};

use super::host_files::HostFilesError;

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
    #[error("`{path}` is {} in the guest, where a regular file is needed{}", kind.words(), via(path, resolved))]
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
    #[error("`{path}` cannot be made, since `{parent}` is {} in the guest", kind.words())]
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
    /// Nothing of the template configures a network.
    #[error(
        "the template has none of ifupdown, netplan, systemd-networkd and NetworkManager, and `{}` has interfaces; \
         install one in the template, or choose by the keyword `renderer`", origin.text
    )]
    NoRenderer {
        /// Where the host's block begins.
        origin: Origin,
    },
    /// More than one program could configure the network.
    #[error(
        "the template's network could be configured by {}; choose one by the keyword `renderer` ({origin})",
        evidence.join(", or by ")
    )]
    SeveralRenderers {
        /// Each renderer with its evidence.
        evidence: Vec<String>,
        /// Where the host's block begins.
        origin: Origin,
    },
    /// The network is configured by a program whose files are not written.
    #[error(
        "the template's network is configured by `{renderer}`, for {reason}, and only the files of `ifupdown` are \
         written ({origin})"
    )]
    OtherRenderer {
        /// The renderer.
        renderer: Renderer,
        /// By what it was told.
        reason: String,
        /// Where the host's block begins.
        origin: Origin,
    },
    /// There are lines to run, and nothing of the template is known to run them.
    #[error("the template has neither systemd nor sysvinit, which would run `{}` ({origin})", origin.text)]
    NoInit {
        /// The first of the lines.
        origin: Origin,
    },
    /// A host has more disks than letters to name them.
    #[error("{count} disks, and a host has {limit} at most ({origin})")]
    TooManyDisks {
        /// How many there would be.
        count: usize,
        /// How many there can be.
        limit: usize,
        /// Where the host's block begins.
        origin: Origin,
    },
    /// A directory of the server is mounted where that cannot be done.
    #[error("`hostfs` is for User-Mode Linux, and the host runs on {} ({origin})", platform.name())]
    HostfsElsewhere {
        /// The host's platform.
        platform: Platform,
        /// The project's line.
        origin: Origin,
    },
    /// A source of `files` cannot be read.
    #[error("cannot copy `{file}` ({origin})")]
    HostFiles {
        /// The source, as the project writes it.
        file: String,
        /// The project's line.
        origin: Origin,
        /// The reason.
        source: HostFilesError,
    },
    /// A name below a source of `files` cannot be a name in the guest.
    #[error("a file cannot be copied ({origin})")]
    BadDestination {
        /// The project's line.
        origin: Origin,
        /// The reason.
        source: GuestPathError,
    },
    /// The guest has something of another kind where `files` puts something.
    #[error("`{path}` is {} in the guest and cannot be replaced ({origin})", kind.words())]
    InTheWay {
        /// The destination.
        path: GuestPath,
        /// What is there.
        kind: FileKind,
        /// The project's line.
        origin: Origin,
    },
}

/// Where a path's links lead, if they lead elsewhere.
fn via(path: &GuestPath, resolved: &GuestPath) -> String {
    if path == resolved {
        String::new()
    } else {
        format!(" (its links lead to `{resolved}`)")
    }
}
