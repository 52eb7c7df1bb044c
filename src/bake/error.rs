//! Why a bake, or one host of it, failed.

use std::path::PathBuf;

use super::offline::OfflineError;
use crate::base::{ByteSize, FileKind, GuestPath, PathError, Sourced};
use crate::block::DeviceError;
use crate::disk::{DiskError, EspError};
use crate::edit::ViewError;
use crate::ext::ExtError;
use crate::guest::GuestError;
use crate::image::qcow2::QcowError;
use crate::image::uml_cow::CowError;
use crate::image::{Blake3Digest, ImageError};
use crate::launch::LaunchError;
use crate::plugin::PluginError;
use crate::project::{HostName, MacError};
use crate::store::StoreError;
use crate::template::TemplateError;

/// Says why a bake failed.
#[derive(Debug, thiserror::Error)]
pub enum BakeError {
    /// The project's place on disk could not be had, or not be finished.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Some hosts failed.
    #[error("{} of {total} hosts failed", failed_hosts(failures))]
    Hosts {
        /// What failed, in the project's order.
        failures: Vec<HostFailure>,
        /// How many hosts there were.
        total: usize,
    },
    /// Images that were written to would be made again.
    #[error(
        "{} written to since the last bake, and would lose that: {}",
        if hosts.len() == 1 { "an image has been" } else { "images have been" },
        quoted(hosts)
    )]
    WouldLose {
        /// The hosts whose images they are.
        hosts: Vec<HostName>,
    },
    /// The threads to work with could not be started.
    #[error("cannot start {jobs} threads")]
    Threads {
        /// How many were wanted.
        jobs: usize,
        /// The system's answer.
        #[source]
        source: rayon::ThreadPoolBuildError,
    },
    /// The kept key of a project is no key.
    #[error("`{}` does not hold 64 hexadecimal digits", path.display())]
    BadIdentity {
        /// The file.
        path: PathBuf,
    },
    /// A file of the project could not be used.
    #[error(transparent)]
    File(#[from] PathError),
    /// Two interfaces have the same hardware address.
    #[error(transparent)]
    Mac(#[from] MacError),
    /// The manifest could not be put into words.
    #[error("cannot write the manifest")]
    ManifestForm(#[from] serde_json::Error),
}

/// Hosts that could not be planned or baked, and why.
#[derive(Debug)]
pub struct HostFailure {
    /// The hosts; several where what they share has failed.
    pub hosts: Vec<HostName>,
    /// The reason.
    pub error: Box<HostError>,
}

/// How many hosts failed in all.
fn failed_hosts(failures: &[HostFailure]) -> usize {
    failures.iter().map(|failure| failure.hosts.len()).sum()
}

/// The names in back-ticks, with commas.
pub(super) fn quoted(hosts: &[HostName]) -> String {
    let names: Vec<String> = hosts.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// Says why one host could not be planned or baked.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The template could not be used.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// An edit of the template was cut short.
    #[error("an edit of the template `{}` was cut short", path.display())]
    Interrupted {
        /// The template's file.
        path: PathBuf,
    },
    /// The template's file system could not be used.
    #[error("cannot use the template `{}`", path.display())]
    TemplateFileSystem {
        /// The template's file.
        path: PathBuf,
        /// The file system's reason.
        #[source]
        source: ExtError,
    },
    /// The template is a whole disk whose partitions cannot be used.
    #[error("cannot use the template `{}`", path.display())]
    TemplateDisk {
        /// The template's file.
        path: PathBuf,
        /// Why.
        #[source]
        source: DiskError,
    },
    /// The disk cannot become as long as it should.
    #[error("cannot grow the disk")]
    Disk(#[from] DiskError),
    /// The guest cannot be configured so.
    #[error(transparent)]
    Guest(#[from] GuestError),
    /// A plugin failed.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// A file of the guest could not be looked at.
    #[error(transparent)]
    View(#[from] ViewError),
    /// The file system would be too full.
    #[error(
        "the file system would be full: {needed} {what} needed, {free} free; ask for a larger `size`, or for `free_space`"
    )]
    Full {
        /// `blocks` or `inodes`.
        what: &'static str,
        /// How many are needed at least.
        needed: u64,
        /// How many are free.
        free: u64,
    },
    /// The image is to be shorter than what it has to hold.
    #[error("`size {}` is too small for the template's files and the host's own ({}): {least} at least", wanted.value, wanted.origin)]
    TooShort {
        /// What was asked for, and where.
        wanted: Sourced<ByteSize>,
        /// About the least that is possible.
        least: ByteSize,
    },
    /// A file would lie hidden under another file system.
    #[error(
        "`{path}` lies on a FAT file system that the guest mounts at `{mount_point}`, and that is not clearly this disk's \
         EFI system partition"
    )]
    OnFat {
        /// The file.
        path: GuestPath,
        /// Where the guest mounts the file system.
        mount_point: GuestPath,
    },
    /// A symbolic link would lie on a FAT file system.
    #[error("`{path}` lies on the EFI system partition, whose file system has no symbolic links")]
    LinkOnEsp {
        /// The link.
        path: GuestPath,
    },
    /// A file of the EFI system partition is to change in a disk that a machine has partitioned anew.
    #[error("`{path}` lies on the EFI system partition, which is no longer where the template has it")]
    EspMoved {
        /// The file.
        path: GuestPath,
    },
    /// The EFI system partition could not be changed.
    #[error(transparent)]
    Esp(#[from] EspError),
    /// The file system could not be changed as a whole.
    #[error("cannot {action} the file system")]
    FileSystem {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file system's reason.
        #[source]
        source: ExtError,
    },
    /// The image could not be changed where it lies.
    #[error(transparent)]
    Offline(Box<OfflineError>),
    /// What is to be known of an image that stays is not there.
    #[error("nothing is remembered of how its image was made")]
    NotRemembered,
    /// One path of the guest could not be changed.
    #[error("cannot write `{path}` in the guest")]
    Edit {
        /// The path.
        path: GuestPath,
        /// The file system's reason.
        #[source]
        source: ExtError,
    },
    /// Something of another kind is where an edit wants to put a file.
    #[error("cannot write `{path}` in the guest: `{place}` is {}", kind.words())]
    InTheWay {
        /// The path.
        path: GuestPath,
        /// What is in the way.
        place: GuestPath,
        /// The kind of what is there.
        kind: FileKind,
    },
    /// A file to be copied is not as long as it was when the bake was planned.
    #[error("`{}` changed while it was copied", path.display())]
    SourceChanged {
        /// The file.
        path: PathBuf,
    },
    /// The finished file system is not sound.
    #[error("the finished file system is not sound, which is a defect of this program: {findings}")]
    Unsound {
        /// What the check found, one a line.
        findings: String,
    },
    /// The written file is not what was to be written.
    #[error("`{}` was written wrong: its digest is {found}, and {expected} was computed", path.display())]
    WrittenWrong {
        /// The file.
        path: PathBuf,
        /// The digest of what was to be written.
        expected: Blake3Digest,
        /// The digest of the file.
        found: Blake3Digest,
    },
    /// Two machines would be known by the same number or key.
    #[error("its machine-id or an ssh host key is that of `{other}` too")]
    SameIdentity {
        /// The other host.
        other: String,
    },
    /// The written delta does not show what was computed.
    #[error("`{}` was written wrong: it does not show what was computed at {offset_bytes}", path.display())]
    ShowsWrong {
        /// The file.
        path: PathBuf,
        /// Where the difference lies, to a MiB.
        offset_bytes: u64,
    },
    /// The image could not be written as a qcow2 image.
    #[error(transparent)]
    Qcow2(Box<QcowError>),
    /// The image could not be written as a COW file of User-Mode Linux.
    #[error(transparent)]
    UmlCow(Box<CowError>),
    /// The machine cannot be defined so.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// The image could not be written.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The changes could not be read back.
    #[error("cannot read the changes back")]
    Overlay(#[from] DeviceError),
    /// A file beside the image could not be written.
    #[error(transparent)]
    File(#[from] PathError),
    /// The project's directory could not be changed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<QcowError> for HostError {
    fn from(error: QcowError) -> Self {
        Self::Qcow2(Box::new(error))
    }
}

impl From<CowError> for HostError {
    fn from(error: CowError) -> Self {
        Self::UmlCow(Box::new(error))
    }
}

impl From<OfflineError> for HostError {
    fn from(error: OfflineError) -> Self {
        Self::Offline(Box::new(error))
    }
}

impl HostError {
    /// What the user can do about it, one way a line.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Template(error) => error.hints(),
            Self::Offline(error) => error.hints(),
            Self::TemplateDisk { source, .. } | Self::Disk(source) => source.hints(),
            Self::TooShort { least, .. } => vec![format!(
                "ask for `size {least}` or more, or for `free_space 0M`, the smallest image that leaves some room"
            )],
            Self::OnFat { .. } | Self::LinkOnEsp { .. } | Self::EspMoved { .. } => {
                vec!["put it elsewhere, and let a `startup` command copy it there".to_owned()]
            }
            Self::Interrupted { path } => {
                vec![format!("`mln-image image info {}` completes it", path.display())]
            }
            _ => Vec::new(),
        }
    }
}

impl BakeError {
    /// The failures of some of `total` hosts, in the project's order.
    pub(super) fn hosts(mut failures: Vec<HostFailure>, total: usize) -> Self {
        failures.sort_by(|left, right| left.hosts.cmp(&right.hosts));
        Self::Hosts { failures, total }
    }
}

/// Parts what succeeded from what failed.
pub(super) fn gather<T>(results: Vec<Result<T, HostFailure>>, failures: &mut Vec<HostFailure>) -> Vec<T> {
    let kept = |result: Result<T, HostFailure>| result.map_err(|failure| failures.push(failure)).ok();
    // In place: of ten thousand hosts, two lists are a lot.
    results.into_iter().filter_map(kept).collect()
}
