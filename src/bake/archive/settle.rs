//! What names a project's place, made anew for the place that it has been moved to.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::super::manifest::{LaunchRecord, name_in_host, to_text};
use super::super::memory::{Memory, look_at};
use super::super::worker::{Finished, write_launch};
use super::error::ArchiveError;
use super::index::Index;
use super::pack::{damaged, read_json};
use crate::base::PathError;
use crate::base::atomic::{self, Durability};
use crate::base::digest::Sha256Digest;
use crate::launch::{self, ProjectSpec, runtime_name};
use crate::store::{HostPlaces, Incoming};

/// The lines of a dnsmasq configuration that name a file of the project.
const PATH_LINES: [&str; 2] = ["addn-hosts=", "dhcp-leasefile="];

/// Brings the project that is `incoming` to its new place; gives its hooks, in words.
pub(super) fn settle(incoming: &Incoming, index: &Index) -> Result<Vec<String>, ArchiveError> {
    let staging = incoming.directory();
    let manifest_path = staging.join("manifest.json");
    let mut manifest: Value = read_json(&manifest_path)?;
    let mut spec: ProjectSpec = read_json(&staging.join("launch.json"))?;
    for file in manifest["files"].as_array_mut().into_iter().flatten() {
        let name = file["file"].as_str().unwrap_or_default().to_owned();
        let is_configuration = name.starts_with("dnsmasq.") && !name.contains('/');
        if is_configuration && staging.join(&name).is_file() {
            file["sha256"] = json!(move_lines(&staging.join(&name), index, incoming)?);
        }
    }
    let directory = incoming.destination();
    for domain in &mut spec.hosts {
        domain.directory = directory.join(domain.host.as_str());
        domain.runtime = runtime_name(&spec.project, &directory);
        let own = incoming.host(&domain.host);
        if !own.directory().is_dir() {
            continue;
        }
        let mut finished = Finished::default();
        let records = write_launch(&launch::files(domain), &own, &mut finished)?;
        finished.persist()?;
        let hosts = manifest["hosts"].as_array_mut().into_iter().flatten();
        for host in hosts.filter(|host| host["name"] == domain.host.as_str()) {
            host["launch"] = json!(records);
        }
        remember(&own, &records)?;
    }
    let text = to_text(&manifest).map_err(damaged(&manifest_path))?;
    atomic::write(&manifest_path, &text, Durability::NoSync)?;
    Ok(spec
        .hooks
        .iter()
        .map(|hook| hook.moment.name().to_owned())
        .collect())
}

/// Lets a configuration of dnsmasq name files in the new place; gives the file's digest.
fn move_lines(path: &Path, index: &Index, incoming: &Incoming) -> Result<Sha256Digest, ArchiveError> {
    let text = fs::read_to_string(path).map_err(PathError::on("read", path))?;
    let directory = incoming.destination();
    let moved: String = text
        .split_inclusive('\n')
        .map(|line| {
            let key = PATH_LINES.iter().find(|key| line.starts_with(**key));
            let rest = key.and_then(|key| line.strip_prefix(key)?.strip_prefix(&index.directory));
            match (key, rest) {
                (Some(key), Some(rest)) => format!("{key}{}{rest}", directory.display()),
                _ => line.to_owned(),
            }
        })
        .collect();
    atomic::write(path, moved.as_bytes(), Durability::NoSync)?;
    Ok(Sha256Digest::of(moved.as_bytes()))
}

/// Lets what is remembered of a host speak of its new files.
fn remember(own: &HostPlaces, records: &[LaunchRecord]) -> Result<(), ArchiveError> {
    let Some(mut memory) = Memory::read(own) else {
        return Ok(());
    };
    memory.launch = records.to_vec();
    for record in records {
        let name = name_in_host(&record.file);
        let found = look_at(own, name).map_err(PathError::on("read", own.file(name)))?;
        memory.stored.retain(|stored| stored.name != name);
        memory.stored.push(found);
        if let Some(inputs) = &mut memory.inputs {
            inputs.launch.insert(name.to_owned(), record.sha256);
        }
    }
    Ok(memory.write(own)?)
}
