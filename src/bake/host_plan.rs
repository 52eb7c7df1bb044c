//! One host's plan: every file, size and need of it, as data. It follows from the project and the template alone, so that
//! it can be made again instead of being remembered.

use std::num::NonZeroUsize;
use std::sync::Arc;

use uuid::Uuid;

use super::error::HostError;
use super::esp::{EspPlace, FullView};
use super::fs_uuid;
use super::guest_view::ExtView;
use super::host_files::FilesDirectory;
use super::need::{self, Need};
use super::network_files::Numbers;
use super::plan::Request;
use super::size::image_len;
use super::template::Source;
use super::told::Told;
use crate::base::{FileKind, GuestPath, Origin};
use crate::disk::Table;
use crate::edit::{Change, Content, EditList, EditedView, Effect, GuestView as _, effective};
use crate::guest::{self, Configured, GuestContext, GuestIdentity, HostKeys};
use crate::launch::{self, DomainSpec, Firmware, LaunchFile, LaunchSettings};
use crate::project::{Host, HostName, ImageFormat, Platform};

/// How many of the project lines that asked for a change a plan names: the names of thousands of hosts go into one file.
const NAMED_ORIGINS: usize = 16;

/// What an edit takes in memory beside its content, roughly.
const EDIT_BYTES: usize = 512;

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
    /// The UUID that the root file system gets; `None` for the template's.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "fs_uuid::as_text")]
    pub file_system_uuid: Option<Uuid>,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// What the guest is known by.
    #[serde(skip)]
    pub identity: GuestIdentity,
    #[serde(skip)]
    pub(super) edits: EditList,
    /// Where the EFI system partition lies that some of the edits are for.
    #[serde(skip)]
    pub(super) esp: Option<EspPlace>,
    /// The files to lay beside the images.
    #[serde(skip)]
    pub(super) launch: Vec<LaunchFile>,
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
    /// The project lines that asked for it; not more than a few.
    #[serde(serialize_with = "super::diff::as_places")]
    pub origins: Vec<Origin>,
    /// How many more lines asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub more_origins: Option<NonZeroUsize>,
}

/// Plans one host. Without its keys the plan serves to find out what is wrong, and what the host takes.
pub(super) fn plan_host(
    request: &Request<'_>,
    numbers: &Numbers,
    host: &Host,
    source: &Source,
    keys: HostKeys,
) -> Result<HostPlan, HostError> {
    let fs = source.fs();
    let view = source.view();
    let root_partition = source.root().partition().map(|partition| partition.number);
    let mut configured = configured(request, numbers, host, source, (&view, keys))?;
    let esp = EspPlace::of(source, &mut configured.edits)?;
    let template_len_bytes = source.template().len_bytes();
    let mut warnings: Vec<String> = configured.warnings.iter().map(ToString::to_string).collect();
    let format = format_of(request, host);
    warnings.extend(unfit_format(host, format));
    let files = file_plans(&FullView::new(source, esp.as_ref()), &configured.edits)?;
    let on_root = files
        .iter()
        .filter(|file| !esp.as_ref().is_some_and(|esp| esp.has(&file.path)));
    let needed = need::count(&view, on_root)?;
    let len = image_len(&host.size, source, needed)?;
    warnings.extend(len.warning);
    let needs = need::of(source, needed, &files, source.root_len_bytes(len.len_bytes)?)?;
    let domain = domain(request, numbers, host, source)?;
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
        file_system_uuid: fs_uuid::of(request, host, source, &configured.edits)?,
        warnings,
        identity: configured.identity,
        edits: configured.edits,
        esp,
        launch: launch::files(&domain),
    })
}

/// All that the project asks of the guest of `host` that `view` shows; `source` is what it is made from.
pub(super) fn configured(
    request: &Request<'_>,
    numbers: &Numbers,
    host: &Host,
    source: &Source,
    (view, host_keys): (&ExtView<'_>, HostKeys),
) -> Result<Configured, HostError> {
    let context = GuestContext {
        now: source.now(),
        root_file_system: source.root_file_system(),
        root_names: &source.root_names(host.platform.value.root_device()),
        files: &FilesDirectory(request.files),
        identity: &request.identity.key,
        host_keys,
        macs: &numbers.macs,
        addresses: &numbers.addresses,
    };
    let mut configured = guest::configure(request.project, host, view, &context)?;
    if let Some(plugins) = request.plugins {
        plugins.configure(host.name.as_str(), view, &mut configured.edits)?;
    }
    Ok(configured)
}

/// The format of the root image of `host`.
pub(super) fn format_of(request: &Request<'_>, host: &Host) -> ImageFormat {
    let own = host.format.as_ref().map(|format| format.value);
    request.format.or(own).unwrap_or_default()
}

/// What a person should know if what runs `host` does not read `format`.
fn unfit_format(host: &Host, format: ImageFormat) -> Option<String> {
    let is_fit = match (host.platform.value, format) {
        (_, ImageFormat::Raw | ImageFormat::Gpt) => true,
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

/// By what a disk with this table can start itself: images for clouds are made for both, and then QEMU's own BIOS, which
/// needs nothing beside it, does.
fn firmware(table: &Table) -> Option<Firmware> {
    if table
        .partitions
        .iter()
        .any(|partition| partition.kind.is_bios_boot())
    {
        return Some(Firmware::Bios);
    }
    table.esp().map(|_| Firmware::Uefi)
}

/// How `host`, which is made from `source`, is started and stopped.
pub(super) fn domain(
    request: &Request<'_>,
    numbers: &Numbers,
    host: &Host,
    source: &Source,
) -> Result<DomainSpec, HostError> {
    let places = request.projects.project(&request.project.name)?;
    let format = format_of(request, host);
    let settings = LaunchSettings {
        directory: places.host(&host.name).directory().to_path_buf(),
        root_partition: source.root().partition().map(|partition| partition.number),
        firmware: source.root().table().and_then(firmware),
        macs: Some(Arc::clone(&numbers.macs)),
        root_image: format.root_image().to_owned(),
        root_format: format.of_file(),
        ..request.launch.clone()
    };
    Ok(launch::specify(request.project, host, &settings)?)
}

/// What every edit that changes anything makes of its path.
fn file_plans(view: &FullView<'_>, edits: &EditList) -> Result<Vec<FilePlan>, HostError> {
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
            origins: edit.origins.iter().take(NAMED_ORIGINS).cloned().collect(),
            more_origins: NonZeroUsize::new(edit.origins.len().saturating_sub(NAMED_ORIGINS)),
        });
    }
    Ok(files)
}

fn as_text<S: serde::Serializer>(name: &HostName, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(name)
}

impl HostPlan {
    /// What the plan takes in memory, roughly.
    pub(super) fn weight_bytes(&self) -> usize {
        let edits = self.edits.iter().map(|edit| {
            let content = match &edit.change {
                Change::File {
                    content: Content::Bytes(bytes),
                    ..
                } => bytes.len(),
                _ => 0,
            };
            EDIT_BYTES + content + edit.origins.len() * size_of::<Origin>()
        });
        let launch = self.launch.iter().map(|file| file.content.len());
        edits.chain(launch).sum()
    }
}
