//! What a bake will do, as data: every host's files, sizes and needs, before a byte is written.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};

use super::diff::{FileDiff, diff};
use super::error::{BakeError, HostError, HostFailure, gather};
use super::guest_view::ExtView;
use super::host_files::FilesDirectory;
use super::identity::{Identity, IdentitySource};
use super::need::{self, Need};
use super::network_files::{self, NetworkFile, Numbers};
use super::selection::Selection;
use super::size::image_len;
use super::template::Source;
use super::told::Told;
use super::wanted::{Wanted, open_sources};
use crate::base::digest::Sha256Digest;
use crate::base::{FileKind, GuestPath, Origin, Timestamp};
use crate::edit::{EditList, EditedView, Effect, GuestView as _, effective};
use crate::guest::{self, GuestContext, GuestIdentity};
use crate::launch::{self, DomainSpec, LaunchFile, LaunchSettings};
use crate::plugin::Guests;
use crate::project::{Host, HostName, ImageFormat, Platform, Project};
use crate::store::Projects;
use crate::template::Store;

/// What is to be baked, and from what.
#[derive(Debug)]
pub struct Request<'a> {
    /// The project, checked.
    pub project: &'a Project,
    /// The plugins that configure guests.
    pub plugins: Option<&'a Guests>,
    /// The project's text, as it will lie beside the images.
    pub project_text: &'a [u8],
    /// Where templates are found.
    pub templates: &'a Store,
    /// What relative sources of files to copy start from.
    pub files: &'a Path,
    /// Names of templates with the names of those to take in their place.
    pub substitutions: &'a BTreeMap<String, String>,
    /// Where projects lie, so that the files to start a machine can name its images; an absolute path.
    pub projects: &'a Projects,
    /// What machines are started with on this server; the directory in it counts for nothing.
    pub launch: &'a LaunchSettings,
    /// The key that machine-ids, ssh host keys and hardware addresses follow from.
    pub identity: &'a Identity,
    /// Which of the project's hosts are planned and baked.
    pub selection: &'a Selection,
    /// The format of every root image, whatever the project says.
    pub format: Option<ImageFormat>,
    /// The time that every edit gets; `None` for that of the template's own last change.
    pub now: Option<Timestamp>,
}

/// What a bake will do.
#[derive(Debug)]
pub struct Plan<'a> {
    pub(super) project: &'a Project,
    pub(super) project_text: &'a [u8],
    pub(super) sources: BTreeMap<String, Arc<Source>>,
    pub(super) identity: &'a Identity,
    hosts: Vec<HostPlan>,
    network_files: Vec<NetworkFile>,
}

/// What a bake will do to one host.
#[derive(Debug, serde::Serialize)]
pub struct HostPlan {
    /// The host.
    #[serde(serialize_with = "as_text")]
    pub name: HostName,
    /// The file of the template that the host is made from.
    pub template: String,
    /// The server that runs it; `None` for this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_host: Option<String>,
    /// The type of its file system.
    pub file_system: &'static str,
    /// The number of the root partition, where the template is a whole disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_partition: Option<u32>,
    /// The length of the template in bytes.
    pub template_len_bytes: u64,
    /// The family of distributions that the guest belongs to.
    pub family: Told,
    /// What configures its network.
    pub renderer: Option<Told>,
    /// What starts it.
    pub init: Option<Told>,
    /// The format of the root image.
    pub format: ImageFormat,
    /// The length of the disk in the root image in bytes.
    pub len_bytes: u64,
    /// The length of the swap image in bytes.
    pub swap_len_bytes: Option<u64>,
    /// The blocks that the changes take at least, and those that are free.
    pub blocks: Need,
    /// The inodes that the changes take at least, and those that are free.
    pub inodes: Need,
    /// What changes in the guest, in the order in which it is applied.
    pub files: Vec<FilePlan>,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// What the guest is known by.
    #[serde(skip)]
    pub identity: GuestIdentity,
    #[serde(skip)]
    pub(super) edits: EditList,
    /// The files to lay beside the images.
    #[serde(skip)]
    pub(super) launch: Vec<LaunchFile>,
    /// The machine's definition.
    #[serde(skip)]
    pub(super) domain: DomainSpec,
    /// What the template and its root partition are called among the plan's sources.
    #[serde(skip)]
    pub(super) source: String,
}

/// What becomes of one path of the guest.
#[derive(Debug, Clone, serde::Serialize)]
pub struct FilePlan {
    /// The path.
    pub path: GuestPath,
    /// What happens to it.
    pub effect: Effect,
    /// What it will be; `None` for what goes away.
    pub kind: Option<FileKind>,
    /// Its length in bytes.
    pub len_bytes: u64,
    /// Its permission bits in octal.
    pub mode: String,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// The project lines that asked for it.
    #[serde(serialize_with = "super::diff::as_places")]
    pub origins: Vec<Origin>,
}

/// Finds out what a bake will do, in the current thread pool. Nothing is written.
///
/// # Errors
/// [`BakeError::Hosts`] with every host whose template, configuration or need of space is in the way.
pub fn plan<'a>(request: &Request<'a>) -> Result<Plan<'a>, BakeError> {
    let mut failures = Vec::new();
    let sources = open_sources(request, &mut failures);
    let numbers = Numbers::of(request.project, &request.identity.key)?;
    let planned: Vec<Result<HostPlan, HostFailure>> = request
        .project
        .hosts
        .par_iter()
        .filter(|host| request.selection.has(&host.name))
        .filter_map(|host| {
            let wanted = Wanted::of(request, host);
            let source = sources.get(&wanted.key())?;
            Some(
                plan_host(request, &numbers, host, &wanted, source).map_err(|error| HostFailure {
                    hosts: vec![host.name.clone()],
                    error: Box::new(error),
                }),
            )
        })
        .collect();
    let hosts = gather(planned, &mut failures);
    failures.extend(network_files::same_identities(&hosts));
    if failures.is_empty() {
        let directory = request.projects.project(&request.project.name)?.directory();
        let network_files = network_files::files(request.project, &hosts, &numbers, &directory);
        return Ok(Plan {
            project: request.project,
            project_text: request.project_text,
            sources,
            identity: request.identity,
            hosts,
            network_files,
        });
    }
    Err(BakeError::hosts(failures, request.project.hosts.len()))
}

impl Plan<'_> {
    /// The project's name.
    pub fn name(&self) -> &str {
        &self.project.name
    }

    /// The hosts in the project's order.
    pub fn hosts(&self) -> &[HostPlan] {
        &self.hosts
    }

    /// What a person should know about the templates.
    pub fn notes(&self) -> Vec<String> {
        let recovered = self.sources.values().filter(|source| !source.report().is_empty());
        let note = |source: &Arc<Source>| {
            format!(
                "template {} was not unmounted cleanly: images begin with what that left to do ({}); the template \
                 stays as it is",
                source.template().name(),
                source.report()
            )
        };
        recovered.map(note).collect()
    }

    /// The files that lie beside the hosts.
    pub fn network_files(&self) -> &[NetworkFile] {
        &self.network_files
    }

    /// Tells every change of `host`'s guest files as diffs.
    pub fn diff(&self, host: &HostPlan) -> Result<Vec<FileDiff>, BakeError> {
        let Some(source) = self.sources.get(&host.source) else {
            return Ok(Vec::new());
        };
        let known = self.identity.source != IdentitySource::Drawn;
        diff(&ExtView(source.fs()), &host.edits, known).map_err(|error| {
            let failure = HostFailure {
                hosts: vec![host.name.clone()],
                error: Box::new(error.into()),
            };
            BakeError::hosts(vec![failure], self.hosts.len())
        })
    }

    /// The digest of the project's text.
    pub(super) fn project_digest(&self) -> Sha256Digest {
        Sha256Digest::of(self.project_text)
    }
}

/// Plans one host.
fn plan_host(
    request: &Request<'_>,
    numbers: &Numbers,
    host: &Host,
    wanted: &Wanted<'_>,
    source: &Source,
) -> Result<HostPlan, HostError> {
    let fs = source.fs();
    let view = ExtView(fs);
    let root_partition = source.root().partition().map(|partition| partition.number);
    let files = FilesDirectory(request.files);
    let context = GuestContext {
        now: source.now(),
        root_file_system: source.root_file_system(),
        root_names: &source.root_names(),
        files: &files,
        identity: &request.identity.key,
        macs: &numbers.macs,
        addresses: &numbers.addresses,
    };
    let mut configured = guest::configure(request.project, host, &view, &context)?;
    if let Some(plugins) = request.plugins {
        plugins.configure(host.name.as_str(), &view, &mut configured.edits)?;
    }
    let template_len_bytes = source.template().len_bytes();
    let mut warnings: Vec<String> = configured.warnings.iter().map(ToString::to_string).collect();
    let format = format_of(request, host);
    warnings.extend(unfit_format(host, format));
    let files = file_plans(&view, &configured.edits)?;
    let needed = need::count(&view, &files)?;
    let len = image_len(&host.size, source, needed)?;
    warnings.extend(len.warning);
    let needs = need::of(source, needed, &files, source.root_len_bytes(len.len_bytes)?)?;
    let domain = domain(request, numbers, host, root_partition, format)?;
    Ok(HostPlan {
        name: host.name.clone(),
        template: source.template().name().to_string(),
        service_host: host.service_host.as_ref().map(|server| server.value.clone()),
        file_system: fs.superblock().type_name(),
        root_partition,
        template_len_bytes,
        family: Told::new(configured.family.value.name(), configured.family.reason),
        renderer: configured
            .renderer
            .map(|told| Told::new(told.value.name(), told.reason)),
        init: configured
            .init
            .map(|told| Told::new(told.value.name(), told.reason)),
        format,
        len_bytes: len.len_bytes,
        swap_len_bytes: host.swap.as_ref().map(|swap| swap.value.0),
        blocks: needs.blocks,
        inodes: needs.inodes,
        files,
        warnings,
        identity: configured.identity,
        edits: configured.edits,
        launch: launch::files(&domain),
        domain,
        source: wanted.key(),
    })
}

/// The format of the root image of `host`.
fn format_of(request: &Request<'_>, host: &Host) -> ImageFormat {
    let own = host.format.as_ref().map(|format| format.value);
    request.format.or(own).unwrap_or_default()
}

/// What a person should know if what runs `host` does not read `format`.
fn unfit_format(host: &Host, format: ImageFormat) -> Option<String> {
    let is_fit = match (host.platform.value, format) {
        (_, ImageFormat::Raw) => true,
        (Platform::Uml, format) => format == ImageFormat::UmlCow,
        (_, format) => format == ImageFormat::Qcow2,
    };
    (!is_fit).then(|| {
        format!(
            "{} does not start a {format} image: make it raw by `image flatten` first",
            host.platform.value.name()
        )
    })
}

/// How `host` is started and stopped.
fn domain(
    request: &Request<'_>,
    numbers: &Numbers,
    host: &Host,
    root_partition: Option<u32>,
    format: ImageFormat,
) -> Result<DomainSpec, HostError> {
    let places = request.projects.project(&request.project.name)?;
    let settings = LaunchSettings {
        directory: places.host(&host.name).directory().to_path_buf(),
        root_partition,
        macs: Some(Arc::clone(&numbers.macs)),
        root_image: format.root_image().to_owned(),
        root_format: format,
        ..request.launch.clone()
    };
    Ok(launch::specify(request.project, host, &settings)?)
}

/// What every edit that changes anything makes of its path.
fn file_plans(view: &ExtView<'_>, edits: &EditList) -> Result<Vec<FilePlan>, HostError> {
    let after = EditedView::new(view, edits);
    let mut files = Vec::new();
    for (edit, effect) in effective(view, edits)? {
        if effect == Effect::None {
            continue;
        }
        let new = after.info(&edit.path)?;
        let (mode, uid, gid) = new.map_or((0, 0, 0), |info| (info.mode, info.uid, info.gid));
        files.push(FilePlan {
            path: edit.path.clone(),
            effect,
            kind: new.map(|info| info.kind),
            len_bytes: new.map_or(0, |info| info.len_bytes),
            mode: format!("{mode:04o}"),
            uid,
            gid,
            origins: edit.origins.clone(),
        });
    }
    Ok(files)
}

fn as_text<S: serde::Serializer>(name: &HostName, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(name)
}
