//! What a bake will do, as data, before a byte is written.
//!
//! ```text
//!   every host --plan--> outline     all are planned before the first is baked: what is wrong is told at once
//!                  \--> HostPlan    held for the first few; made again for the others when their turn comes
//! ```
//!
//! A host's plan takes a hundred times the memory of its description, and making it again costs little beside baking it:
//! so a bake of ten thousand hosts holds no more plans than one of a hundred.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

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
use crate::guest::GuestIdentity;
use crate::launch::{DomainSpec, LaunchSettings};
use crate::plugin::Guests;
use crate::project::{Host, HostName, Hosts, ImageFormat, Project};
use crate::store::Projects;
use crate::template::Store;

/// A usual [`Request::held_bytes`].
pub const HELD_BYTES: usize = 4 << 20;

/// What is to be baked, and from what.
#[derive(Debug, Clone, Copy)]
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
}

/// What is remembered of every planned host.
#[derive(Debug)]
pub(super) struct Outline {
    /// Its place in the project.
    pub(super) place: usize,
    pub(super) name: HostName,
    pub(super) source: Arc<Source>,
    pub(super) shape: Shape,
    warnings: Vec<String>,
    held: Option<Box<HostPlan>>,
}

/// What hosts of one template have to have in common to begin from the same file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shape {
    /// The length of the disk.
    pub(super) len_bytes: u64,
    pub(super) format: ImageFormat,
}

/// A host's plan: a held one, or one that was made just now.
#[derive(Debug)]
pub enum Planned<'p> {
    /// Held by the plan of all.
    Held(&'p HostPlan),
    /// Made just now.
    Made(Box<HostPlan>),
}

impl Deref for Planned<'_> {
    type Target = HostPlan;

    fn deref(&self) -> &HostPlan {
        match self {
            Self::Held(plan) => plan,
            Self::Made(plan) => plan,
        }
    }
}

/// Finds out what a bake will do, in the current thread pool. Nothing is written.
///
/// # Errors
/// [`BakeError::Hosts`] with every host whose template, configuration or need of space is in the way.
pub fn plan<'a>(request: &Request<'a>) -> Result<Plan<'a>, BakeError> {
    let mut failures = Vec::new();
    let sources = open_sources(request, &mut failures);
    let numbers = Numbers::of(request.project, &request.identity.key)?;
    let held_bytes = AtomicUsize::new(0);
    let hosts = &request.project.hosts;
    let identities = Mutex::new(Vec::new());
    let outline = |place| -> Result<Option<Outline>, HostFailure> {
        if !request.selection.has(&hosts.name_at(place)) {
            return Ok(None);
        }
        let host = hosts.at(place);
        let Some(source) = sources.get(&Wanted::of(request, &host).key()) else {
            return Ok(None);
        };
        let plan = plan_host(request, &numbers, &host, source).map_err(|error| failure(&host.name, error))?;
        note_ids(&identities, place, &plan.identity);
        let weight = plan.weight_bytes();
        let is_held = held_bytes.fetch_add(weight, Ordering::Relaxed) + weight <= request.held_bytes;
        Ok(Some(Outline::of(place, source, plan, is_held)))
    };
    let planned = (0..hosts.len()).into_par_iter().map(outline).collect();
    let outlines: Vec<Outline> = gather(planned, &mut failures).into_iter().flatten().collect();
    let identities = identities.into_inner().unwrap_or_else(PoisonError::into_inner);
    failures.extend(same_identities(identities, hosts));
    if failures.is_empty() {
        return Ok(Plan {
            request: *request,
            sources,
            numbers,
            outlines,
        });
    }
    Err(BakeError::hosts(failures, request.project.hosts.len()))
}

impl Outline {
    /// What has to be remembered of `plan`; all of it if it `is_held`.
    fn of(place: usize, source: &Arc<Source>, plan: HostPlan, is_held: bool) -> Self {
        Self {
            place,
            name: plan.name.clone(),
            source: Arc::clone(source),
            shape: Shape {
                len_bytes: plan.len_bytes,
                format: plan.format,
            },
            warnings: plan.warnings.clone(),
            held: is_held.then(|| Box::new(plan)),
        }
    }
}

impl<'a> Plan<'a> {
    /// The project's name.
    pub fn name(&self) -> &'a str {
        &self.request.project.name
    }

    /// How many hosts are planned.
    pub fn count(&self) -> usize {
        self.outlines.len()
    }

    /// The plans of the hosts for which `is_wanted`, in the project's order; most are made again as they are asked for.
    pub fn hosts<'p>(
        &'p self,
        is_wanted: impl Fn(&HostName) -> bool + 'p,
    ) -> impl Iterator<Item = Result<Planned<'p>, BakeError>> + 'p {
        let wanted = self
            .outlines
            .iter()
            .filter(move |outline| is_wanted(&outline.name));
        wanted.map(|outline| {
            self.host(outline)
                .map_err(|error| self.broken(&outline.name, error))
        })
    }

    /// The plan of the host of `outline`.
    pub(super) fn host<'p>(&'p self, outline: &'p Outline) -> Result<Planned<'p>, HostError> {
        if let Some(plan) = &outline.held {
            return Ok(Planned::Held(plan));
        }
        let host = self.described(outline);
        let made = plan_host(&self.request, &self.numbers, &host, &outline.source)?;
        Ok(Planned::Made(Box::new(made)))
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
        self.outlines.iter().flat_map(|outline| {
            let warnings = outline.warnings.iter();
            warnings.map(|warning| (&outline.name, warning.as_str()))
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

    /// The digest of the project's text.
    pub(super) fn project_digest(&self) -> Sha256Digest {
        Sha256Digest::of(self.request.project_text)
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

/// The beginning of the digest of a number or key that a host is known by, and the host's place in the project.
type KnownBy = ([u8; 16], usize);

/// Notes what no other host than the one at `place` may be known by.
fn note_ids(identities: &Mutex<Vec<KnownBy>>, place: usize, identity: &GuestIdentity) {
    let own = identity.machine_id.iter().chain(&identity.host_keys);
    let mut identities = identities.lock().unwrap_or_else(PoisonError::into_inner);
    identities.extend(own.map(|id| (Sha256Digest::of(id.as_bytes()).first(), place)));
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
