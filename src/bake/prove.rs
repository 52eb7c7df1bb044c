//! Proving a baked project: every digest of its manifest is computed again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use serde::Deserialize;

use super::manifest::{
    BackingRecord, FORMAT, HostRecord, ImageDigest, ImageRecord, LaunchRecord, SwapRecord, TemplateRecord,
};
use crate::base::PathError;
use crate::base::digest::Sha256Digest;
use crate::image::{Blake3Digest, data_digest};
use crate::store::ProjectPlaces;
use crate::template::Store;

/// What was proved of a project.
#[derive(Debug, Default, serde::Serialize)]
pub struct Proof {
    /// How many files are what the manifest says.
    pub proved: usize,
    /// What is not, in the manifest's order.
    pub faults: Vec<Fault>,
}

/// A file that is not what the manifest says.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Fault {
    /// The file: relative to the project's directory, or a template's name.
    pub file: String,
    /// What is wrong with it.
    pub reason: String,
    /// The hosts whose images cannot be used because of it.
    pub breaks: Vec<String>,
}

/// Says why a project could not be proved at all.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The project is not there, or not baked to its end.
    #[error("project `{project}` has not been baked to its end")]
    NotBaked {
        /// The project.
        project: String,
    },
    /// The manifest cannot be read.
    #[error(transparent)]
    File(#[from] PathError),
    /// The manifest is not one that this program wrote.
    #[error("cannot understand the manifest of project `{project}`")]
    Manifest {
        /// The project.
        project: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The manifest is of another version of the program.
    #[error(
        "the manifest of project `{project}` has the form {found}, this program reads {FORMAT}: bake it again"
    )]
    Form {
        /// The project.
        project: String,
        /// The manifest's form.
        found: u64,
    },
}

/// The parts of a manifest that can be proved.
#[derive(Deserialize)]
struct Proved {
    project: ProvedProject,
    templates: Vec<TemplateRecord>,
    hosts: Vec<ProvedHost>,
    #[serde(default)]
    files: Vec<LaunchRecord>,
}

#[derive(Deserialize)]
struct ProvedProject {
    sha256: Sha256Digest,
}

#[derive(Deserialize)]
pub(super) struct ProvedHost {
    name: String,
    template: String,
    image: ImageRecord,
    swap: Option<SwapRecord>,
    launch: Vec<LaunchRecord>,
}

impl HostRecord<'_> {
    /// What can be proved of the host.
    pub(super) fn proofs(&self) -> ProvedHost {
        ProvedHost {
            name: self.name.to_owned(),
            template: self.template.clone().into_owned(),
            image: self.image.clone(),
            swap: self.swap.clone(),
            launch: self.launch.clone(),
        }
    }
}

/// One file to prove.
enum Item<'a> {
    Text(&'a str, Sha256Digest),
    Template(&'a TemplateRecord),
    Backing(&'a BackingRecord),
    Host(&'a ProvedHost),
}

/// Computes every digest of the manifest in `places` again, in the current thread pool.
pub fn prove(places: &ProjectPlaces, templates: &Store) -> Result<Proof, ProveError> {
    let manifest = read(places)?;
    let text = format!("{}.mln", places.name());
    let mut items = vec![Item::Text(&text, manifest.project.sha256)];
    let beside = manifest.files.iter();
    items.extend(beside.map(|file| Item::Text(&file.file, file.sha256)));
    items.extend(manifest.templates.iter().map(Item::Template));
    let backings: BTreeMap<&str, &BackingRecord> = manifest
        .hosts
        .iter()
        .filter_map(|host| host.image.backing.as_ref())
        .map(|backing| (backing.file.as_str(), backing))
        .collect();
    items.extend(backings.values().map(|backing| Item::Backing(backing)));
    items.extend(manifest.hosts.iter().map(Item::Host));
    let directory = places.directory();
    let faults: Vec<Vec<Fault>> = items
        .par_iter()
        .map(|item| item.prove(&directory, templates, &manifest.hosts))
        .collect();
    let faults: Vec<Fault> = faults.into_iter().flatten().collect();
    let host_files = |host: &ProvedHost| 1 + usize::from(host.swap.is_some()) + host.launch.len();
    let shared = 1 + manifest.files.len() + manifest.templates.len() + backings.len();
    let files = shared + manifest.hosts.iter().map(host_files).sum::<usize>();
    Ok(Proof {
        proved: files.saturating_sub(faults.len()),
        faults,
    })
}

/// What the manifest in `places` says of the host called `name`: the file of its template, and its root image.
pub fn image_of(places: &ProjectPlaces, name: &str) -> Result<Option<(String, ImageRecord)>, ProveError> {
    let mut hosts = read(places)?.hosts.into_iter();
    let host = hosts.find(|host| host.name == name);
    Ok(host.map(|host| (host.template, host.image)))
}

fn read(places: &ProjectPlaces) -> Result<Proved, ProveError> {
    let project = places.name().to_owned();
    if !places.is_baked() {
        return Err(ProveError::NotBaked { project });
    }
    let path = places.manifest();
    let text = fs::read(&path).map_err(PathError::on("read", &path))?;
    let failed = |project: &str| {
        let project = project.to_owned();
        |source| ProveError::Manifest { project, source }
    };
    let form: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(&text).map_err(failed(&project))?;
    let found = form
        .get("format")
        .and_then(serde_json::Value::as_u64)
        .unwrap_or_default();
    if found != u64::from(FORMAT) {
        return Err(ProveError::Form { project, found });
    }
    serde_json::from_slice(&text).map_err(failed(&project))
}

impl Item<'_> {
    /// What is wrong with the item.
    fn prove(&self, directory: &Path, templates: &Store, hosts: &[ProvedHost]) -> Vec<Fault> {
        match self {
            Self::Text(file, expected) => sha256_fault(directory, file, *expected).into_iter().collect(),
            Self::Template(record) => template_fault(templates, record)
                .map(|reason| Fault {
                    file: record.name.clone(),
                    reason,
                    breaks: over(hosts, |host| {
                        host.image.format.is_delta()
                            && host.image.backing.is_none()
                            && host.template == record.name
                    }),
                })
                .into_iter()
                .collect(),
            Self::Backing(record) => {
                let found = open(directory, &record.file).and_then(|file| data_digest(&file));
                difference(found, &record.blake3_of_data)
                    .map(|reason| Fault {
                        file: record.file.clone(),
                        reason,
                        breaks: over(hosts, |host| {
                            host.image
                                .backing
                                .as_ref()
                                .is_some_and(|own| own.file == record.file)
                        }),
                    })
                    .into_iter()
                    .collect()
            }
            Self::Host(host) => host_files(directory, host),
        }
    }
}

/// What is wrong with the files of `host`.
pub(super) fn host_files(directory: &Path, host: &ProvedHost) -> Vec<Fault> {
    let own = |file: &str, reason: String, breaks: Vec<String>| Fault {
        file: file.to_owned(),
        reason,
        breaks,
    };
    let mut faults = Vec::new();
    if let Some(reason) = image_fault(directory, &host.image) {
        faults.push(own(&host.image.file, reason, vec![host.name.clone()]));
    }
    if let Some(swap) = &host.swap {
        let found = open(directory, &swap.file).and_then(|file| data_digest(&file));
        let reason = difference(found, &swap.blake3_of_data);
        faults.extend(reason.map(|reason| own(&swap.file, reason, Vec::new())));
    }
    let launch = host.launch.iter();
    faults.extend(launch.filter_map(|launch| sha256_fault(directory, &launch.file, launch.sha256)));
    faults
}

/// What is wrong with `image`, whose file lies below `directory`.
pub(super) fn image_fault(directory: &Path, image: &ImageRecord) -> Option<String> {
    let file = open(directory, &image.file);
    match image.digest {
        ImageDigest::Whole(expected) => difference(file.and_then(Blake3Digest::of_reader), &expected),
        ImageDigest::Data(expected) => difference(file.and_then(|file| data_digest(&file)), &expected),
    }
}

fn template_fault(templates: &Store, record: &TemplateRecord) -> Option<String> {
    let template = match templates.find(&record.name) {
        Ok(template) => template,
        Err(error) => return Some(error.to_string()),
    };
    let found = File::open(template.path()).and_then(Sha256Digest::of_reader);
    difference(found, &record.sha256)
}

fn sha256_fault(directory: &Path, file: &str, expected: Sha256Digest) -> Option<Fault> {
    let found = open(directory, file).and_then(Sha256Digest::of_reader);
    difference(found, &expected).map(|reason| Fault {
        file: file.to_owned(),
        reason,
        breaks: Vec::new(),
    })
}

/// Opens a regular file below `directory`; what a manifest names may be nothing else.
fn open(directory: &Path, file: &str) -> std::io::Result<File> {
    let path = directory.join(file);
    if fs::symlink_metadata(&path)?.is_file() {
        File::open(path)
    } else {
        Err(std::io::Error::new(
            std::io::ErrorKind::InvalidInput,
            "it is not a regular file",
        ))
    }
}

/// How `found` is not `expected`.
fn difference<T: PartialEq + std::fmt::Display>(found: std::io::Result<T>, expected: &T) -> Option<String> {
    match found {
        Ok(found) if found == *expected => None,
        Ok(found) => Some(format!("its digest is {found}, and was {expected}")),
        Err(error) => Some(error.to_string()),
    }
}

/// The names of the hosts that `is_meant` picks.
fn over(hosts: &[ProvedHost], is_meant: impl Fn(&ProvedHost) -> bool) -> Vec<String> {
    let meant = hosts.iter().filter(|host| is_meant(host));
    meant.map(|host| host.name.clone()).collect()
}
