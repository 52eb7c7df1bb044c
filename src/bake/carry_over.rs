//! A host brought to a new description in its own image, raw or delta, so that what its machine has written stays.
//!
//! Only paths of which the description asks for something else than before are touched, and what they get follows from
//! the guest as it is now. What the description asks for no more goes back to what the template has, unless the machine
//! has changed it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;

use super::apply::apply;
use super::changes::{Action, HostChange};
use super::compare::changed_paths;
use super::error::HostError;
use super::esp::EspPlace;
use super::guest_view::ExtView;
use super::host_plan::{self, FilePlan, HostPlan};
use super::kept;
use super::lain_over::{backing_record, grown_backing};
use super::manifest::{BackingRecord, HostRecord, ImageDigest, ImageRecord};
use super::memory::{Inputs, Memory, Wish};
use super::offline::{OfflineError, change_image_over};
use super::plan::Outline;
use super::worker::{Finished, Shared, on_esp, relative, write_launch, write_swap};
use crate::base::digest::Sha256Digest;
use crate::base::{FileKind, GuestPath, Origin, PathError, Timestamp};
use crate::block::BlockDevice;
use crate::edit::{Attributes, Change, Edit, EditList, GuestView as _};
use crate::ext::Fs;
use crate::guest::HostKeys;
use crate::image::{self, Blake3Digest, data_digest};
use crate::project::ImageFormat;
use crate::store::HostPlaces;

/// The digests of the guest's files that the plan names.
type Contents = Vec<Option<Sha256Digest>>;

/// Carries out `change`, which keeps the image of the host of `outline`, at the time `now`.
pub(super) fn carry_over(
    shared: &Shared<'_>,
    outline: &Outline,
    change: &HostChange,
    now: Timestamp,
) -> Result<(), HostError> {
    let plan = &*shared.plan.host(outline)?;
    let places = shared.workspace.make_host(&plan.name)?;
    let memory = Memory::read(&places);
    let (key, own_inputs) = shared.keys.of(shared.plan.name(), plan, &outline.source)?;
    let is_edited = change.action == Action::Reconfigure;
    let old = memory.as_ref().and_then(|memory| memory.inputs.as_ref());
    let (image, contents) = if is_edited {
        shared.execution.reporter.stage(plan.name.as_str(), "configure");
        let contents = edit(shared, outline, plan, &places, (change, old, &own_inputs, now))?;
        let known = memory.as_ref().and_then(|memory| memory.image.backing.as_ref());
        (image_record(shared, plan, &places, known)?, contents)
    } else {
        let memory = memory.as_ref().ok_or(HostError::NotRemembered)?;
        let mut image = memory.image.clone();
        // Of what cannot be read, which nobody asks to change, what was recorded stays true.
        if let Ok(found) = backing_record(shared, &places.root_image(plan.format), image.backing.as_ref()) {
            image.backing = found;
        }
        (image, remembered(plan, memory))
    };
    // What the image was made from stays true.
    let template = old.map_or_else(|| own_inputs.template.clone(), |old| old.template.clone());
    shared.note_template(template.clone());
    let mut record = HostRecord::new(plan, &contents, image, None, Vec::new());
    record.template = template.name.clone().into();
    let known = memory.as_ref().filter(|_| change.action == Action::Keep);
    if let Some(memory) = known {
        record.swap.clone_from(&memory.swap);
        record.launch.clone_from(&memory.launch);
        return Ok(shared.note_host(outline.place, plan, &record)?);
    }
    // Only now, since an image that could not be changed is as it was, and so is the project.
    shared.workspace.unseal()?;
    write_beside(shared, plan, &places, memory.as_ref(), &mut record)?;
    let inputs = Inputs {
        template,
        ..own_inputs
    };
    kept::remember(&places, (key, inputs), &record, change.is_written)?;
    shared.execution.reporter.done(plan.name.as_str(), done(change));
    Ok(shared.note_host(outline.place, plan, &record)?)
}

/// What was done, for a person.
fn done(change: &HostChange) -> &'static str {
    match (change.action, change.is_written) {
        (Action::Reconfigure, _) => "changed where it lies; what was written to it stays",
        _ => "its image stays as it is",
    }
}

/// Writes the files beside the image, and puts what they are into `record`.
fn write_beside(
    shared: &Shared<'_>,
    plan: &HostPlan,
    places: &HostPlaces,
    memory: Option<&Memory>,
    record: &mut HostRecord<'_>,
) -> Result<(), HostError> {
    let mut finished = Finished::default();
    let old = memory.and_then(|memory| memory.swap.clone());
    let is_same = |old: &super::manifest::SwapRecord| {
        Some(old.len_bytes) == plan.swap_len_bytes && places.swap_image().is_file()
    };
    record.swap = match old.filter(is_same) {
        Some(old) => Some(old),
        None => write_swap(shared, plan, places, &mut finished)?,
    };
    record.launch = write_launch(&plan.launch, places, &mut finished)?;
    finished.persist()?;
    Ok(shared.workspace.tidy_host(places, &record.file_names())?)
}

/// The digests of the guest's changed files as the host was baked; none for those of which nothing is known.
fn remembered(plan: &HostPlan, memory: &Memory) -> Contents {
    let wishes = memory.inputs.as_ref().map(|inputs| &inputs.wishes);
    let content = |path: String| wishes.and_then(|wishes| wishes.get(&path)?.content);
    plan.files
        .iter()
        .map(|file| content(file.path.to_string()))
        .collect()
}

/// Resizes the host's own file system, and edits it.
fn edit(
    shared: &Shared<'_>,
    outline: &Outline,
    plan: &HostPlan,
    places: &HostPlaces,
    (change, old, new, now): (&HostChange, Option<&Inputs>, &Inputs, Timestamp),
) -> Result<Contents, HostError> {
    let image = places.root_image(plan.format);
    let partition = plan.root_partition.map(|number| number.to_string());
    let durability = shared.execution.durability;
    let template = old.map_or(plan.template.as_str(), |old| &old.template.name);
    let other = |backing: &Path, len_bytes| grown_backing(shared, template, backing, len_bytes);
    let edited = change_image_over(
        &image,
        partition.as_deref(),
        now,
        durability,
        &other,
        |fs, around| {
            let failed = |action| move |source| HostError::FileSystem { action, source };
            if let Some(len_bytes) = change.len_bytes {
                let blocks = len_bytes / u64::from(fs.block_size().bytes()).max(1);
                fs.resize(blocks).map_err(failed("resize"))?;
            }
            let esp = plan.esp.as_ref().map(|place| (place, around.disk));
            let edits = edits(shared, outline, (fs, esp), old, new)?;
            apply(fs, edits.iter().filter(|edit| !on_esp(plan, &edit.path)))?;
            if let Some((place, disk)) = esp {
                place.ensure_is_still_in(around.root, &edits)?;
                place.apply(disk, &edits)?;
            }
            fs.commit().map_err(failed("write"))?;
            let digest = |file: &FilePlan| match esp.filter(|(place, _)| place.has(&file.path)) {
                Some((place, disk)) => place.digest(disk, &file.path),
                None => shared.digests.of(fs, file, plan),
            };
            let contents: Result<Contents, HostError> = plan.files.iter().map(digest).collect();
            Ok::<_, OfflineError>(contents?)
        },
    );
    match edited {
        Ok(edited) => Ok(edited.value),
        Err(OfflineError::Edit(error)) => Err(error),
        Err(error) => Err(error.into()),
    }
}

/// The edits of the guest in `fs`: what the project asks for now and did not before.
fn edits(
    shared: &Shared<'_>,
    outline: &Outline,
    (fs, esp): (&Fs, Option<(&EspPlace, &dyn BlockDevice)>),
    old: Option<&Inputs>,
    new: &Inputs,
) -> Result<EditList, HostError> {
    let view = ExtView::new(fs);
    let none = BTreeMap::new();
    let old = old.map_or(&none, |old| &old.wishes);
    let changed = changed_paths(old, &new.wishes);
    let mut edits = EditList::new();
    let plan = shared.plan;
    let mut wanted = host_plan::configured(
        &plan.request,
        &plan.numbers,
        &plan.described(outline),
        &outline.source,
        (&view, HostKeys::Made),
    )?;
    EspPlace::of(&outline.source, &mut wanted.edits)?;
    for edit in wanted.edits {
        let path = edit.path.to_string();
        let is_unchanged = new.wishes.contains_key(&path) && !changed.contains(path.as_str());
        // What a running machine has, such as its seeds and leases, is its own.
        let is_its_own = edit.change == Change::Absent && !changed.contains(path.as_str());
        if !is_unchanged && !is_its_own {
            edits.push(edit);
        }
    }
    let still: BTreeSet<&String> = new.wishes.keys().collect();
    for (path, wish) in old.iter().filter(|(path, _)| !still.contains(path)) {
        let on_esp = esp.zip(GuestPath::new(path).ok());
        match on_esp.filter(|((place, _), path)| place.has(path)) {
            Some(((place, disk), path)) => {
                edits.extend(place.given_up(disk, &outline.source, path, wish.content)?);
            }
            None => edits.extend(given_up(&view, &outline.source.view(), path, wish)?),
        }
    }
    Ok(edits)
}

/// The edit that gives `path` back what the template has there, if it is still as the project wanted it.
fn given_up(
    view: &ExtView<'_>,
    template: &ExtView<'_>,
    path: &str,
    wish: &Wish,
) -> Result<Option<Edit>, HostError> {
    let Ok(path) = GuestPath::new(path) else {
        return Ok(None);
    };
    // What lies in a home directory belongs to a user, who stays; only keys to log in with do not.
    if path.starts_with(&GuestPath::literal("/home")) && !path.to_string().contains("/.ssh/") {
        return Ok(None);
    }
    let is_as_wanted = match (&wish.content, &wish.link) {
        (Some(digest), _) => view
            .read(&path)?
            .is_some_and(|found| Sha256Digest::of(&found) == *digest),
        (None, Some(link)) => view
            .read_link(&path)?
            .is_some_and(|found| found == link.as_bytes()),
        (None, None) => false,
    };
    if !is_as_wanted {
        return Ok(None);
    }
    let origin = Origin::implied("the project asks for it no more");
    let Some(info) = template.info(&path)? else {
        return Ok(Some(Edit::absent(path, origin)));
    };
    let attributes = Attributes::owned(info.mode, info.uid, info.gid);
    Ok(match info.kind {
        FileKind::Regular => template
            .read(&path)?
            .map(|content| Edit::file(path, content, attributes, origin)),
        FileKind::Symlink => template
            .read_link(&path)?
            .map(|target| Edit::symlink(path, target, origin)),
        _ => None,
    })
}

/// What the image is now; of what it lay over before, `known` was recorded.
fn image_record(
    shared: &Shared<'_>,
    plan: &HostPlan,
    places: &HostPlaces,
    known: Option<&BackingRecord>,
) -> Result<ImageRecord, HostError> {
    let path = places.root_image(plan.format);
    let opened = image::open(&path).map_err(OfflineError::from);
    let len_bytes = opened.map_err(HostError::from)?.device.len_bytes();
    let file = File::open(&path).map_err(PathError::on("open", &path))?;
    let digest = match plan.format {
        ImageFormat::UmlCow => data_digest(&file).map(ImageDigest::Data),
        _ => Blake3Digest::of_reader(file).map(ImageDigest::Whole),
    };
    Ok(ImageRecord {
        file: relative(&path),
        format: plan.format,
        len_bytes,
        digest: digest.map_err(PathError::on("read", &path))?,
        changed_units: None,
        backing: backing_record(shared, &path, known)?,
    })
}
