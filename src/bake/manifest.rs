//! The manifest: what went into a bake and what came out, so that both can be proved again later.
//!
//! Its bytes depend on the project, the templates and the program's version alone: no clock, no machine, no order of
//! threads.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::host_plan::{FilePlan, HostPlan};
use crate::base::Timestamp;
use crate::base::digest::Sha256Digest;
use crate::image::Blake3Digest;
use crate::project::ImageFormat;

/// The version of the manifest's own form.
pub const FORMAT: u32 = 2;

/// A manifest without its hosts, which are written one by one.
#[derive(Debug, Serialize)]
pub(super) struct Frame<'a> {
    /// The version of this form: [`FORMAT`].
    pub(super) format: u32,
    /// The program that baked.
    pub(super) tool: Tool,
    /// The project.
    pub(super) project: &'a ProjectRecord,
    /// The plugins that ran, in their order.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) plugins: &'a [PluginRecord],
    /// Every template that was used, sorted by name.
    pub(super) templates: &'a [TemplateRecord],
    /// Every host, in the project's order.
    pub(super) hosts: [(); 0],
    /// The files that lie beside the hosts and tell others of them.
    pub(super) files: &'a [LaunchRecord],
}

/// What became of a project.
#[derive(Debug)]
pub struct Baked {
    /// The project.
    pub project: ProjectRecord,
    /// Every template that was used, sorted by name.
    pub templates: Vec<TemplateRecord>,
    /// How many hosts were to be baked.
    pub hosts: usize,
    /// How many of them were kept as an earlier bake made them.
    pub kept: usize,
}

/// A program and its version.
#[derive(Debug, Serialize)]
pub(super) struct Tool {
    /// The program's name.
    pub(super) name: &'static str,
    /// The program's version.
    pub(super) version: &'static str,
}

impl Tool {
    /// This program.
    pub(super) const THIS: Self = Self {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
    };
}

/// The project as it was baked.
#[derive(Debug, Serialize)]
pub struct ProjectRecord {
    /// The project's name.
    pub name: String,
    /// The digest of the project's text, which lies beside the manifest.
    pub sha256: Sha256Digest,
}

/// A plugin that the project asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginRecord {
    /// Its name.
    pub name: String,
    /// The digest of its text.
    pub sha256: Sha256Digest,
}

/// A template as it was used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TemplateRecord {
    /// The template's file in the store.
    pub name: String,
    /// The digest of the whole file.
    pub sha256: Sha256Digest,
    /// The file's length in bytes.
    pub len_bytes: u64,
    /// The time that edits of its guests got.
    pub edit_time: Timestamp,
}

/// A grown copy of a template that images lie over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackingRecord {
    /// Its file, relative to the project's directory.
    pub file: String,
    /// Its length in bytes.
    pub len_bytes: u64,
    /// The digest of what it holds.
    pub blake3_of_data: Blake3Digest,
}

/// One host as it was baked.
#[derive(Debug, Serialize)]
pub(super) struct HostRecord<'a> {
    /// The host's name.
    pub(super) name: &'a str,
    /// The template's file in the store.
    pub(super) template: Cow<'a, str>,
    /// The server that runs it; none for the one that baked it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_host: Option<&'a str>,
    /// The disk with the root file system.
    pub(super) image: ImageRecord,
    /// The swap disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) swap: Option<SwapRecord>,
    /// What was changed in the guest, in the order in which it was applied.
    pub(super) files: Vec<FileRecord<'a>>,
    /// The files beside the images.
    pub(super) launch: Vec<LaunchRecord>,
}

/// A disk image.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ImageRecord {
    /// Its file, relative to the project's directory.
    pub file: String,
    /// What kind of file that is.
    pub format: ImageFormat,
    /// The length of the disk in it, in bytes.
    pub len_bytes: u64,
    /// The file's digest.
    #[serde(flatten)]
    pub digest: ImageDigest,
    /// How many units of 4096 bytes of the disk differ from the template; unknown where a machine has written too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_units: Option<usize>,
    /// The file that the image lies over, if that is not the template itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backing: Option<BackingRecord>,
}

/// The digest of an image's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImageDigest {
    /// Of the whole file, as `b3sum` prints it.
    #[serde(rename = "blake3")]
    Whole(Blake3Digest),
    /// Of the units that hold anything: [`data_digest`](crate::image::data_digest).
    #[serde(rename = "blake3_of_data")]
    Data(Blake3Digest),
}

/// A swap image.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SwapRecord {
    /// Its file, relative to the project's directory.
    pub file: String,
    /// Its length in bytes.
    pub len_bytes: u64,
    /// The UUID in its header.
    pub uuid: String,
    /// The digest of what it holds.
    pub blake3_of_data: Blake3Digest,
}

/// A path of the guest that was changed.
#[derive(Debug, Serialize)]
pub(super) struct FileRecord<'a> {
    /// What was changed, and why.
    #[serde(flatten)]
    pub(super) plan: &'a FilePlan,
    /// The digest of a regular file's content, read back from the finished file system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sha256: Option<Sha256Digest>,
}

/// A file beside the images.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LaunchRecord {
    /// Its file, relative to the project's directory.
    pub file: String,
    /// The digest of its content.
    pub sha256: Sha256Digest,
}

/// A manifest as it lies on the disk.
pub(super) fn to_text(manifest: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(manifest)?;
    text.push(b'\n');
    Ok(text)
}

impl<'a> HostRecord<'a> {
    /// What is recorded of the host of `plan`, whose changed files have the digests `contents`.
    pub(super) fn new(
        plan: &'a HostPlan,
        contents: &[Option<Sha256Digest>],
        image: ImageRecord,
        swap: Option<SwapRecord>,
        launch: Vec<LaunchRecord>,
    ) -> Self {
        let files = plan.files.iter().zip(contents);
        Self {
            name: plan.name.as_str(),
            template: Cow::Borrowed(&plan.template),
            service_host: plan.service_host.as_deref(),
            image,
            swap,
            files: files
                .map(|(plan, sha256)| FileRecord {
                    plan,
                    sha256: *sha256,
                })
                .collect(),
            launch,
        }
    }

    /// The record's own part of the manifest's text.
    pub(super) fn to_text(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("what is recorded is plain data")
    }

    /// The names of the files in the host's directory.
    pub(super) fn file_names(&self) -> Vec<&str> {
        let files = std::iter::once(&self.image.file)
            .chain(self.swap.iter().map(|swap| &swap.file))
            .chain(self.launch.iter().map(|launch| &launch.file));
        files.map(|file| name_in_host(file)).collect()
    }
}

/// The name in its host's directory of a file that is recorded as `HOST/NAME`.
pub(super) fn name_in_host(file: &str) -> &str {
    file.rsplit_once('/').map_or(file, |(_, name)| name)
}
