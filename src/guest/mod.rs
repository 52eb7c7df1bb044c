//! What a host's description means inside its guest: a pure function from the project's host and a view of the
//! template to a list of edits.
//!
//! Every stage sees the guest as the stages before it left it, and names states rather than steps, so that the edits
//! of a guest that is configured already change nothing. Nothing of the guest is run. Templates are foreign data:
//! links lead inside the image only, files are read with a limit, and anything that is no regular file is refused.
//!
//! ```text
//!   family, init -> hostname -> identity -> users, groups -> network -> cloud-init -> hosts -> fstab -> resolver
//!          -> files -> modules -> startup, shutdown -> root password -> labels     one EditList in the end
//! ```

mod accounts;
mod cloud_init;
mod error;
mod family;
mod file_contexts;
mod files;
mod fstab;
mod host_files;
mod hostname;
mod hosts;
mod identity;
mod labels;
mod modules;
mod network;
mod resolver;
mod startup;
mod target;
mod text;
mod warning;

pub use error::GuestError;
pub(crate) use file_contexts::FileContexts;
pub use host_files::{HostFiles, HostFilesError, HostNode, HostNodeKind};
pub use identity::{GuestIdentity, HostKeys};
pub use warning::GuestWarning;

use crate::base::{IdentityKey, Timestamp};
use crate::edit::{EditList, EditedView, GuestView};
pub use crate::project::Family;
use crate::project::{AddressBook, Host, MacTable, Project, Renderer};

/// The first line of files that are ours alone, in all languages that begin comments with `#`.
const HEAD: &str = "# Written by mln-image from the project's description.\n";

/// What the configuration of a guest depends on beside its project and its template.
#[derive(Debug, Clone, Copy)]
pub struct GuestContext<'a> {
    /// The day that a changed password gets.
    pub now: Timestamp,
    /// What the template's file system truly is.
    pub root_file_system: RootFileSystem,
    /// What the root of a whole disk may be called in `/etc/fstab`, the surest name first; empty where the root is a
    /// disk of its own.
    pub root_names: &'a [String],
    /// The sources of the keyword `files`.
    pub files: &'a dyn HostFiles,
    /// What machine-ids, keys and salts follow from.
    pub identity: &'a IdentityKey,
    /// Whether the ssh host keys are needed.
    pub host_keys: HostKeys,
    /// The hardware address of every interface of the project.
    pub macs: &'a MacTable,
    /// The addresses that the project's machines are known by.
    pub addresses: &'a AddressBook,
}

/// The file systems that a root can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootFileSystem {
    /// Without a journal.
    Ext2,
    /// With a journal, and files by block maps.
    Ext3,
    /// With any feature of ext4.
    Ext4,
}

/// How a host's guest is to be changed, and on what evidence.
#[derive(Debug)]
pub struct Configured {
    /// The edits, in order.
    pub edits: EditList,
    /// The family of distributions that the template belongs to.
    pub family: Detected<Family>,
    /// What configures its network; `None` where that is unclear and of no concern.
    pub renderer: Option<Detected<Renderer>>,
    /// What starts it; `None` where that is unclear and of no concern.
    pub init: Option<Detected<Init>>,
    /// What the guest is known by.
    pub identity: GuestIdentity,
    /// What a person should know.
    pub warnings: Vec<GuestWarning>,
}

/// Something told from the template's files, with the evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected<T> {
    /// What it is.
    pub value: T,
    /// By what it was told, for a person.
    pub reason: String,
}

/// The programs that a guest can start with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// systemd.
    Systemd,
    /// The init of System V, or one that runs its scripts.
    Sysvinit,
    /// `OpenRC`.
    Openrc,
    /// Busybox's init, which goes by `/etc/inittab`.
    Busybox,
}

impl Init {
    /// The init's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Systemd => "systemd",
            Self::Sysvinit => "sysvinit",
            Self::Openrc => "openrc",
            Self::Busybox => "busybox",
        }
    }
}

impl RootFileSystem {
    /// The type's name for mount(8).
    pub fn name(self) -> &'static str {
        match self {
            Self::Ext2 => "ext2",
            Self::Ext3 => "ext3",
            Self::Ext4 => "ext4",
        }
    }
}

impl<T> Detected<T> {
    /// Pairs `value` with the evidence for it.
    pub(crate) fn new(value: T, reason: &str) -> Self {
        Self {
            value,
            reason: reason.to_owned(),
        }
    }
}

/// Configures the guest of `host`, a machine of `project`, which `view` shows.
pub fn configure(
    project: &Project,
    host: &Host,
    view: &dyn GuestView,
    context: &GuestContext<'_>,
) -> Result<Configured, GuestError> {
    let family = family::detect(host, view)?;
    let init = startup::detect(view)?;
    let mut stages = Stages {
        view,
        edits: EditList::new(),
    };
    let mut warnings = Vec::new();
    let guest = Guest {
        project,
        host,
        family: family.value,
        init: init.as_ref().map(|init| init.value),
        macs: context.macs,
    };
    stages.run(|view| hostname::configure(&guest, view))?;
    let identity =
        stages.ask(|view| identity::configure(project, host, view, context.identity, context.host_keys))?;
    stages.run(|view| {
        accounts::configure(host, &accounts::Stage::new(project, view, context), &mut warnings)
    })?;
    let renderer = stages.ask(|view| network::configure(&guest, view, &mut warnings))?;
    stages.run(|view| cloud_init::configure(host, view))?;
    stages.run(|view| hosts::configure(host, view, context.addresses))?;
    stages.run(|view| fstab::configure(host, view, context.root_file_system, context.root_names))?;
    let renders = renderer.as_ref().map(|renderer| renderer.value);
    stages.run(|view| resolver::configure(host, renders, view))?;
    stages.run(|view| files::configure(host, view, context.files))?;
    stages.run(|view| modules::configure(&guest, view, &mut warnings))?;
    stages.run(|view| startup::configure(&guest, view))?;
    stages.run(|view| accounts::root_password(host, &accounts::Stage::new(project, view, context)))?;
    stages.run(|view| labels::configure(view, &mut warnings))?;
    Ok(Configured {
        edits: stages.edits,
        family,
        renderer,
        init,
        identity,
        warnings,
    })
}

/// What all guests made from the template that `view` shows will have in common, as far as it is long: those who make
/// many of them can do it once. Each guest's own edits say the same and more.
///
/// It follows from the template and the whole project, never from which of its machines are made.
pub fn in_common(view: &dyn GuestView, addresses: &AddressBook) -> Result<EditList, GuestError> {
    hosts::in_common(view, addresses)
}

/// A guest that is being configured.
struct Guest<'a> {
    project: &'a Project,
    host: &'a Host,
    family: Family,
    /// What starts it; `None` where that is unclear.
    init: Option<Init>,
    macs: &'a MacTable,
}

/// The edits so far, and the template below them.
struct Stages<'a> {
    view: &'a dyn GuestView,
    edits: EditList,
}

impl Stages<'_> {
    /// Runs one stage on the guest as it is by now, and adds its edits.
    fn run(
        &mut self,
        stage: impl FnOnce(&dyn GuestView) -> Result<EditList, GuestError>,
    ) -> Result<(), GuestError> {
        self.ask(|view| Ok(((), stage(view)?)))
    }

    /// The same for a stage that tells something too.
    fn ask<T>(
        &mut self,
        stage: impl FnOnce(&dyn GuestView) -> Result<(T, EditList), GuestError>,
    ) -> Result<T, GuestError> {
        let (answer, edits) = stage(&EditedView::new(self.view, &self.edits))?;
        self.edits.extend(edits);
        Ok(answer)
    }
}
