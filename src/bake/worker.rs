//! A few hosts from their plans to their finished files.
//!
//! Everything is made beside its final place first; only when all of it is whole do the files get their names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

use super::apply::apply;
use super::changes::HostChange;
use super::error::HostError;
use super::ground::{Ground, Prepared};
use super::guest_digest::GuestDigests;
use super::host_plan::{FilePlan, HostPlan};
use super::kept::{self, Remade};
use super::key::Keys;
use super::manifest::{HostRecord, LaunchRecord, SwapRecord, TemplateRecord};
use super::memory::{Inputs, Memory};
use super::network_files::known_lines;
use super::plan::{Outline, Plan};
use super::run::{Execution, Verify};
use super::spool::Spool;
use super::template::Source;
use super::written::{self, WrittenImage};
use crate::base::atomic::Durability;
use crate::base::digest::Sha256Digest;
use crate::base::{AtomicFile, GuestPath, PathError};
use crate::block::{Delta, Overlay, redo};
use crate::ext::Fs;
use crate::image::{Blake3Digest, RawWriter, data_digest, swap};
use crate::launch::LaunchFile;
use crate::project::ImageFormat;
use crate::store::{HostPlaces, Workspace};

/// What the hosts of one bake share.
#[derive(Debug)]
pub(super) struct Shared<'a> {
    pub(super) plan: &'a Plan<'a>,
    pub(super) workspace: &'a Workspace,
    pub(super) writer: RawWriter,
    pub(super) execution: &'a Execution<'a>,
    pub(super) keys: Keys<'a>,
    /// What the manifest says of each host.
    pub(super) records: Spool,
    /// What tells the digests of guests' files.
    pub(super) digests: GuestDigests,
    /// Each host's lines of `known_hosts`.
    pub(super) known: Spool,
    /// The files that images lie over, relative to the project's directory.
    pub(super) backings: Mutex<BTreeSet<String>>,
    /// The copies of backings that this upgrade has made, and what they hold.
    pub(super) grown: Mutex<BTreeMap<PathBuf, Blake3Digest>>,
    /// What becomes of each host, if the bake is an upgrade.
    pub(super) upgrades: BTreeMap<String, HostChange>,
    /// The templates that hosts were made from which are not made again.
    pub(super) templates: Mutex<BTreeSet<TemplateRecord>>,
}

impl Shared<'_> {
    /// Notes that images lie over `file`.
    pub(super) fn note_backing(&self, file: String) {
        let mut backings = self.backings.lock().unwrap_or_else(PoisonError::into_inner);
        backings.insert(file);
    }

    /// Notes that a host that is not made again was made from `template`.
    pub(super) fn note_template(&self, template: TemplateRecord) {
        let mut templates = self.templates.lock().unwrap_or_else(PoisonError::into_inner);
        templates.insert(template);
    }

    /// The templates that were noted.
    pub(super) fn noted_templates(&self) -> BTreeSet<TemplateRecord> {
        let templates = self.templates.lock().unwrap_or_else(PoisonError::into_inner);
        templates.clone()
    }

    /// Notes what is recorded of the host of `plan` at `place` of the project.
    pub(super) fn note_host(
        &self,
        place: usize,
        plan: &HostPlan,
        record: &HostRecord<'_>,
    ) -> Result<(), PathError> {
        if let Some(backing) = &record.image.backing {
            self.note_backing(backing.file.clone());
        }
        self.records.push(place, &record.to_text())?;
        self.known
            .push(place, known_lines(self.plan, place, plan).as_bytes())
    }
}

/// What the hosts of one batch are made from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Made<'a> {
    pub(super) source: &'a Source,
    pub(super) prepared: &'a Prepared,
    pub(super) ground: &'a Ground,
}

/// A host to bake.
#[derive(Debug, Clone)]
pub(super) struct Order<'a> {
    pub(super) outline: &'a Outline,
    /// Why it is baked although it was baked before.
    pub(super) why: Option<Remade>,
}

/// A host whose image is computed but not written.
pub(super) struct Computed {
    plan: Box<HostPlan>,
    /// The digest of all that it is made from, and that piece by piece.
    made_from: (Sha256Digest, Inputs),
    pub(super) delta: Delta,
    pub(super) block_bytes: u32,
    /// The digests of the files that were changed.
    contents: Vec<Option<Sha256Digest>>,
    pub(super) places: HostPlaces,
}

/// Bakes several hosts of one format; the outcomes, how many paths were changed, are in their order. Images that are copies
/// are written side by side, and a host that fails does not stop the others.
pub(super) fn bake_batch(
    shared: &Shared<'_>,
    made: Made<'_>,
    orders: &[Order<'_>],
) -> Vec<Result<usize, HostError>> {
    let Some(format) = orders.first().map(|order| order.outline.shape.format) else {
        return Vec::new();
    };
    let mut outcomes: Vec<_> = orders
        .iter()
        .map(|order| compute(shared, made, order.outline).map(Some))
        .collect();
    let computed: Vec<&Computed> = outcomes.iter().flatten().flatten().collect();
    let base = &made.prepared.base;
    let mut images = written::write_images(shared, made.ground, base, format, &computed).into_iter();
    orders
        .iter()
        .zip(&mut outcomes)
        .map(|(order, outcome)| {
            let host = std::mem::replace(outcome, Ok(None))?.expect("a host that did not fail was computed");
            let image = images
                .next()
                .expect("each computed host has an image or an error");
            finish(shared, made, order.outline.place, &host, image?)
        })
        .collect()
}

/// Computes a host's image in memory.
fn compute(shared: &Shared<'_>, made: Made<'_>, outline: &Outline) -> Result<Computed, HostError> {
    let stage = |stage: &str| shared.execution.reporter.stage(outline.name.as_str(), stage);
    stage("configure");
    let plan = shared.plan.host(outline)?;
    let made_from = shared.keys.of(shared.plan.name(), &plan, made.source)?;
    let (overlay, fs) = made.ground.fork()?;
    let block_bytes = fs.block_size().bytes();
    let contents = configure(shared, made.ground, &overlay, fs, &plan)?;
    let overlay = Arc::into_inner(overlay).expect("the file system, which alone shared the overlay, is gone");
    let delta = overlay.finish()?;
    let places = shared.workspace.make_host(&plan.name)?;
    stage("write");
    Ok(Computed {
        plan,
        made_from,
        delta,
        block_bytes,
        contents,
        places,
    })
}

/// Makes the files beside a host's written `image`, and gives them all their names. Answers how many paths of the guest
/// were changed.
fn finish(
    shared: &Shared<'_>,
    made: Made<'_>,
    place: usize,
    host: &Computed,
    image: WrittenImage,
) -> Result<usize, HostError> {
    let plan = &host.plan;
    let mut finished = Finished::default();
    let record = written::record(shared, made.ground, &made.prepared.base, plan, host, &image)?;
    finished.0.push(image.file);
    let places = &host.places;
    let swap = write_swap(shared, plan, places, &mut finished)?;
    let launch = write_launch(&plan.launch, places, &mut finished)?;
    shared.execution.reporter.stage(plan.name.as_str(), "finish");
    made.source.template().ensure_unchanged()?;
    shared.workspace.unseal()?;
    // A bake that is cut off here must not find an old memory beside the new image, and take it for a machine's.
    Memory::forget(places)?;
    finished.persist()?;
    // What would have completed an edit of the image that was there is of no use to the new one.
    redo::discard(&places.root_image(ImageFormat::Raw))?;
    let record = HostRecord::new(plan, &host.contents, record, swap, launch);
    shared.workspace.tidy_host(places, &record.file_names())?;
    kept::remember(places, host.made_from.clone(), &record, false)?;
    shared.note_host(place, plan, &record)?;
    Ok(plan.files.len())
}

/// Files that are whole but have not got their names yet.
#[derive(Debug, Default)]
pub(super) struct Finished(Vec<AtomicFile>);

impl Finished {
    /// Gives the files their names. The project counts as unfinished until all of them have been forced to the disk
    /// together, which is far cheaper than one by one.
    pub(super) fn persist(self) -> Result<(), PathError> {
        self.0
            .into_iter()
            .try_for_each(|file| file.persist(Durability::NoSync))
    }
}

/// Edits the file system `fs`, which has grown already, on the disk `overlay`; tells the digest of every changed file.
fn configure(
    shared: &Shared<'_>,
    ground: &Ground,
    overlay: &Overlay,
    mut fs: Fs,
    plan: &HostPlan,
) -> Result<Vec<Option<Sha256Digest>>, HostError> {
    let failed = |action| move |source| HostError::FileSystem { action, source };
    let esp = plan.esp.as_ref();
    apply(
        &mut fs,
        plan.edits.iter().filter(|edit| !on_esp(plan, &edit.path)),
    )?;
    if let Some(esp) = esp {
        esp.apply(overlay, &plan.edits)?;
    }
    if let Some(uuid) = plan.file_system_uuid {
        fs.set_uuid(uuid.into_bytes()).map_err(failed("write"))?;
    }
    fs.commit().map_err(failed("write"))?;
    if shared.execution.verify != Verify::None {
        shared.execution.reporter.stage(plan.name.as_str(), "check");
        ground.check(overlay, &fs)?;
    }
    let digest = |file: &FilePlan| match esp.filter(|esp| esp.has(&file.path)) {
        Some(esp) => esp.digest(overlay, &file.path),
        None => shared.digests.of(&fs, file, plan),
    };
    plan.files.iter().map(digest).collect()
}

/// Whether `path` lies on the EFI system partition of the host of `plan`.
pub(super) fn on_esp(plan: &HostPlan, path: &GuestPath) -> bool {
    plan.esp.as_ref().is_some_and(|esp| esp.has(path))
}

pub(super) fn write_swap(
    shared: &Shared<'_>,
    plan: &HostPlan,
    places: &HostPlaces,
    finished: &mut Finished,
) -> Result<Option<SwapRecord>, HostError> {
    let Some(len_bytes) = plan.swap_len_bytes else {
        return Ok(None);
    };
    let name = format!("mln-image swap {}/{}", shared.plan.name(), plan.name);
    let uuid = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes());
    let path = places.swap_image();
    let file = swap::write(&path, len_bytes, uuid)?;
    let digest = data_digest(file.file()).map_err(PathError::on("read back", file.temporary_path()))?;
    finished.0.push(file);
    Ok(Some(SwapRecord {
        file: relative(&path),
        len_bytes,
        uuid: uuid.to_string(),
        blake3_of_data: digest,
    }))
}

pub(super) fn write_launch(
    files: &[LaunchFile],
    places: &HostPlaces,
    finished: &mut Finished,
) -> Result<Vec<LaunchRecord>, PathError> {
    let mut records = Vec::with_capacity(files.len());
    for launch in files {
        let path = places.file(launch.name);
        let file = AtomicFile::create(&path)?;
        let mode = Permissions::from_mode(launch.mode.into());
        file.file()
            .write_all(launch.content.as_bytes())
            .and_then(|()| file.file().set_permissions(mode))
            .map_err(PathError::on("write", file.temporary_path()))?;
        finished.0.push(file);
        records.push(LaunchRecord {
            file: relative(&path),
            sha256: Sha256Digest::of(launch.content.as_bytes()),
        });
    }
    Ok(records)
}

/// The path of a host's file below the project's directory.
pub(super) fn relative(path: &Path) -> String {
    let name = |path: Option<&Path>| {
        path.and_then(Path::file_name)
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    format!("{}/{}", name(path.parent()), name(Some(path)))
}
