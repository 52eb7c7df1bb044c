//! All hosts of a plan, in parallel: what they share is made once, and one host's failure does not stop the others.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::thread;

use rayon::iter::{IndexedParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _};
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::error::{BakeError, HostError, HostFailure, gather};
use super::ground::Prepared;
use super::group::{Group, bake_group, groups};
use super::kept::{self, Remade, Trust};
use super::key::Keys;
use super::manifest::{FORMAT, HostRecord, LaunchRecord, Manifest, ProjectRecord, TemplateRecord, Tool};
use super::others::Others;
use super::plan::{HostPlan, Plan};
use super::worker::{Order, Shared};
use crate::base::atomic::Durability;
use crate::base::digest::Sha256Digest;
use crate::base::report::Reporter;
use crate::image::RawWriter;
use crate::launch;
use crate::project::{HostName, ImageFormat, compare_names};
use crate::store::{Existing, Finish, Projects, Workspace};

/// How a plan is carried out.
#[derive(Clone, Copy)]
pub struct Execution<'a> {
    /// Where projects lie.
    pub projects: &'a Projects,
    /// What becomes of a project that has been baked already.
    pub existing: Existing,
    /// Whether hosts that are as they would be baked again are kept.
    pub keep: bool,
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
            .field("verify", &self.verify)
            .field("durability", &self.durability)
            .finish_non_exhaustive()
    }
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
/// [`BakeError::Store`] where the project's directory cannot be had; [`BakeError::Hosts`] if some hosts failed: the
/// others' images are whole then, but the project counts as unfinished.
pub fn bake(plan: &Plan<'_>, execution: &Execution<'_>) -> Result<Manifest, BakeError> {
    let places = execution.projects.project(&plan.project.name)?;
    let workspace = Workspace::open(places, execution.existing)?;
    let others = Others::read(&workspace, plan);
    let shared = Shared {
        project: &plan.project.name,
        workspace: &workspace,
        writer: RawWriter::new(),
        execution,
    };
    plan.identity
        .keep(shared.workspace.places(), execution.durability)?;
    let total = plan.hosts().len();
    execution.reporter.begin(total);
    let mut failures = Vec::new();
    let mut templates = distinct(gather(template_records(plan), &mut failures));
    let mut baked = bake_plan(&shared, plan, &mut failures);
    execution.reporter.end();
    if !failures.is_empty() {
        return Err(BakeError::hosts(failures, total));
    }
    baked.hosts.sort_by_key(|(place, _)| *place);
    others.add_templates(&mut templates);
    let manifest = Manifest {
        format: FORMAT,
        tool: Tool {
            name: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
        },
        project: ProjectRecord {
            name: plan.project.name.clone(),
            sha256: plan.project_digest(),
        },
        templates,
        hosts: baked.hosts.into_iter().map(|(_, host)| host).collect(),
        files: write_network_files(plan, &shared, &others)?,
        others: others.hosts,
        kept: baked.kept,
    };
    let own = manifest
        .hosts
        .iter()
        .filter_map(|host| host.image.backing.as_ref());
    let backings = own.map(|backing| backing.file.clone()).chain(others.backings);
    let mut domains: Vec<_> = plan.hosts().iter().map(|host| host.domain.clone()).collect();
    domains.extend(others.domains);
    domains.sort_by(|one, other| compare_names(one.host.as_str(), other.host.as_str()));
    let launch = launch::project_spec(plan.project, domains);
    let names: Vec<&HostName> = plan.project.hosts.iter().map(|host| &host.name).collect();
    workspace.finish(&Finish {
        project_text: plan.project_text,
        launch: &launch.to_json()?,
        manifest: &manifest.to_json()?,
        hosts: &names,
        backings: &backings.collect(),
        durability: execution.durability,
    })?;
    Ok(manifest)
}

/// The records without repetitions: one template may serve with several of its partitions.
fn distinct(mut records: Vec<TemplateRecord>) -> Vec<TemplateRecord> {
    records.sort();
    records.dedup();
    records
}

/// Writes the files that lie beside the hosts.
fn write_network_files(
    plan: &Plan<'_>,
    shared: &Shared<'_>,
    others: &Others,
) -> Result<Vec<LaunchRecord>, BakeError> {
    let directory = shared.workspace.places().directory();
    plan.network_files()
        .iter()
        .map(|file| {
            let content = others.add_known(plan, file);
            let content = content.as_bytes();
            let path = directory.join(&file.name);
            shared
                .workspace
                .put(&path, content, shared.execution.durability)?;
            Ok(LaunchRecord {
                file: file.name.clone(),
                sha256: Sha256Digest::of(content),
            })
        })
        .collect()
}

/// What came of the hosts that did not fail.
#[derive(Debug, Default)]
struct Baked {
    /// Each with its place in the plan.
    hosts: Vec<(usize, HostRecord)>,
    kept: usize,
}

/// Keeps what can be kept, and bakes the rest.
fn bake_plan(shared: &Shared<'_>, plan: &Plan<'_>, failures: &mut Vec<HostFailure>) -> Baked {
    let keys = Keys::new(&plan.identity.key);
    let failed_already: BTreeSet<&HostName> = failures.iter().flat_map(|failure| &failure.hosts).collect();
    let settled: Vec<Result<Settled<'_>, HostFailure>> = plan
        .hosts()
        .par_iter()
        .enumerate()
        .filter(|(_, host)| !failed_already.contains(&host.name))
        .map(|(place, host)| {
            settle(shared, plan, &keys, place, host).map_err(|error| failed(shared, host, error))
        })
        .collect();
    let mut baked = Baked::default();
    let mut orders = Vec::new();
    for settled in gather(settled, failures) {
        match settled {
            Settled::Kept(place, record) => {
                baked.kept += 1;
                baked.hosts.push((place, *record));
            }
            Settled::Order(order) => orders.push(order),
        }
    }
    let prepared = prepare_all(plan, &orders, failures);
    let groups = groups(plan, &prepared, orders);
    let outcomes: Vec<_> = thread::scope(|scope| {
        hash_ahead(scope, &groups);
        let bake = |group| bake_group(shared, group);
        groups.par_iter().with_max_len(1).flat_map_iter(bake).collect()
    });
    baked.hosts.extend(gather(outcomes, failures));
    baked
}

/// What becomes of a host.
enum Settled<'a> {
    Kept(usize, Box<HostRecord>),
    Order(Order<'a>),
}

/// Finds out whether `host` can be kept.
fn settle<'a>(
    shared: &Shared<'_>,
    plan: &'a Plan<'_>,
    keys: &Keys<'_>,
    place: usize,
    host: &'a HostPlan,
) -> Result<Settled<'a>, HostError> {
    let source = plan
        .sources
        .get(&host.source)
        .expect("a host was planned from a source");
    let key = keys.key(shared.project, host, source)?;
    let order = |why| {
        Settled::Order(Order {
            place,
            plan: host,
            key,
            why,
        })
    };
    if !shared.execution.keep {
        return Ok(order(None));
    }
    let places = shared.workspace.places();
    let is_proved = shared.execution.verify == Verify::Full || !shared.workspace.was_sealed();
    let trust = if is_proved { Trust::Digests } else { Trust::Looks };
    match kept::recall(&places.directory(), &places.host(&host.name), host, key, trust) {
        Ok(record) => {
            let why = "kept, since nothing that it is made from has changed";
            shared.execution.reporter.done(host.name.as_str(), why);
            Ok(Settled::Kept(place, Box::new(record)))
        }
        Err(Remade::New) => Ok(order(None)),
        Err(why) => Ok(order(Some(why))),
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
        let hosts: Vec<&HostPlan> = orders
            .iter()
            .map(|order| order.plan)
            .filter(|host| host.source == *name)
            .collect();
        if hosts.is_empty() {
            continue;
        }
        match Prepared::new(source, &hosts) {
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
    let copied = groups
        .iter()
        .filter(|group| group.like().format == ImageFormat::Raw);
    let bases: BTreeMap<&str, &Prepared> = copied
        .map(|group| (group.like().source.as_str(), group.prepared))
        .collect();
    for prepared in bases.into_values() {
        let builder = thread::Builder::new().name("hash".to_owned());
        // Where there is no thread to be had, the first image that needs the hashes makes them.
        drop(builder.spawn_scoped(scope, || prepared.base.hash()));
    }
}

/// Tells the reporter that `host` failed.
fn failed(shared: &Shared<'_>, host: &HostPlan, error: HostError) -> HostFailure {
    let reporter = shared.execution.reporter;
    reporter.failed(host.name.as_str(), &error.to_string());
    HostFailure {
        hosts: vec![host.name.clone()],
        error: Box::new(error),
    }
}

/// What the manifest says of every template.
fn template_records(plan: &Plan<'_>) -> Vec<Result<TemplateRecord, HostFailure>> {
    plan.sources
        .iter()
        .map(|(name, source)| {
            let template = source.template();
            match source.digest() {
                Ok(sha256) => Ok(TemplateRecord {
                    name: template.name().to_string(),
                    sha256,
                    len_bytes: template.len_bytes(),
                    edit_time: source.now(),
                }),
                Err(error) => Err(failure_of_all(plan, name, error)),
            }
        })
        .collect()
}

/// The failure of every host that is made from the template `name`.
fn failure_of_all(plan: &Plan<'_>, name: &str, error: HostError) -> HostFailure {
    let hosts = plan.hosts().iter().filter(|host| host.source == name);
    HostFailure {
        hosts: hosts.map(|host| host.name.clone()).collect(),
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
