//! What a bake will do, as data, before a byte is written.
//!
//! ```text
//!   every host --plan--> outline     all are planned before the first is baked: what is wrong is told at once
//!                  \--> HostPlan    held for the first few, until their turn comes; made again for the others
//! ```
//!
//! A host's plan takes a hundred times the memory of its description, and making it again costs little beside baking it:
//! so a bake of ten thousand hosts holds no more plans than one of a hundred.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use super::diff::{FileDiff, diff};
use super::error::{BakeError, HostError, HostFailure, gather};
use super::esp::FullView;
use super::host_plan::{HostPlan, domain, plan_host};
use super::identity::{Identity, IdentitySource};
use super::network_files::Numbers;
use super::selection::Selection;
use super::template::Source;
use super::wanted::{Wanted, open_sources};
use crate::base::Timestamp;
use crate::base::digest::Sha256Digest;
use crate::guest::{GuestIdentity, HostKeys};
use crate::launch::{DomainSpec, LaunchSettings};
use crate::plugin::Guests;
use crate::project::{AddressBook, CanonicalText, Host, HostName, Hosts, ImageFormat, Project};
use crate::store::Projects;
use crate::template::Store;

/// A usual [`Request::held_bytes`]: the plans of some hundred hosts.
pub const HELD_BYTES: usize = 3 << 20;

/// What is to be baked, and from what.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The project, checked.
    pub project: &'a Project,
    /// The plugins that configure guests.
    pub plugins: Option<&'a Guests>,
    /// The project's text, as it will lie beside the images.
    pub project_text: &'a CanonicalText,
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
    /// How much memory plans may take that wait for their hosts' turn, roughly; beyond that they are made again.
    pub held_bytes: usize,
}

/// What a bake will do.
#[derive(Debug)]
pub struct Plan<'a> {
    pub(super) request: Request<'a>,
    pub(super) sources: BTreeMap<String, Arc<Source>>,
    pub(super) numbers: Numbers,
    pub(super) outlines: Vec<Outline>,
    held: Held,
    warnings: BTreeMap<usize, (HostName, Vec<String>)>,
}

/// Plans that were made already and not asked for yet, by their hosts' places in the project.
type Held = Mutex<BTreeMap<usize, Box<HostPlan>>>;

/// What is remembered of every planned host.
#[derive(Debug)]
pub(super) struct Outline {
    /// Its place in the project.
    pub(super) place: usize,
    pub(super) name: HostName,
    pub(super) source: Arc<Source>,
    pub(super) shape: Shape,
}

/// What hosts of one template have to have in common to begin from the same file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shape {
    /// The length of the disk.
    pub(super) len_bytes: u64,
    pub(super) format: ImageFormat,
}

/// Finds out what a bake will do, in the current thread pool. Nothing is written.
///
/// # Errors
/// [`BakeError::Hosts`] with every host whose template, configuration or need of space is in the way.
pub fn plan<'a>(request: &Request<'a>) -> Result<Plan<'a>, BakeError> {
    let mut failures = Vec::new();
    let sources = open_sources(request, &mut failures);
    let numbers = Numbers::of(request.project, &request.identity.key)?;
    let hosts = &request.project.hosts;
    let first = FirstPlans::default();
    let outline = |place| -> Result<Option<Outline>, HostFailure> {
        if !request.selection.has(&hosts.name_at(place)) {
            return Ok(None);
        }
        let host = hosts.at(place);
        let Some(source) = sources.get(&Wanted::of(request, &host).key()) else {
            return Ok(None);
        };
        let keys = request.keys_of_a_first_plan(first.held_bytes());
        let plan =
            plan_host(request, &numbers, &host, source, keys).map_err(|error| failure(&host.name, error))?;
        let outline = Outline::of(place, source, &plan);
        first.take_in(request, place, plan, keys);
        Ok(Some(outline))
    };
    let planned = (0..hosts.len()).into_par_iter().map(outline).collect();
    let mut outlines: Vec<Outline> = gather(planned, &mut failures).into_iter().flatten().collect();
    // They live as long as the bake.
    outlines.shrink_to_fit();
    let first = first.0.into_inner().unwrap_or_else(PoisonError::into_inner);
    failures.extend(same_identities(first.identities, hosts));
    if failures.is_empty() {
        return Ok(Plan {
            request: *request,
            sources,
            numbers,
            outlines,
            held: Mutex::new(first.held),
            warnings: first.warnings,
        });
    }
    Err(BakeError::hosts(failures, request.project.hosts.len()))
}

/// What is gathered while every host is planned for the first time.
#[derive(Default)]
struct FirstPlans(Mutex<Gathered>);

#[derive(Default)]
struct Gathered {
    held: BTreeMap<usize, Box<HostPlan>>,
    held_bytes: usize,
    identities: Vec<KnownBy>,
    warnings: BTreeMap<usize, (HostName, Vec<String>)>,
}

impl FirstPlans {
    fn held_bytes(&self) -> usize {
        self.gathered().held_bytes
    }

    /// Notes what has to be known of the plan of the host at `place`, and holds it if it is whole and there is room.
    fn take_in(&self, request: &Request<'_>, place: usize, plan: HostPlan, keys: HostKeys) {
        let own = ids(&plan.identity).map(|id| (id, place));
        let weight = plan.weight_bytes();
        let mut gathered = self.gathered();
        gathered.identities.extend(own);
        if !plan.warnings.is_empty() {
            let told = (plan.name.clone(), plan.warnings.clone());
            gathered.warnings.insert(place, told);
        }
        if keys == HostKeys::Made {
            gathered.held_bytes += weight;
            if gathered.held_bytes <= request.held_bytes {
                gathered.held.insert(place, Box::new(plan));
            }
        }
    }

    fn gathered(&self) -> MutexGuard<'_, Gathered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Request<'_> {
    /// Whether the plan of a host needs its keys where plans of `held_bytes` are held already. One that will not be held
    /// does not, unless there are plugins, which might look at them.
    fn keys_of_a_first_plan(&self, held_bytes: usize) -> HostKeys {
        let has_plugins = self.plugins.is_some_and(|guests| !guests.used().is_empty());
        if held_bytes < self.held_bytes || has_plugins {
            HostKeys::Made
        } else {
            HostKeys::Foreseen
        }
    }
}

impl Outline {
    /// What has to be remembered of `plan`.
    fn of(place: usize, source: &Arc<Source>, plan: &HostPlan) -> Self {
        Self {
            place,
            name: plan.name.clone(),
            source: Arc::clone(source),
            shape: Shape {
                len_bytes: plan.len_bytes,
                format: plan.format,
            },
        }
    }
}

impl<'a> Plan<'a> {
    /// The project's name.
    pub fn name(&self) -> &'a str {
        &self.request.project.name
    }

    /// The addresses that the project's machines are known by.
    pub(super) fn addresses(&self) -> &AddressBook {
        &self.numbers.addresses
    }

    /// How many hosts are planned.
    pub fn count(&self) -> usize {
        self.outlines.len()
    }

    /// The plans of the hosts for which `is_wanted`, in the project's order; most are made again as they are asked for.
    pub fn hosts<'p>(
        &'p self,
        is_wanted: impl Fn(&HostName) -> bool + 'p,
    ) -> impl Iterator<Item = Result<Box<HostPlan>, BakeError>> + 'p {
        let wanted = self
            .outlines
            .iter()
            .filter(move |outline| is_wanted(&outline.name));
        wanted.map(|outline| {
            self.host(outline)
                .map_err(|error| self.broken(&outline.name, error))
        })
    }

    /// The plan of the host of `outline`: the held one, which then is held no longer, or one that is made now.
    pub(super) fn host(&self, outline: &Outline) -> Result<Box<HostPlan>, HostError> {
        let held = self.held().remove(&outline.place);
        if let Some(plan) = held {
            return Ok(plan);
        }
        let host = self.described(outline);
        let made = plan_host(
            &self.request,
            &self.numbers,
            &host,
            &outline.source,
            HostKeys::Made,
        )?;
        Ok(Box::new(made))
    }

    /// Takes the plan of the host of `outline` back, which was taken and will be asked for again.
    pub(super) fn put_back(&self, outline: &Outline, plan: Box<HostPlan>) {
        self.held().insert(outline.place, plan);
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<usize, Box<HostPlan>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the project says of the host of `outline`.
    pub(super) fn described(&self, outline: &Outline) -> Host {
        self.request.project.hosts.at(outline.place)
    }

    /// How the host of `outline` is started and stopped.
    pub(super) fn domain(&self, outline: &Outline) -> Result<DomainSpec, BakeError> {
        domain(
            &self.request,
            &self.numbers,
            &self.described(outline),
            &outline.source,
        )
        .map_err(|error| self.broken(&outline.name, error))
    }

    /// What a person should know about the hosts.
    pub fn warnings(&self) -> impl Iterator<Item = (&HostName, &str)> {
        self.warnings.values().flat_map(|(name, warnings)| {
            let warnings = warnings.iter();
            warnings.map(move |warning| (name, warning.as_str()))
        })
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

    /// Tells every change of `host`'s guest files as diffs.
    pub fn diff(&self, host: &HostPlan) -> Result<Vec<FileDiff>, BakeError> {
        let outline = self.outlines.iter().find(|outline| outline.name == host.name);
        let Some(outline) = outline else {
            return Ok(Vec::new());
        };
        let known = self.request.identity.source != IdentitySource::Drawn;
        diff(
            &FullView::new(&outline.source, host.esp.as_ref()),
            &host.edits,
            known,
        )
        .map_err(|error| self.broken(&host.name, error.into()))
    }

    /// The error of one host alone.
    pub(super) fn broken(&self, name: &HostName, error: HostError) -> BakeError {
        BakeError::hosts(vec![failure(name, error)], self.outlines.len())
    }
}

fn failure(name: &HostName, error: HostError) -> HostFailure {
    HostFailure {
        hosts: vec![name.clone()],
        error: Box::new(error),
    }
}

/// The beginning of the digest of a number that a host is known by, or of what a key follows from, and the host's place in
/// the project.
type KnownBy = ([u8; 16], usize);

/// What no other host may be known by.
fn ids(identity: &GuestIdentity) -> impl Iterator<Item = [u8; 16]> {
    let own = identity.machine_id.iter();
    let own = own.map(|id| Sha256Digest::of(id.as_bytes()).first());
    own.chain(identity.key_seeds.iter().copied())
}

/// The hosts that are known by the same number or key as another, which only a defect here or a broken secret can do.
fn same_identities(mut owners: Vec<KnownBy>, hosts: &Hosts) -> Vec<HostFailure> {
    owners.sort_unstable();
    let pairs = owners.windows(2).filter_map(|pair| match pair {
        [(one, first), (other, second)] if one == other && first != second => Some((*first, *second)),
        _ => None,
    });
    let mut failures: BTreeMap<usize, HostFailure> = BTreeMap::new();
    for (first, second) in pairs {
        let other = hosts.name_at(first).to_string();
        failures.insert(
            second,
            failure(&hosts.name_at(second), HostError::SameIdentity { other }),
        );
    }
    failures.into_values().collect()
}
