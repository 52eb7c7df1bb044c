//! What names a project's place, made anew for the place that it has been moved to.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};

use super::super::manifest::{LaunchRecord, to_text};
use super::super::memory::{Memory, look_at};
use super::error::ArchiveError;
use super::index::Index;
use super::pack::damaged;
use crate::base::PathError;
use crate::base::atomic::{self, Durability};
use crate::base::digest::Sha256Digest;
use crate::launch::{self, DomainSpec, ProjectSpec, runtime_name};
use crate::store::{HostPlaces, Incoming};

/// The lines of a dnsmasq configuration that name a file of the project.
const PATH_LINES: [&str; 2] = ["addn-hosts=", "dhcp-leasefile="];

/// Brings the project that is `incoming` to its new place; gives its hooks, in words.
pub(super) fn settle(incoming: &Incoming, index: &Index) -> Result<Vec<String>, ArchiveError> {
    let staging = incoming.directory();
    let manifest_path = staging.join("manifest.json");
    let mut manifest: Value = read(&manifest_path)?;
    let mut spec: ProjectSpec = read(&staging.join("launch.json"))?;
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
        let records = write_launch(domain, &own)?;
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

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, ArchiveError> {
    let text = fs::read(path).map_err(PathError::on("read", path))?;
    serde_json::from_slice(&text).map_err(damaged(path))
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

/// Writes the files that start and stop the machine of `domain`.
fn write_launch(domain: &DomainSpec, own: &HostPlaces) -> Result<Vec<LaunchRecord>, ArchiveError> {
    let mut records = Vec::new();
    for file in launch::files(domain) {
        let path = own.file(file.name);
        atomic::write(&path, file.content.as_bytes(), Durability::NoSync)?;
        let mode = fs::Permissions::from_mode(file.mode.into());
        fs::set_permissions(&path, mode).map_err(PathError::on("write", &path))?;
        records.push(LaunchRecord {
            file: format!("{}/{}", domain.host, file.name),
            sha256: Sha256Digest::of(file.content.as_bytes()),
        });
    }
    Ok(records)
}

/// Lets what is remembered of a host speak of its new files.
fn remember(own: &HostPlaces, records: &[LaunchRecord]) -> Result<(), ArchiveError> {
    let Some(mut memory) = Memory::read(own) else {
        return Ok(());
    };
    memory.launch = records.to_vec();
    for record in records {
        let name = record
            .file
            .rsplit_once('/')
            .map_or(&*record.file, |(_, name)| name);
        let found = look_at(own, name).map_err(PathError::on("read", own.file(name)))?;
        memory.stored.retain(|stored| stored.name != name);
        memory.stored.push(found);
        if let Some(inputs) = &mut memory.inputs {
            inputs.launch.insert(name.to_owned(), record.sha256);
        }
    }
    let text = serde_json::to_vec(&memory).map_err(damaged(&own.memory()))?;
    Ok(atomic::write(&own.memory(), &text, Durability::NoSync)?)
}
