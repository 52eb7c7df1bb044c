//! The manifest: what went into a bake and what came out, so that both can be proved again later.
//!
//! Its bytes depend on the project, the templates and the program's version alone: no clock, no machine, no order of
//! threads.

use serde::Serialize;

use super::plan::FilePlan;
use crate::base::Timestamp;
use crate::base::digest::Sha256Digest;
use crate::image::Blake3Digest;

/// The version of the manifest's own form.
pub const FORMAT: u32 = 1;

/// What went into a bake and what came out.
#[derive(Debug, Serialize)]
pub struct Manifest {
    /// The version of this form: [`FORMAT`].
    pub format: u32,
    /// The program that baked.
    pub tool: Tool,
    /// The project.
    pub project: ProjectRecord,
    /// Every template that was used, sorted by name.
    pub templates: Vec<TemplateRecord>,
    /// Every host, in the project's order.
    pub hosts: Vec<HostRecord>,
    /// The files that lie beside the hosts and tell others of them.
    pub files: Vec<LaunchRecord>,
}

/// A program and its version.
#[derive(Debug, Serialize)]
pub struct Tool {
    /// The program's name.
    pub name: &'static str,
    /// The program's version.
    pub version: &'static str,
}

/// The project as it was baked.
#[derive(Debug, Serialize)]
pub struct ProjectRecord {
    /// The project's name.
    pub name: String,
    /// The digest of the project's text, which lies beside the manifest.
    pub sha256: Sha256Digest,
}

/// A template as it was used.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
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

/// One host as it was baked.
#[derive(Debug, Serialize)]
pub struct HostRecord {
    /// The host's name.
    pub name: String,
    /// The template's file in the store.
    pub template: String,
    /// The server that runs it; none for the one that baked it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_host: Option<String>,
    /// The disk with the root file system.
    pub image: ImageRecord,
    /// The swap disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swap: Option<SwapRecord>,
    /// What was changed in the guest, in the order in which it was applied.
    pub files: Vec<FileRecord>,
    /// The files beside the images.
    pub launch: Vec<LaunchRecord>,
}

/// A disk image.
#[derive(Debug, Serialize)]
pub struct ImageRecord {
    /// Its file, relative to the project's directory.
    pub file: String,
    /// Its length in bytes.
    pub len_bytes: u64,
    /// The digest of the whole file, as `b3sum` prints it.
    pub blake3: Blake3Digest,
    /// How many units of 4096 bytes differ from the template.
    pub changed_units: usize,
}

/// A swap image.
#[derive(Debug, Serialize)]
pub struct SwapRecord {
    /// Its file, relative to the project's directory.
    pub file: String,
    /// Its length in bytes.
    pub len_bytes: u64,
    /// The UUID in its header.
    pub uuid: String,
}

/// A path of the guest that was changed.
#[derive(Debug, Serialize)]
pub struct FileRecord {
    /// What was changed, and why.
    #[serde(flatten)]
    pub plan: FilePlan,
    /// The digest of a regular file's content, read back from the finished file system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256Digest>,
}

/// A file beside the images.
#[derive(Debug, Serialize)]
pub struct LaunchRecord {
    /// Its file, relative to the project's directory.
    pub file: String,
    /// The digest of its content.
    pub sha256: Sha256Digest,
}

impl Manifest {
    /// The manifest's text: JSON with a final newline.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        Ok(text)
    }
}
