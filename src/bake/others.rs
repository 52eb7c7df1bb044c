//! Hosts of the project that this bake leaves alone: a bake of some hosts must not forget the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use super::manifest::TemplateRecord;
use super::network_files::KNOWN_HOSTS;
use super::plan::Plan;
use super::worker::Shared;
use crate::base::PathError;
use crate::launch::{DomainSpec, ProjectSpec};
use crate::project::HostName;
use crate::store::Workspace;

/// What the project's last manifest says of hosts that are not baked now.
#[derive(Debug, Default)]
pub(super) struct Others {
    /// The hosts' records.
    hosts: Vec<Value>,
    /// The files that their images lie over, relative to the project's directory.
    backings: BTreeSet<String>,
    /// How they are started, by name.
    pub(super) domains: BTreeMap<String, DomainSpec>,
    /// The lines of `known_hosts` that are theirs.
    known: Vec<String>,
    templates: Vec<TemplateRecord>,
}

impl Others {
    /// Reads the manifest of `workspace`, if there is one: only a project that was baked to its end has others.
    pub(super) fn read(workspace: &Workspace, plan: &Plan<'_>) -> Self {
        let project = plan.request.project;
        let read = || {
            let text = fs::read(workspace.places().manifest()).ok()?;
            serde_json::from_slice::<Value>(&text).ok()
        };
        let Some(manifest) = read().filter(|_| plan.count() < project.hosts.len()) else {
            return Self::default();
        };
        let planned = plan.outlines.iter();
        let baked: BTreeSet<&str> = planned.map(|outline| outline.name.as_str()).collect();
        let known: BTreeSet<HostName> = project.hosts.names().collect();
        let is_other = |host: &&Value| {
            let name = host["name"].as_str().unwrap_or_default();
            HostName::new(name).is_some_and(|name| known.contains(&name)) && !baked.contains(name)
        };
        let hosts: Vec<Value> = manifest["hosts"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(is_other)
            .cloned()
            .collect();
        let names: BTreeSet<&str> = hosts.iter().filter_map(|host| host["name"].as_str()).collect();
        let launch = fs::read(workspace.places().launch())
            .ok()
            .and_then(|text| serde_json::from_slice::<ProjectSpec>(&text).ok());
        let domains = launch.map_or_else(Vec::new, |launch| launch.hosts);
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let used: BTreeSet<String> = hosts.iter().filter_map(|host| text(&host["template"])).collect();
        let backings = hosts
            .iter()
            .filter_map(|host| text(&host["image"]["backing"]["file"]));
        let templates: Vec<TemplateRecord> =
            serde_json::from_value(manifest["templates"].clone()).unwrap_or_default();
        Self {
            domains: domains
                .into_iter()
                .filter(|domain| names.contains(domain.host.as_str()))
                .map(|domain| (domain.host.to_string(), domain))
                .collect(),
            known: known_lines(workspace, &names),
            backings: backings.collect(),
            templates: templates
                .into_iter()
                .filter(|template| used.contains(&template.name))
                .collect(),
            hosts,
        }
    }

    /// Puts what is recorded of these hosts among the others.
    pub(super) fn note(&self, shared: &Shared<'_>) -> Result<(), PathError> {
        if self.hosts.is_empty() && self.known.is_empty() && self.backings.is_empty() {
            return Ok(());
        }
        let names: Vec<HostName> = shared.plan.request.project.hosts.names().collect();
        let places: BTreeMap<&str, usize> = names.iter().map(HostName::as_str).zip(0..).collect();
        for host in &self.hosts {
            let place = places.get(host["name"].as_str().unwrap_or_default());
            let text = serde_json::to_vec_pretty(host).expect("what was read is plain data");
            shared.records.push(place.copied().unwrap_or(usize::MAX), &text)?;
        }
        for line in &self.known {
            let place = places.get(owner(line)).copied().unwrap_or(usize::MAX);
            shared.known.push(place, format!("{line}\n").as_bytes())?;
        }
        self.backings
            .iter()
            .cloned()
            .for_each(|file| shared.note_backing(file));
        Ok(())
    }

    /// Adds the templates of these hosts to those of the others.
    pub(super) fn add_templates(&self, templates: &mut Vec<TemplateRecord>) {
        for template in &self.templates {
            if !templates.contains(template) {
                templates.push(template.clone());
            }
        }
        templates.sort();
    }
}

/// The lines of the `known_hosts` that lies in `workspace` that are about the hosts called `names`.
fn known_lines(workspace: &Workspace, names: &BTreeSet<&str>) -> Vec<String> {
    let text = fs::read_to_string(workspace.places().directory().join(KNOWN_HOSTS)).unwrap_or_default();
    let lines = text.lines().filter(|line| names.contains(owner(line)));
    lines.map(str::to_owned).collect()
}

/// The host that a line of `known_hosts` is about: the first of its names.
fn owner(line: &str) -> &str {
    line.split([',', ' ']).next().unwrap_or_default()
}
