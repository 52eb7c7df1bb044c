//! Why a journal is not replayed although nothing about it is damaged.

/// Says why a journal is left to other tools.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// The journal lies on another device.
    #[error("the journal lies on another device; run `e2fsck -p` with that device at hand first")]
    External,
    /// The log was written with features that are not known here.
    #[error("the journal has features that cannot be replayed: {}; run `e2fsck -p` on the image first", names.join(", "))]
    Unsupported {
        /// The features, named as the kernel names them.
        names: Vec<String>,
    },
    /// Changes wait in the fast commit area. The way out is the kernel: e2fsck 1.47.0 leaves a superblock with a wrong
    /// checksum behind when it replays them.
    #[error(
        "the journal holds fast commits, which cannot be replayed; mount and unmount the image once first"
    )]
    FastCommits,
    /// The kernel gave the journal up after an error.
    #[error("the journal was aborted with error {errno}; run `e2fsck -f` on the image first")]
    Aborted {
        /// The error's number, as the kernel recorded it.
        errno: u32,
    },
}
