//! What a person should know about a guest although it could be configured.

use crate::base::{FileKind, GuestPath, Origin};

/// Something odd that does not stop a bake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GuestWarning {
    /// A new user's home is there and is no directory.
    #[error("the home directory `{home}` is {} in the template ({origin})", kind.words())]
    HomeIsNoDirectory {
        /// The home directory.
        home: GuestPath,
        /// What is there.
        kind: FileKind,
        /// The project's line.
        origin: Origin,
    },
    /// A file of the skeleton that cannot be copied.
    #[error("`{path}` is {} and is not copied to new home directories", kind.words())]
    SkeletonFile {
        /// The file.
        path: GuestPath,
        /// What it is.
        kind: FileKind,
    },
    /// A fixed address without a network mask.
    #[error(
        "interface `{interface}` has no `netmask`, so that it reaches no other machine directly ({origin})"
    )]
    NoNetmask {
        /// The interface.
        interface: String,
        /// The address's line.
        origin: Origin,
    },
    /// An account is to be closed on a day, and the template has no place to say so.
    #[error("the template has no `/etc/shadow`, so that `{user}` does not expire ({origin})")]
    NoExpiry {
        /// The user.
        user: String,
        /// The project's line.
        origin: Origin,
    },
    /// The guest labels its files at the first start.
    #[error(
        "the template uses SELinux, but its files have no labels: they get them at the first start, which takes longer"
    )]
    Relabels,
    /// Kernel modules are listed where the guest may not look.
    #[error("nothing in the template is known to load the modules of `{path}`")]
    ModulesUnread {
        /// The list.
        path: GuestPath,
    },
    /// The template's rules of sudo do not read the directory in which ours lie.
    #[error(
        "the template's `/etc/sudoers` does not include `/etc/sudoers.d`, so that its rules are not read"
    )]
    SudoersNotIncluded,
    /// A file of the template configures an interface of the project.
    #[error("`{path}` of the template configures `{interface}` too")]
    ConfiguredTwice {
        /// The interface.
        interface: String,
        /// The template's file.
        path: GuestPath,
    },
}
