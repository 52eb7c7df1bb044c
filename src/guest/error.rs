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
    /// The template holds a distribution of no known family.
    #[error(
        "the template holds {found}, which is of no family that is known here ({reason}); choose the nearest one by \
         the keyword `family`"
    )]
    ForeignFamily {
        /// The distribution's name for itself.
        found: String,
        /// The file that says so.
        reason: String,
    },
    /// The template could be of several families.
    #[error("the template could be {}; choose one by the keyword `family`", evidence.join(", or "))]
    SeveralFamilies {
        /// Each family with its evidence.
        evidence: Vec<String>,
    },
    /// The template holds nothing by which a distribution is known.
    #[error(
        "the template has no `/etc/os-release` nor anything else by which a distribution is known; choose its family \
         by the keyword `family`"
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
    /// A primary group is asked for by a number that no group has, and the group of the account's name has another.
    #[error("no group has gid {gid}, which `{user}` asks for, and the group `{user}` has another ({origin})")]
    NoGroupNumber {
        /// The user.
        user: String,
        /// The number.
        gid: u32,
        /// The project's line.
        origin: Origin,
    },
    /// An account is to be in a group that is not there.
    #[error("`{user}` asks for group `{group}`, which neither the template nor the project has ({origin})")]
    UnknownGroup {
        /// The user.
        user: String,
        /// The group.
        group: String,
        /// The project's line.
        origin: Origin,
    },
    /// Two accounts would use the same subordinate numbers.
    #[error("`{user}` and `{other}` would share numbers in `{file}` ({origin})")]
    SharedNumbers {
        /// The file.
        file: &'static str,
        /// The user.
        user: String,
        /// Who has the numbers.
        other: String,
        /// The project's line.
        origin: Origin,
    },
    /// A rule that would break the file of rules.
    #[error("`{rule}` is no rule for sudo: `HOSTS=(USERS) COMMANDS` is expected for `{user}` ({origin})")]
    BadSudoRule {
        /// The user.
        user: String,
        /// The rule.
        rule: String,
        /// The project's line.
        origin: Origin,
    },
    /// A rule for a program that the template does not have.
    #[error("the template has no `/etc/sudoers`: it lacks `sudo`, for which there are rules ({origin})")]
    NoSudo {
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
        "the template has none of ifupdown, netplan, systemd-networkd, NetworkManager, network-scripts and wicked, and \
         `{}` has interfaces; install one in the template, or choose by the keyword `renderer`", origin.text
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
    /// A VLAN lies on an interface that the host does not have.
    #[error("`{interface}` is a VLAN on `{parent}`, and the host has no such interface ({origin})")]
    NoParent {
        /// The VLAN.
        interface: String,
        /// The interface that is to carry it.
        parent: String,
        /// The project's line.
        origin: Origin,
    },
    /// The program that configures the network cannot do what the project asks.
    #[error("{what} of `{interface}` cannot be written for `{renderer}` in this template ({origin})")]
    CannotRender {
        /// What cannot be done.
        what: &'static str,
        /// The interface.
        interface: String,
        /// The renderer.
        renderer: Renderer,
        /// The project's line.
        origin: Origin,
    },
    /// There are lines to run, and nothing of the template is known to run them.
    #[error("the template has none of systemd, sysvinit, OpenRC and busybox's init, which would run `{}` ({origin})", origin.text)]
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
