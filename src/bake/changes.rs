//! What a new description makes of a project that has been baked: host by host, and why.
//!
//! ```text
//!   what was remembered of the host  -\
//!   what the plan makes it from       -+-- written to since? --no--> kept, or baked anew
//!   how it was started               -/                     \-yes-> kept, or changed where it lies; never baked anew
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;

use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use serde::Serialize;

use super::compare::Comparison;
use super::error::BakeError;
use super::key::Keys;
use super::lain_over::lies_over_own;
use super::losses;
use super::memory::Memory;
use super::plan::Plan;
use crate::base::Timestamp;
use crate::launch::{DomainSpec, ProjectSpec};
use crate::project::HostName;
use crate::store::ProjectPlaces;

/// How an upgrade treats hosts whose data is at stake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upgrade<'a> {
    /// Hosts that are baked anew, whatever their machines have written.
    pub fresh: &'a BTreeSet<String>,
    /// Hosts that may go with what their machines have written.
    pub discard: &'a BTreeSet<String>,
    /// Whether the images of hosts that go are laid aside.
    pub keep_removed: bool,
    /// The time of edits in images that machines have written to.
    pub now: Timestamp,
}

/// What becomes of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Nothing.
    Keep,
    /// It is only started otherwise.
    Restart,
    /// Its image is resized or configured anew where it lies; what the machine has written stays.
    Reconfigure,
    /// It gets a new image.
    Rebake,
    /// It is baked for the first time.
    Bake,
    /// It goes.
    Remove,
}

/// What becomes of one host, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostChange {
    /// The host.
    pub host: HostName,
    /// What becomes of it.
    pub action: Action,
    /// Whether its image holds what a machine, or a person, has written.
    pub is_written: bool,
    /// Why, in words.
    pub reasons: Vec<String>,
    /// What a person should know besides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What keeps the upgrade from being done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<Obstacle>,
    /// The length that its disk gets, if it gets another one where it lies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub len_bytes: Option<u64>,
}

/// What keeps a host from being upgraded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Obstacle {
    /// What is in the way.
    pub reason: String,
    /// The way out.
    pub hint: String,
}

impl Action {
    /// The action in a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Restart => "restart",
            Self::Reconfigure => "reconfigure",
            Self::Rebake => "rebake",
            Self::Bake => "add",
            Self::Remove => "remove",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl HostChange {
    pub(super) fn new(host: &HostName, action: Action, is_written: bool) -> Self {
        Self {
            host: host.clone(),
            action,
            is_written,
            reasons: Vec::new(),
            notes: Vec::new(),
            obstacle: None,
            len_bytes: None,
        }
    }

    /// Says that at least `action` is needed, and why.
    pub(super) fn because(&mut self, action: Action, reason: String) {
        self.action = self.action.max(action);
        self.reasons.push(reason);
    }

    /// Says that it cannot be done, and what can be; the first reason stays.
    pub(super) fn blocked(&mut self, reason: String, hint: String) {
        self.obstacle.get_or_insert(Obstacle { reason, hint });
    }
}

/// Compares `plan` with what lies in its project's place: its own hosts in their order, then those that go.
///
/// # Errors
/// [`BakeError`] where something that a host is made from cannot be read.
pub fn changes(plan: &Plan<'_>, upgrade: &Upgrade<'_>) -> Result<Vec<HostChange>, BakeError> {
    let places = plan.request.projects.project(plan.name())?;
    let keys = Keys::new(&plan.request.identity.key);
    let domains = domains(&places);
    let changes: Result<Vec<HostChange>, BakeError> = plan
        .outlines
        .par_iter()
        .map(|outline| {
            let name = &outline.name;
            let failed = |error| plan.broken(name, error);
            let host = plan.host(outline).map_err(failed)?;
            let made_from = keys.of(plan.name(), &host, &outline.source);
            let (key, inputs) = made_from.map_err(failed)?;
            let comparison = Comparison {
                host: &host,
                inputs,
                key,
                domain: plan.domain(outline)?,
                old_domain: domains.get(name.as_str()),
                directory: places.directory(),
                own: places.host(name),
                is_written: losses::is_written(&places, name),
                is_fresh: upgrade.fresh.contains(name.as_str()),
            };
            Ok(comparison.change())
        })
        .collect();
    let mut changes = changes?;
    changes.extend(losses::gone(plan, &places).map(|name| going(&name, &places, upgrade)));
    Ok(changes)
}

/// What becomes of a host that the project has no more.
fn going(name: &HostName, places: &ProjectPlaces, upgrade: &Upgrade<'_>) -> HostChange {
    let is_written = losses::is_written(places, name);
    let mut change = HostChange::new(name, Action::Remove, is_written);
    change.because(Action::Remove, "the project has it no more".to_owned());
    let own = places.host(name);
    let has_backing = Memory::read(&own).is_some_and(|memory| {
        memory.image.backing.is_some() || lies_over_own(places, &own.file(memory.image_name()))
    });
    if upgrade.keep_removed && has_backing {
        change.blocked(
            "its image lies over a file of the project, and cannot be laid aside".to_owned(),
            "make it raw by `mln-image image flatten` first".to_owned(),
        );
    } else if is_written && !upgrade.keep_removed && !upgrade.discard.contains(name.as_str()) {
        change.blocked(
            "its image has been written to, and would go".to_owned(),
            format!("give --keep to lay its files aside, or --discard {name} to let them go"),
        );
    }
    change
}

/// How the project's machines have been started so far.
fn domains(places: &ProjectPlaces) -> BTreeMap<String, DomainSpec> {
    let text = fs::read(places.launch()).unwrap_or_default();
    let spec: Option<ProjectSpec> = serde_json::from_slice(&text).ok();
    let hosts = spec.map_or_else(Vec::new, |spec| spec.hosts);
    hosts
        .into_iter()
        .map(|spec| (spec.host.to_string(), spec))
        .collect()
}
