//! All hosts of a plan, in parallel: what they share is made once, and one host's failure does not stop the others.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::thread;

use rayon::iter::{IndexedParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _};
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::error::{BakeError, HostError, HostFailure, gather};
use super::manifest::{FORMAT, HostRecord, LaunchRecord, Manifest, ProjectRecord, TemplateRecord, Tool};
use super::plan::{HostPlan, Plan};
use super::template::Source;
use super::worker::{Shared, bake_batch};
use crate::base::ByteSize;
use crate::base::atomic::{self, Durability};
use crate::base::digest::Sha256Digest;
use crate::base::report::Reporter;
use crate::image::{BaseImage, RawWriter};
use crate::launch;
use crate::project::HostName;
use crate::store::{Existing, Finish, Projects, Workspace};

/// How a plan is carried out.
#[derive(Clone, Copy)]
pub struct Execution<'a> {
    /// Where projects lie.
    pub projects: &'a Projects,
    /// What becomes of a project that has been baked already.
    pub existing: Existing,
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
    /// The same, and the written file is read back whole and held against its digest.
    Full,
}

/// Carries out `plan` in the current thread pool.
///
/// # Errors
/// [`BakeError::Store`] where the project's directory cannot be had; [`BakeError::Hosts`] if some hosts failed: the
/// others' images are whole then, but the project counts as unfinished.
pub fn bake(plan: &Plan<'_>, execution: &Execution<'_>) -> Result<Manifest, BakeError> {
    let places = execution.projects.project(&plan.project.name)?;
    let shared = Shared {
        project: &plan.project.name,
        workspace: &Workspace::open(places, execution.existing)?,
        writer: RawWriter::new(),
        execution,
    };
    plan.identity
        .keep(shared.workspace.places(), execution.durability)?;
    let total = plan.hosts().len();
    execution.reporter.begin(total);
    let mut failures = Vec::new();
    let bases = scan_all(plan, &mut failures);
    let (templates, hosts) = thread::scope(|scope| {
        hash_ahead(scope, &bases);
        rayon::join(|| template_records(plan), || bake_hosts(&shared, plan, &bases))
    });
    execution.reporter.end();
    let hosts = gather(hosts, &mut failures);
    // A template that changed meanwhile is told by its hosts already.
    let templates = if failures.is_empty() {
        gather(templates, &mut failures)
    } else {
        Vec::new()
    };
    if !failures.is_empty() {
        return Err(BakeError::hosts(failures, total));
    }
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
        templates: distinct(templates),
        hosts,
        files: write_network_files(plan, &shared)?,
    };
    let domains = plan.hosts().iter().map(|host| host.domain.clone()).collect();
    let launch = launch::project_spec(plan.project, domains);
    let names: Vec<&HostName> = plan.hosts().iter().map(|host| &host.name).collect();
    shared.workspace.finish(
        &Finish {
            project_text: plan.project_text,
            launch: &launch.to_json()?,
            manifest: &manifest.to_json()?,
        },
        &names,
        execution.durability,
    )?;
    Ok(manifest)
}

/// The records without repetitions: one template may serve with several of its partitions.
fn distinct(mut records: Vec<TemplateRecord>) -> Vec<TemplateRecord> {
    records.sort();
    records.dedup();
    records
}

/// Writes the files that lie beside the hosts.
fn write_network_files(plan: &Plan<'_>, shared: &Shared<'_>) -> Result<Vec<LaunchRecord>, BakeError> {
    shared.workspace.unseal()?;
    let directory = shared.workspace.places().directory();
    plan.network_files()
        .iter()
        .map(|file| {
            let content = file.content.as_bytes();
            atomic::write(&directory.join(&file.name), content, shared.execution.durability)?;
            Ok(LaunchRecord {
                file: file.name.clone(),
                sha256: Sha256Digest::of(content),
            })
        })
        .collect()
}

/// Reads every template; hosts whose template cannot be read fail together.
fn scan_all<'a>(plan: &'a Plan<'_>, failures: &mut Vec<HostFailure>) -> BTreeMap<&'a str, Arc<BaseImage>> {
    let mut bases = BTreeMap::new();
    for (name, source) in &plan.sources {
        let scanned = source
            .template()
            .ensure_unchanged()
            .map_err(HostError::from)
            .and_then(|()| source.scan(plan.longest_image(name)));
        match scanned {
            Ok(base) => {
                bases.insert(name.as_str(), Arc::new(base));
            }
            Err(error) => failures.push(failure_of_all(plan, name, error)),
        }
    }
    bases
}

/// Hashes the templates while the first images are being written: that work waits for the disk, this for nothing.
fn hash_ahead<'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    bases: &'scope BTreeMap<&str, Arc<BaseImage>>,
) {
    for base in bases.values() {
        let builder = thread::Builder::new().name("hash".to_owned());
        // Where there is no thread to be had, the first image that needs the hashes makes them.
        drop(builder.spawn_scoped(scope, || base.hash()));
    }
}

/// How many hosts of one template are written side by side, at the most: more would gain little, and each holds its
/// changes in memory.
const BATCH_HOSTS: usize = 8;

/// Some hosts of one template.
struct Batch<'a> {
    source: &'a Source,
    base: &'a Arc<BaseImage>,
    /// The hosts, each with its place in the plan.
    hosts: Vec<(usize, &'a HostPlan)>,
}

/// Bakes every host whose template could be read; the outcomes are in the plan's order.
fn bake_hosts(
    shared: &Shared<'_>,
    plan: &Plan<'_>,
    bases: &BTreeMap<&str, Arc<BaseImage>>,
) -> Vec<Result<HostRecord, HostFailure>> {
    let mut outcomes: Vec<_> = batches(plan, bases)
        .par_iter()
        .with_max_len(1)
        .flat_map_iter(|batch| bake_and_report(shared, batch))
        .collect();
    outcomes.sort_by_key(|(place, _)| *place);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

/// Divides the hosts among the threads, at most [`BATCH_HOSTS`] of one template together.
fn batches<'a>(plan: &'a Plan<'_>, bases: &'a BTreeMap<&str, Arc<BaseImage>>) -> Vec<Batch<'a>> {
    let mut batches = Vec::new();
    for (name, source) in &plan.sources {
        let Some(base) = bases.get(name.as_str()) else {
            continue;
        };
        let hosts: Vec<_> = plan
            .hosts()
            .iter()
            .enumerate()
            .filter(|(_, host)| host.source == *name)
            .collect();
        let size = hosts
            .len()
            .div_ceil(rayon::current_num_threads())
            .clamp(1, BATCH_HOSTS);
        batches.extend(hosts.chunks(size).map(|hosts| Batch {
            source,
            base,
            hosts: hosts.to_vec(),
        }));
    }
    batches
}

fn bake_and_report(shared: &Shared<'_>, batch: &Batch<'_>) -> Vec<(usize, Result<HostRecord, HostFailure>)> {
    let plans: Vec<&HostPlan> = batch.hosts.iter().map(|(_, host)| *host).collect();
    let outcomes = bake_batch(shared, batch.source, batch.base, &plans);
    batch
        .hosts
        .iter()
        .zip(outcomes)
        .map(|((place, host), outcome)| (*place, report(shared.execution.reporter, host, outcome)))
        .collect()
}

/// Tells the reporter what became of `host`.
fn report(
    reporter: &dyn Reporter,
    host: &HostPlan,
    outcome: Result<HostRecord, HostError>,
) -> Result<HostRecord, HostFailure> {
    match outcome {
        Ok(record) => {
            reporter.done(host.name.as_str(), &summary(&record));
            Ok(record)
        }
        Err(error) => {
            reporter.failed(host.name.as_str(), &error.to_string());
            Err(HostFailure {
                hosts: vec![host.name.clone()],
                error: Box::new(error),
            })
        }
    }
}

/// What came of a host, in a few words.
fn summary(record: &HostRecord) -> String {
    format!(
        "{} in the root image, {} paths changed",
        ByteSize(record.image.len_bytes),
        record.files.len()
    )
}

/// What the manifest says of every template.
fn template_records(plan: &Plan<'_>) -> Vec<Result<TemplateRecord, HostFailure>> {
    plan.sources
        .iter()
        .map(|(name, source)| {
            let template = source.template();
            match template.digest() {
                Ok(sha256) => Ok(TemplateRecord {
                    name: template.name().to_string(),
                    sha256,
                    len_bytes: template.len_bytes(),
                    edit_time: source.now(),
                }),
                Err(error) => Err(failure_of_all(plan, name, error.into())),
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
