//! All hosts of a plan, in parallel: what they share is made once, and one host's failure does not stop the others.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Mutex;
use std::thread;

use rayon::iter::{IndexedParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _};
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::carry_over::carry_over;
use super::changes::{Action, HostChange, Upgrade, changes};
use super::closing;
use super::error::{BakeError, HostError, HostFailure, gather};
use super::ground::Prepared;
use super::group::{Group, bake_group, groups};
use super::guest_digest::GuestDigests;
use super::kept::{self, Remade, Trust};
use super::key::Keys;
use super::losses;
use super::manifest::{Baked, ProjectRecord, TemplateRecord};
use super::others::Others;
use super::plan::{Outline, Plan, Shape};
use super::spool::Spool;
use super::worker::{Order, Shared};
use crate::base::atomic::Durability;
use crate::base::digest::Sha256Digest;
use crate::base::report::Reporter;
use crate::image::RawWriter;
use crate::project::HostName;
use crate::store::{Existing, Projects, Workspace};

/// How a plan is carried out.
#[derive(Clone, Copy)]
pub struct Execution<'a> {
    /// Where projects lie.
    pub projects: &'a Projects,
    /// What becomes of a project that has been baked already.
    pub existing: Existing,
    /// Whether hosts that are as they would be baked again are kept.
    pub keep: bool,
    /// What becomes of images that have been written to since they were made.
    pub written: Written<'a>,
    /// How much is proved before an image gets its name.
    pub verify: Verify,
    /// Whether files are forced to the disk.
    pub durability: Durability,
    /// Hears how the work gets on.
    pub reporter: &'a dyn Reporter,
}

impl fmt::Debug for Execution<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Execution")
            .field("projects", &self.projects)
            .field("existing", &self.existing)
            .field("keep", &self.keep)
            .field("written", &self.written)
            .field("verify", &self.verify)
            .field("durability", &self.durability)
            .finish_non_exhaustive()
    }
}

/// What becomes of images that machines, or people, have written to since they were made, where they would be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written<'a> {
    /// Nothing is baked, and the hosts are named.
    Refuse,
    /// What was written is lost.
    Discard,
    /// They are changed where they lie, and so keep it.
    CarryOver(&'a Upgrade<'a>),
}

/// How much of an image is proved before it gets its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verify {
    /// Nothing.
    None,
    /// The finished file system is checked in memory.
    Quick,
    /// The same, and the written file is read back whole and held against what was computed. Hosts that are kept have
    /// to prove their digests.
    Full,
}

/// Carries out `plan` in the current thread pool.
///
/// # Errors
/// [`BakeError::Store`] where the project's directory cannot be had; [`BakeError::WouldLose`] with nothing done; [`BakeError::Hosts`] if some hosts failed: the
/// others' images are whole then, but the project counts as unfinished.
pub fn bake(plan: &Plan<'_>, execution: &Execution<'_>) -> Result<Baked, BakeError> {
    let places = execution.projects.project(plan.name())?;
    let workspace = Workspace::open(places, execution.existing)?;
    let upgrades = settle_written(plan, execution, &workspace)?;
    let others = Others::read(&workspace, plan);
    let waiting = |name: &str| Spool::new(&workspace.places().directory().join(name));
    let shared = Shared {
        plan,
        workspace: &workspace,
        writer: RawWriter::new(execution.durability),
        execution,
        keys: Keys::new(&plan.request.identity.key),
        digests: GuestDigests::default(),
        records: waiting("records"),
        known: waiting("known"),
        backings: Mutex::default(),
        grown: Mutex::default(),
        upgrades,
        templates: Mutex::default(),
    };
    let identity = plan.request.identity;
    identity.keep(workspace.places(), execution.durability)?;
    let total = plan.count();
    execution.reporter.begin(total);
    let mut failures = Vec::new();
    let mut templates = gather(template_records(plan), &mut failures);
    let kept = bake_plan(&shared, &mut failures);
    execution.reporter.end();
    if !failures.is_empty() {
        return Err(BakeError::hosts(failures, total));
    }
    templates.extend(shared.noted_templates());
    let mut templates = distinct(templates);
    others.add_templates(&mut templates);
    others.note(&shared)?;
    let text = plan.request.project_text.make();
    let baked = Baked {
        project: ProjectRecord {
            name: plan.name().to_owned(),
            sha256: Sha256Digest::of(text.as_bytes()),
        },
        templates,
        hosts: total,
        kept,
    };
    closing::close(shared, &others, &baked, &text)?;
    Ok(baked)
}

/// Sees to it that nothing is lost that was written to images, unless it may be; answers what becomes of each host in an
/// upgrade.
fn settle_written(
    plan: &Plan<'_>,
    execution: &Execution<'_>,
    workspace: &Workspace,
) -> Result<BTreeMap<String, HostChange>, BakeError> {
    let upgrade = match execution.written {
        Written::Discard => return Ok(BTreeMap::new()),
        Written::Refuse => {
            losses::refuse(plan, workspace.places(), execution.keep)?;
            return Ok(BTreeMap::new());
        }
        Written::CarryOver(upgrade) => upgrade,
    };
    let changes = changes(plan, upgrade)?;
    let blocked = changes.iter().filter(|change| change.obstacle.is_some());
    let hosts: Vec<HostName> = blocked.map(|change| change.host.clone()).collect();
    if !hosts.is_empty() {
        return Err(BakeError::WouldLose { hosts });
    }
    if upgrade.keep_removed {
        let gone = changes.iter().filter(|change| change.action == Action::Remove);
        gone.map(|change| &change.host)
            .try_for_each(|name| workspace.set_aside(name))?;
    }
    let named = changes
        .into_iter()
        .map(|change| (change.host.to_string(), change));
    Ok(named.collect())
}

/// The records without repetitions: one template may serve with several of its partitions.
fn distinct(mut records: Vec<TemplateRecord>) -> Vec<TemplateRecord> {
    records.sort();
    records.dedup();
    records
}

/// Keeps what can be kept, and bakes the rest; answers how many hosts were kept.
fn bake_plan(shared: &Shared<'_>, failures: &mut Vec<HostFailure>) -> usize {
    let plan = shared.plan;
    let failed_already: BTreeSet<&HostName> = failures.iter().flat_map(|failure| &failure.hosts).collect();
    let settled: Vec<Result<Option<Order<'_>>, HostFailure>> = plan
        .outlines
        .par_iter()
        .map(|outline| {
            if failed_already.contains(&outline.name) {
                return Ok(None);
            }
            settle(shared, outline).map_err(|error| failed(shared, outline, error))
        })
        .collect();
    let settled = gather(settled, failures);
    let count = settled.len();
    let orders: Vec<Order<'_>> = settled.into_iter().flatten().collect();
    let kept = count - orders.len();
    let prepared = prepare_all(plan, &orders, failures);
    let groups = groups(&prepared, orders);
    let failed: Vec<HostFailure> = thread::scope(|scope| {
        hash_ahead(scope, &groups);
        let bake = |group| bake_group(shared, group);
        groups.par_iter().with_max_len(1).flat_map_iter(bake).collect()
    });
    failures.extend(failed);
    kept
}

/// Keeps the host of `outline` if that can be; else answers that it has to be baked, and why.
fn settle<'a>(shared: &Shared<'a>, outline: &'a Outline) -> Result<Option<Order<'a>>, HostError> {
    let order = |why| Ok(Some(Order { outline, why }));
    let places = shared.workspace.places();
    let own = places.host(&outline.name);
    if let (Written::CarryOver(upgrade), Some(change)) = (
        shared.execution.written,
        shared.upgrades.get(outline.name.as_str()),
    ) {
        match (change.action, change.is_written) {
            (Action::Keep, true) | (Action::Restart | Action::Reconfigure, _) => {
                carry_over(shared, outline, change, upgrade.now)?;
                return Ok(None);
            }
            (Action::Keep, false) => {}
            (Action::Rebake | Action::Bake | Action::Remove, _) => return order(None),
        }
    }
    if !shared.execution.keep || !kept::is_known(&own) {
        return order(None);
    }
    let plan = shared.plan.host(outline)?;
    let (key, _) = shared.keys.of(shared.plan.name(), &plan, &outline.source)?;
    let is_proved = shared.execution.verify == Verify::Full || !shared.workspace.was_sealed();
    let trust = if is_proved { Trust::Digests } else { Trust::Looks };
    match kept::recall(&places.directory(), &own, &plan, key, trust) {
        Ok(record) => {
            shared.note_host(outline.place, &plan, &record)?;
            let why = "kept, since nothing that it is made from has changed";
            shared.execution.reporter.done(plan.name.as_str(), why);
            Ok(None)
        }
        Err(why) => {
            shared.plan.put_back(outline, plan);
            order(Some(why).filter(|why| !matches!(why, Remade::New)))
        }
    }
}

/// Prepares every template that something is to be made from; hosts whose template cannot be read fail together.
fn prepare_all<'a>(
    plan: &'a Plan<'_>,
    orders: &[Order<'_>],
    failures: &mut Vec<HostFailure>,
) -> BTreeMap<&'a str, Prepared> {
    let mut prepared = BTreeMap::new();
    for (name, source) in &plan.sources {
        let own = orders.iter().map(|order| order.outline);
        let own = own.filter(|outline| outline.source.key() == name);
        let shapes: BTreeSet<Shape> = own.map(|outline| outline.shape).collect();
        if shapes.is_empty() {
            continue;
        }
        match Prepared::new(source, &shapes) {
            Ok(made) => {
                prepared.insert(name.as_str(), made);
            }
            Err(error) => failures.push(failure_of_all(plan, name, error)),
        }
    }
    prepared
}

/// Hashes the templates while the first images are being written: that work waits for the disk, this for nothing.
fn hash_ahead<'scope>(scope: &'scope thread::Scope<'scope, '_>, groups: &[Group<'scope>]) {
    let copied = groups.iter().filter(|group| !group.shape.format.is_delta());
    let bases: BTreeMap<&str, _> = copied
        .map(|group| (group.source.key(), (group.source, group.prepared)))
        .collect();
    for (source, prepared) in bases.into_values() {
        let builder = thread::Builder::new().name("hash".to_owned());
        // Where there is no thread to be had, the first image that needs the hashes makes them.
        drop(builder.spawn_scoped(scope, || prepared.hash(source)));
    }
}

/// Tells the reporter that the host of `outline` failed.
fn failed(shared: &Shared<'_>, outline: &Outline, error: HostError) -> HostFailure {
    let reporter = shared.execution.reporter;
    reporter.failed(outline.name.as_str(), &error.to_string());
    HostFailure {
        hosts: vec![outline.name.clone()],
        error: Box::new(error),
    }
}

/// What the manifest says of every template.
fn template_records(plan: &Plan<'_>) -> Vec<Result<TemplateRecord, HostFailure>> {
    plan.sources
        .iter()
        .map(|(name, source)| {
            let record = source.record();
            record.map_err(|error| failure_of_all(plan, name, error))
        })
        .collect()
}

/// The failure of every host that is made from the template `name`.
fn failure_of_all(plan: &Plan<'_>, name: &str, error: HostError) -> HostFailure {
    let hosts = plan
        .outlines
        .iter()
        .filter(|outline| outline.source.key() == name);
    HostFailure {
        hosts: hosts.map(|outline| outline.name.clone()).collect(),
        error: Box::new(error),
    }
}

/// A pool of `jobs` threads to plan and bake in.
pub fn threads(jobs: usize) -> Result<ThreadPool, BakeError> {
    ThreadPoolBuilder::new()
        .num_threads(jobs)
        .thread_name(|index| format!("bake-{index}"))
        .build()
        .map_err(|source| BakeError::Threads { jobs, source })
}
