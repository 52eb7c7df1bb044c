//! The end of a bake: the files beside the hosts, the manifest last, each written piece by piece.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::sync::PoisonError;

use super::error::BakeError;
use super::lain_over::add_unrecorded;
use super::listing::Listing;
use super::manifest::{Baked, FORMAT, Frame, LaunchRecord, PluginRecord, Tool};
use super::network_files::{self, HEAD, KNOWN_HOSTS};
use super::others::Others;
use super::plan::Plan;
use super::spool::Spool;
use super::worker::Shared;
use crate::base::digest::Sha256Digest;
use crate::base::{AtomicFile, PathError};
use crate::launch;
use crate::plugin::{Guests, Plugin};
use crate::project::HostName;
use crate::store::{Finish, Workspace};

/// Writes what tells of the whole project, whose canonical text is `project_text`, and declares it whole.
pub(super) fn close(
    shared: Shared<'_>,
    others: &Others,
    baked: &Baked,
    project_text: &str,
) -> Result<(), BakeError> {
    let Shared {
        plan,
        workspace,
        execution,
        records,
        known,
        backings,
        ..
    } = shared;
    let mut files = Vec::new();
    let directory = workspace.places().directory();
    let project = plan.request.project;
    for file in network_files::files(project, &plan.numbers, &directory) {
        let content = file.content.as_bytes();
        workspace.put(&directory.join(&file.name), content, execution.durability)?;
        files.push(LaunchRecord {
            file: file.name,
            sha256: Sha256Digest::of(content),
        });
    }
    let file = known_hosts(workspace, known)?;
    files.insert(
        1,
        LaunchRecord {
            file: KNOWN_HOSTS.to_owned(),
            sha256: digest(&file)?,
        },
    );
    workspace.put_file(file, execution.durability)?;
    let names: Vec<HostName> = project.hosts.names().collect();
    let mut backings = backings.into_inner().unwrap_or_else(PoisonError::into_inner);
    add_unrecorded(workspace, &names, &mut backings);
    workspace.finish(Finish {
        project_text: project_text.as_bytes(),
        launch: launch_file(workspace, plan, others)?,
        manifest: manifest(workspace, plan, baked, &files, records)?,
        hosts: &names,
        backings: &backings,
        durability: execution.durability,
    })?;
    Ok(())
}

/// The lines of all hosts, in the project's order.
fn known_hosts(workspace: &Workspace, known: Spool) -> Result<AtomicFile, BakeError> {
    let path = workspace.places().directory().join(KNOWN_HOSTS);
    let file = AtomicFile::create(&path)?;
    let failed = || PathError::on("write", file.temporary_path());
    let mut out = BufWriter::new(file.file());
    out.write_all(HEAD.as_bytes()).map_err(failed())?;
    known.each(|lines| out.write_all(lines).map_err(failed()))?;
    out.flush().map_err(failed())?;
    drop(out);
    Ok(file)
}

/// How every machine is started, in the project's order.
fn launch_file(workspace: &Workspace, plan: &Plan<'_>, others: &Others) -> Result<AtomicFile, BakeError> {
    let file = AtomicFile::create(&workspace.places().launch())?;
    let failed = || PathError::on("write", file.temporary_path());
    let project = plan.request.project;
    let frame = launch::project_spec(project, Vec::new());
    let mut listing = Listing::begin(BufWriter::new(file.file()), &frame).map_err(failed())?;
    let mut planned = plan.outlines.iter().peekable();
    for (place, name) in project.hosts.names().enumerate() {
        let domain = match planned.next_if(|outline| outline.place == place) {
            Some(outline) => Some(plan.domain(outline)?),
            None => others.domains.get(name.as_str()).cloned(),
        };
        if let Some(domain) = domain {
            listing
                .push(&serde_json::to_vec_pretty(&domain)?)
                .map_err(failed())?;
        }
    }
    listing.finish().map_err(failed())?;
    Ok(file)
}

/// The plugins that the project asks for.
fn plugins(plan: &Plan<'_>) -> Vec<PluginRecord> {
    let used = plan.request.plugins.into_iter().flat_map(Guests::used);
    let record = |plugin: &Plugin| PluginRecord {
        name: plugin.name.clone(),
        sha256: plugin.digest(),
    };
    used.map(record).collect()
}

fn manifest(
    workspace: &Workspace,
    plan: &Plan<'_>,
    baked: &Baked,
    files: &[LaunchRecord],
    records: Spool,
) -> Result<AtomicFile, BakeError> {
    let file = AtomicFile::create(&workspace.places().manifest())?;
    let failed = || PathError::on("write", file.temporary_path());
    let frame = Frame {
        format: FORMAT,
        tool: Tool::THIS,
        project: &baked.project,
        plugins: &plugins(plan),
        templates: &baked.templates,
        hosts: [],
        files,
    };
    let mut listing = Listing::begin(BufWriter::new(file.file()), &frame).map_err(failed())?;
    records.each(|record| listing.push(record).map_err(failed()))?;
    listing.finish().map_err(failed())?;
    Ok(file)
}

/// The digest of a file that was just written.
fn digest(file: &AtomicFile) -> Result<Sha256Digest, PathError> {
    let read = |file: &AtomicFile| -> io::Result<Sha256Digest> {
        Sha256Digest::of_reader(File::open(file.temporary_path())?)
    };
    read(file).map_err(PathError::on("read back", file.temporary_path()))
}
